// A version other than the one the manifest names, from the bucket's history: docs/formats.md section 6, "Rotation".

import {
  deriveKeys,
  openBundle,
  readGeneration,
  sealBundle,
  type VaultFiles,
  WrongPassphraseError,
  wipe,
} from "@vsync/envelope";
import { CliError } from "../cli-error.ts";
import type { EnvConfig } from "../config/env-config.ts";
import { getBundle, type Remote } from "./remote.ts";

export interface FetchedVersion {
  readonly timestamp: string;
  /** Of a version that no manifest vouches for: what its bundle's metadata claims. */
  readonly generation: number;
  readonly files: VaultFiles;
  /** Under the passphrase in force, whatever it was under in the bucket. */
  readonly bundle: Uint8Array;
}

/**
 * `oldPassphrase`: the one of that version's time, when it is older than the last rotation. `command` is what was
 * typed to get it, for the hint.
 */
export async function fetchOlderVersion(
  remote: Remote,
  timestamp: string,
  { salt, iterations }: EnvConfig["encryption"],
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
  const oldKeys = await deriveKeys(oldPassphrase, salt, iterations);
  try {
    const files = await openBundle(oldKeys, found.body, open);
    return { timestamp, generation, files, bundle: (await sealBundle(remote.keys, timestamp, files)).bytes };
  } finally {
    wipe(oldKeys.master, oldKeys.sealKey, oldKeys.chainKey);
  }
}

function fromBeforeRotation(env: string, timestamp: string, command: string): CliError {
  return new CliError(
    "WRONG_PASSPHRASE",
    `version ${timestamp} of ${env} does not open with the passphrase in force: it is older than the last rotation, or damaged`,
    `${command} --old-passphrase-file <file with the passphrase of its time>   (the last one: vsync passphrase show ${env} --replaced --out <file>)`,
  );
}
