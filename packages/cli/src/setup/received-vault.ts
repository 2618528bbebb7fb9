// An environment that comes from another machine, in a share or a key file: what is checked before it is taken over.

import { checkKdf, deriveKeys, locationProblem, type VaultKeys, wipe } from "@vsync/envelope";
import { CliError } from "../cli-error.ts";
import { type EnvConfig, parseEnvConfig } from "../config/env-config.ts";
import { envStateFolder, type Names } from "../config/paths.ts";
import type { Context } from "../context.ts";
import { checkEnvName, type Repository } from "../identity/repository.ts";
import type { Keystore } from "../keys/keystore.ts";
import { visible } from "../terminal.ts";
import { rekeyKeptBundles } from "../vault/kept-bundles.ts";
import { type StatePaths, statePaths } from "../vault/state-paths.ts";
import type { Found } from "./found.ts";
import { replaceKey } from "./new-key.ts";
import { checkVaultFolder } from "./repository-files.ts";

/** What it came in, for messages. */
export interface Sender {
  /** "share". */
  readonly name: string;
  /** The command that makes a new one. */
  anew(env: string): string;
}

/** It comes from outside: nothing in it is taken over unchecked. */
export function checkReceivedConfig(env: string, raw: unknown, { name, anew }: Sender): EnvConfig {
  checkEnvName(env);
  const config = parseEnvConfig(raw);
  const problem =
    config === null ? "it holds no config" : locationProblem({ ...config.s3, prefix: config.prefix });
  if (config === null || problem !== null) {
    throw new CliError(
      "CORRUPT",
      `the ${name} cannot be used: its config ${problem}`,
      `ask for a new one: ${anew(env)}`,
    );
  }
  checkKdf(config.encryption.salt, config.encryption.iterations);
  return config;
}

/** Or an alias of one: by characters that some file systems leave out, by the short name that Windows gives. */
const HIDDEN = /^\p{Cf}*\.|~\d/u;

/** The vault folder that it names, as this repository writes it: no folder whose files a tool would run or obey. */
export function receivedVaultFolder(
  repository: Repository,
  folder: string,
  { name, anew }: Sender,
  env: string,
): string {
  const inside = checkVaultFolder(repository, folder);
  if (!inside.split("/").some((part) => HIDDEN.test(part))) return inside;
  throw new CliError(
    "CORRUPT",
    `the ${name} wants its secrets in ${visible(inside)}, where other programs look for instructions`,
    `ask for one with another vault folder: ${anew(env)}`,
  );
}

export function sameVault(a: EnvConfig, b: EnvConfig): boolean {
  return (
    a.encryption.salt === b.encryption.salt &&
    a.encryption.iterations === b.encryption.iterations &&
    a.s3.endpoint === b.s3.endpoint &&
    a.s3.bucket === b.s3.bucket &&
    a.prefix === b.prefix
  );
}

/** Whether what this machine remembers is of the vault that was received; where its config is lost, the key tells. */
export function isRemembered({ config: mine, key: stored }: Found, config: EnvConfig, key: string): boolean {
  return mine === null ? stored === key : sameVault(mine, config);
}

/**
 * Stores the received key, and brings what this machine keeps of the same vault under an older one, base and backups,
 * under it first. When one of the two fails, and on the way back, everything is under the old one again.
 */
export async function storeReceivedKey(
  context: Context,
  names: Names,
  { key: stored, keystore }: { readonly key: string | null; readonly keystore: Keystore },
  { config, key, isSameVault }: Received,
): Promise<() => Promise<void>> {
  const paths = statePaths(envStateFolder(context.host, names.repo, names.env));
  const store = async () => await replaceKey({ paths, keystore, names }, stored, key);
  if (!isSameVault || stored === null) return await store();
  const bring = (from: string, to: string) => rekeyAll(paths, config, from, to);
  try {
    await bring(stored, key);
    const unstore = await store();
    return async () => {
      await unstore();
      await bring(key, stored);
    };
  } catch (error) {
    await bring(key, stored).catch(() => undefined); // the first failure is the one to tell
    throw error;
  }
}

interface Received {
  readonly config: EnvConfig;
  readonly key: string;
  readonly isSameVault: boolean;
}

async function rekeyAll(paths: StatePaths, config: EnvConfig, old: string, next: string): Promise<void> {
  const [oldKeys, newKeys] = await Promise.all([keysOf(config, old), keysOf(config, next)]);
  try {
    await rekeyKeptBundles(paths, oldKeys, newKeys);
  } finally {
    for (const keys of [oldKeys, newKeys]) wipe(keys.master, keys.sealKey, keys.chainKey);
  }
}

export async function keysOf({ encryption }: EnvConfig, passphrase: string): Promise<VaultKeys> {
  return await deriveKeys(passphrase, encryption.salt, encryption.iterations);
}
