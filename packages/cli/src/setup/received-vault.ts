// An environment that comes from another machine, in a share or a key file: what is checked before it is taken over.

import { checkKdf, deriveKeys, judgeManifest, locationProblem, type VaultKeys, wipe } from "@vsync/envelope";
import { openStore } from "@vsync/store";
import { CliError } from "../cli-error.ts";
import { type EnvConfig, parseEnvConfig } from "../config/env-config.ts";
import { envStateFolder, keyAccount, replacedAccount } from "../config/paths.ts";
import type { Context } from "../context.ts";
import { checkEnvName } from "../identity/repository.ts";
import type { Keystore } from "../keys/keystore.ts";
import { rekeyKeptBundles } from "../vault/kept-bundles.ts";
import { statePaths } from "../vault/state-paths.ts";

/** What it came in, for messages. */
export interface Sender {
  /** "share". */
  readonly name: string;
  /** The command that makes a new one. */
  anew(env: string): string;
}

const MAX_MANIFEST_BYTES = 1024;

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

export function sameVault(a: EnvConfig, b: EnvConfig): boolean {
  return (
    a.encryption.salt === b.encryption.salt &&
    a.encryption.iterations === b.encryption.iterations &&
    a.s3.endpoint === b.s3.endpoint &&
    a.s3.bucket === b.s3.bucket &&
    a.prefix === b.prefix
  );
}

/** What was received, but for what this machine knows better. */
export function newerOf(mine: EnvConfig, theirs: EnvConfig): EnvConfig {
  return { ...theirs, files: mine.files, minGen: Math.max(mine.minGen ?? 0, theirs.minGen ?? 0) };
}

/** An old share must not replace a newer key; a bucket that cannot be asked is no reason not to import. */
export async function requireInForce(
  { host, terminal }: Context,
  env: string,
  config: EnvConfig,
  key: string,
  { name, anew }: Sender,
): Promise<void> {
  const [keys, store] = await Promise.all([keysOf(config, key), openStore(config.s3, { env: host.env })]);
  try {
    const manifest = await store
      .get(`${config.prefix}manifest`, { maxBytes: MAX_MANIFEST_BYTES })
      .catch((error: Error) => {
        terminal.warn(`whether the ${name} is the latest of ${env} could not be seen: ${error.message}`);
        return null;
      });
    if (manifest === null) return;
    const { kind } = await judgeManifest(keys, config.prefix, manifest, host.now());
    if (kind === "verified" || kind === "unsealed") return;
    throw new CliError(
      "WRONG_PASSPHRASE",
      `the ${name} is from before the last rotation of ${env}'s passphrase, or not of this vault`,
      `ask for a new one: ${anew(env)}`,
    );
  } finally {
    wipe(keys.master, keys.sealKey, keys.chainKey);
    await store.close();
  }
}

/** Puts the key into the keystore, the one it replaces beside it; the way back restores what was there. */
export async function storeReceivedKey(
  keystore: Keystore,
  { repo, env }: { readonly repo: string; readonly env: string },
  stored: string | null,
  key: string,
): Promise<() => Promise<void>> {
  const account = keyAccount(repo, env);
  if (stored !== null && stored !== key) await keystore.set(replacedAccount(repo, env), stored);
  await keystore.set(account, key);
  return async () => {
    if (stored === null) await keystore.delete(account);
    else await keystore.set(account, stored);
  };
}

/** Brings what this machine keeps of a vault, base and backups, under the new passphrase. */
export async function rekey(
  context: Context,
  repo: string,
  env: string,
  config: EnvConfig,
  old: string,
  next: string,
): Promise<void> {
  const [oldKeys, newKeys] = await Promise.all([keysOf(config, old), keysOf(config, next)]);
  try {
    await rekeyKeptBundles(statePaths(envStateFolder(context.host, repo, env)), oldKeys, newKeys);
  } finally {
    for (const keys of [oldKeys, newKeys]) wipe(keys.master, keys.sealKey, keys.chainKey);
  }
}

async function keysOf({ encryption }: EnvConfig, passphrase: string): Promise<VaultKeys> {
  return await deriveKeys(passphrase, encryption.salt, encryption.iterations);
}
