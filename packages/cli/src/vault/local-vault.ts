// The vault folder for commands that do not ask the bucket.

import { existsSync } from "node:fs";
import { deriveKeys, type VaultKeys, wipe } from "@vsync/envelope";
import type { Context } from "../context.ts";
import { requirePassphrase } from "../keys/passphrase.ts";
import { type Located, locate } from "./located.ts";

/**
 * As locate, but what a crash interrupted is settled first: the vault folder may lie aside, or another passphrase than
 * the stored one be in force.
 */
export async function locateVault(context: Context, env: string): Promise<Located> {
  const located = locate(context, env);
  const { setup, swap, rotation } = located.paths;
  if (![setup, swap, rotation].some((journal) => existsSync(journal))) return located;
  const { settleSetup, withEnvironment } = await import("./environment.ts");
  await settleSetup(context, { repo: located.repository.name, env });
  if (existsSync(swap) || existsSync(rotation)) await withEnvironment(context, env, async () => undefined);
  return locate(context, env);
}

/** Runs `work` with the environment's keys, and without its bucket. */
export async function withVaultKeys<T>(
  context: Context,
  { repository, env, config }: Located,
  work: (keys: VaultKeys) => Promise<T>,
): Promise<T> {
  const { salt, iterations } = config.encryption;
  const { text } = await requirePassphrase(context, repository.name, env);
  const keys = await deriveKeys(text, salt, iterations);
  try {
    return await work(keys);
  } finally {
    wipe(keys.master, keys.sealKey, keys.chainKey);
  }
}
