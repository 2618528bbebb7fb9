// A version other than the one the manifest names, from the bucket's history: docs/formats.md section 6, "Rotation".

import {
  deriveKeys,
  openBundle,
  readGeneration,
  sealBundle,
  type VaultFiles,
  type VaultKeys,
  WrongPassphraseError,
  wipe,
} from "@vsync/envelope";
import { CliError } from "../cli-error.ts";
import type { EnvConfig } from "../config/env-config.ts";
import type { Environment } from "./environment.ts";
import { knownEncryptions } from "./put-aside.ts";
import { getBundle } from "./remote.ts";

export interface FetchedVersion {
  readonly timestamp: string;
  /** Of a version that no manifest vouches for: what its bundle's metadata claims. */
  readonly generation: number;
  readonly files: VaultFiles;
  /** Under the passphrase in force, whatever it was under in the bucket. */
  readonly bundle: Uint8Array;
}

/**
 * `oldPassphrase`: the one of that version's time, when it is older than the last rotation or take-over. `command` is what was
 * typed to get it, for the hint.
 */
export async function fetchOlderVersion(
  { remote, local, config }: Pick<Environment, "remote" | "local" | "config">,
  timestamp: string,
  oldPassphrase: string | null,
  command: string,
): Promise<FetchedVersion> {
  const { env } = remote;
  const found = await getBundle(remote, timestamp);
  if (found === null) {
    throw new CliError(
      "INPUT",
      `${env} has no version ${timestamp}`,
      `vsync versions ${env}   lists those there are`,
    );
  }
  const generation = readGeneration(found.metadata) ?? 0;
  const open = { timestamp, sealed: false };
  if (oldPassphrase === null) {
    const files = await openBundle(remote.keys, found.body, open).catch((error: unknown) => {
      throw error instanceof WrongPassphraseError ? fromBeforeRotation(env, timestamp, command) : error;
    });
    return { timestamp, generation, files, bundle: found.body };
  }
  const files = await openUnderAny(oldPassphrase, knownEncryptions(local.paths, config), (keys) =>
    openBundle(keys, found.body, open),
  );
  return { timestamp, generation, files, bundle: (await sealBundle(remote.keys, timestamp, files)).bytes };
}

/** A take-over brings another salt: the passphrase of before it opens only with the salt of before it. */
async function openUnderAny(
  passphrase: string,
  encryptions: readonly EnvConfig["encryption"][],
  open: (keys: VaultKeys) => Promise<VaultFiles>,
): Promise<VaultFiles> {
  let refusal: unknown;
  for (const { salt, iterations } of encryptions) {
    const keys = await deriveKeys(passphrase, salt, iterations);
    try {
      return await open(keys);
    } catch (error) {
      if (!(error instanceof WrongPassphraseError)) throw error;
      refusal = error;
    } finally {
      wipe(keys.master, keys.sealKey, keys.chainKey);
    }
  }
  throw refusal;
}

function fromBeforeRotation(env: string, timestamp: string, command: string): CliError {
  return new CliError(
    "WRONG_PASSPHRASE",
    `version ${timestamp} of ${env} does not open with the passphrase in force: it is older than the last rotation or take-over, or damaged`,
    `${command} --old-passphrase-file <file with the passphrase of its time>   (the last one: vsync passphrase show ${env} --replaced --out <file>)`,
  );
}
