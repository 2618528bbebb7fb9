// What `vsync doctor` looks at in the repository: git, who one is, and whether secrets stay out of the history.

import type { EnvConfig } from "../config/env-config.ts";
import type { Host } from "../host.ts";
import { gitEmail, gitIgnores, gitTracked, gitVersion } from "../identity/git.ts";
import type { Repository } from "../identity/repository.ts";
import { shellWord } from "../shell-word.ts";
import { type Check, fail, ok, warn } from "./check.ts";

const SHOWN = 3;

export function checkGit(host: Host): Check {
  const version = gitVersion(host, host.cwd);
  if (version !== null) return ok("git", version);
  return warn("git", "git does not run here", "install git; without it name the repository: --repo <name>");
}

export function checkIdentity(host: Host, { root, name, hasVsyncFile, origin }: Repository): Check[] {
  const email = gitEmail(host, root);
  const who = `${host.username()}@${host.hostname()}`;
  const from = hasVsyncFile ? "from .vsync" : origin === null ? "from --repo" : "from git's origin";
  return [
    ok("repository", `${name} (${from}), ${root}`),
    email === null
      ? warn("identity", `the audit log knows you as ${who} alone`, "git config user.email <address>")
      : ok("identity", `the audit log knows you as ${email} (${who})`),
  ];
}

export function checkIgnored(host: Host, { root }: Repository, env: string, { files }: EnvConfig): Check {
  const name = `${env}: ignore rules`;
  const { vaultFolder } = files;
  const secret = [vaultFolder, ".env", `.env.${env}`];
  const tracked = gitTracked(host, root, secret);
  if (tracked === null) return warn(name, "there is no git to ask", "");
  if (tracked.length > 0) {
    const shown = tracked.slice(0, SHOWN).join(", ") + (tracked.length > SHOWN ? ", ..." : "");
    const inIndex = secret.filter((path) => tracked.some((file) => `${file}/`.startsWith(`${path}/`)));
    const command = `git -C ${shellWord(root)} rm -r --cached ${inIndex.map(shellWord).join(" ")}`;
    const fix = `${command}   then commit, and change these secrets: they stay in the history`;
    return fail(name, "INPUT", `git tracks ${shown}`, fix);
  }
  const open = [`${vaultFolder}/.env.${env}`, ".env", `.env.${env}`].filter(
    (path) => gitIgnores(host, root, path) === false,
  );
  if (open.length === 0) return ok(name, `git ignores ${vaultFolder} and .env files`);
  return fail(name, "INPUT", `git does not ignore ${open.join(", ")}`, `vsync init ${env} --keep`);
}
