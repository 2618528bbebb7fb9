// Where vsync keeps its files on a writer's machine: docs/formats.md section 9.

import { isAbsolute, join } from "node:path";
import type { Host } from "../host.ts";

export function configFolder(host: Host): string {
  return join(baseFolder(host, "XDG_CONFIG_HOME", ".config"), "vsync");
}

export function stateFolder(host: Host): string {
  return join(baseFolder(host, "XDG_STATE_HOME", ".local/state"), "vsync");
}

export function profilesFolder(host: Host): string {
  return join(configFolder(host), "profiles");
}

/** Holds one file for each environment of a repository, and the git origins that use its name. */
export function repositoryConfigFolder(host: Host, repo: string): string {
  return join(configFolder(host), "config", repo);
}

export function envConfigPath(host: Host, repo: string, env: string): string {
  return join(repositoryConfigFolder(host, repo), `env_${env}`);
}

/** Ledger, pending publish, base and backups of one environment. */
export function envStateFolder(host: Host, repo: string, env: string): string {
  return join(stateFolder(host), repo, env);
}

/** Which environment, of which repository. */
export interface Names {
  readonly repo: string;
  readonly env: string;
}

/** The account under which a keystore holds an environment's passphrase. */
export function keyAccount(repo: string, env: string): string {
  return `${repo}/${env}`;
}

/** From an account back to what it is for. */
export function splitAccount(account: string): { readonly repo: string; readonly env: string } {
  const at = account.lastIndexOf("/");
  return { repo: account.slice(0, at), env: account.slice(at + 1) };
}

/** The account of the passphrase that a rotation is about to bring into force. */
export function stagedAccount(repo: string, env: string): string {
  return `${keyAccount(repo, env)}#next`;
}

/** The account of the passphrase that the one in force took the place of: older versions open with it. */
export function replacedAccount(repo: string, env: string): string {
  return `${keyAccount(repo, env)}#replaced`;
}

// The XDG specification has relative values ignored.
function baseFolder(host: Host, variable: string, fallback: string): string {
  const value = host.env[variable];
  return value !== undefined && isAbsolute(value) ? value : join(host.homedir, fallback);
}
