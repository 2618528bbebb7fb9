// The keys of environments for a command that looks and changes nothing: where there are none, that is a finding.

import { deriveKeys, type VaultKeys, wipe } from "@vsync/envelope";
import { toCliError } from "../cli-error.ts";
import type { EnvConfig } from "../config/env-config.ts";
import { keyAccount } from "../config/paths.ts";
import type { Context } from "../context.ts";
import { openKeystore } from "../keys/keystore.ts";
import { passphraseFromVariables } from "../keys/passphrase.ts";

export interface KeyAccess {
  /** For messages: "the Secret Service", "VSYNC_PASSPHRASE". */
  readonly description: string;
  /** Variables stand in for the keystore, which is not asked. */
  readonly fromVariables: boolean;
  /** A keystore that does not answer, asked once; null: it answers, or was not asked. */
  problem(): Unusable | null;
  passphrase(repo: string, env: string): Promise<string | null>;
  /** Every account in the keystore; null when it is not in use or does not answer. */
  accounts(): Promise<readonly string[] | null>;
}

export interface Unusable {
  readonly message: string;
  readonly hint: string;
}

export async function openKeyAccess(context: Context): Promise<KeyAccess> {
  const given = await passphraseFromVariables(context);
  const keystore = await openKeystore(context.host);
  let problem: Unusable | null = null;
  // A locked keychain may keep one waiting; nobody waits for it twice.
  const ask = async <T>(question: () => Promise<T>): Promise<T | null> => {
    if (problem !== null) return null;
    try {
      return await question();
    } catch (error) {
      problem = toCliError(error);
      return null;
    }
  };
  return {
    description: given?.source ?? keystore.description,
    fromVariables: given !== null,
    problem: () => problem,
    passphrase: async (repo, env) => given?.text ?? (await ask(() => keystore.get(keyAccount(repo, env)))),
    accounts: async () => (given === null ? await ask(() => keystore.list()) : null),
  };
}

/** Derives the keys at most once, when they are first needed, and wipes them at the end. */
export async function withLazyKeys<T>(
  { encryption }: EnvConfig,
  passphrase: string | null,
  work: (keys: () => Promise<VaultKeys | null>) => Promise<T>,
): Promise<T> {
  let derived: Promise<VaultKeys> | null = null;
  const keys = async (): Promise<VaultKeys | null> => {
    if (passphrase === null) return null;
    derived ??= deriveKeys(passphrase, encryption.salt, encryption.iterations);
    return await derived;
  };
  try {
    return await work(keys);
  } finally {
    const made = await (derived as Promise<VaultKeys> | null)?.catch(() => null);
    if (made) wipe(made.master, made.sealKey, made.chainKey);
  }
}
