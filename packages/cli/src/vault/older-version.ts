// A version other than the one the manifest names, from the bucket's history: docs/formats.md section 6, "Rotation".

import {
  openBundle,
  readGeneration,
  sealBundle,
  type VaultFiles,
  WrongPassphraseError,
} from "@vsync/envelope";
import { CliError } from "../cli-error.ts";
import type { Environment } from "./environment.ts";
import { knownEncryptions, openAsOfThen } from "./put-aside.ts";
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
  let refusal: unknown;
  const files = await openAsOfThen(oldPassphrase, knownEncryptions(local.paths, config), async (keys) => {
    return await openBundle(keys, found.body, open).catch((error: unknown) => {
      if (!(error instanceof WrongPassphraseError)) throw error;
      refusal = error;
      return null;
    });
  });
  if (files === null) throw refusal;
  return { timestamp, generation, files, bundle: (await sealBundle(remote.keys, timestamp, files)).bytes };
}

function fromBeforeRotation(env: string, timestamp: string, command: string): CliError {
  return new CliError(
    "WRONG_PASSPHRASE",
    `version ${timestamp} of ${env} does not open with the passphrase in force: it is older than the last rotation or take-over, or damaged`,
    `${command} --old-passphrase-file <file with the passphrase of its time>   (the last one: vsync passphrase show ${env} --replaced --out <file>)`,
  );
}
