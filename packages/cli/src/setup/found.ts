// What this machine has of an environment when a command begins to set it up, and whether it still has that when the
// command comes to change it: between the two a bucket is asked, which can take as long as it likes.

import { existsSync, rmdirSync, rmSync } from "node:fs";
import { dirname } from "node:path";
import { isDeepStrictEqual } from "node:util";
import { CliError } from "../cli-error.ts";
import { type EnvConfig, loadEnvConfig } from "../config/env-config.ts";
import { envStateFolder, keyAccount, type Names } from "../config/paths.ts";
import { ensurePrivateDir, readPrivateFile } from "../config/private-file.ts";
import type { Host } from "../host.ts";
import type { Keystore } from "../keys/keystore.ts";
import { acquireLock } from "../vault/lock.ts";
import { remembersNothing } from "../vault/put-aside.ts";
import { statePaths } from "../vault/state-paths.ts";

export interface Found {
  readonly config: EnvConfig | null;
  /** Null: the keystore is left alone. */
  readonly keystore: Keystore | null;
  /** What the keystore has in force. */
  readonly key: string | null;
  /** The journal of a rotation that is under way or was cut short. */
  readonly rotation: string | null;
}

export async function findEnvironment(
  host: Host,
  keystore: Keystore | null,
  { repo, env }: Names,
): Promise<Found> {
  const key = (await keystore?.get(keyAccount(repo, env))) ?? null;
  const journal = readPrivateFile(statePaths(envStateFolder(host, repo, env)).rotation);
  return {
    config: loadEnvConfig(host, repo, env),
    keystore,
    key,
    rotation: journal?.toString("utf8") ?? null,
  };
}

/**
 * Runs `work` while no other vsync on this machine is at work on the environment, and only if all of it is still as it
 * was found: a key that was right then would otherwise replace one that a rotation has brought into force since.
 */
export async function whileAsFound<T>(
  host: Host,
  names: Names,
  found: Found,
  work: () => Promise<T>,
): Promise<T> {
  return await whileLocked(host, names, async () => {
    if (isDeepStrictEqual(await findEnvironment(host, found.keystore, names), found)) return await work();
    throw new CliError(
      "CONFLICT",
      `another vsync has changed the config or the passphrase of ${names.env} on this machine meanwhile`,
      "run the same command again: it looks at what is there now",
    );
  });
}

/** Runs `work` while no other vsync on this machine is at work on the environment. */
export async function whileLocked<T>(host: Host, { repo, env }: Names, work: () => Promise<T>): Promise<T> {
  const state = envStateFolder(host, repo, env);
  const missing = missingFolders(state);
  ensurePrivateDir(state);
  const lock = acquireLock(statePaths(state).lock);
  try {
    return await work();
  } catch (error) {
    if (missing.length > 0 && remembersNothing(statePaths(state))) {
      rmSync(state, { recursive: true, force: true });
      removeEmpty(missing.slice(1));
    }
    throw error;
  } finally {
    lock.release();
  }
}

/** The folder and those above it, as far as they are not there. */
function missingFolders(folder: string): readonly string[] {
  return existsSync(folder) ? [] : [folder, ...missingFolders(dirname(folder))];
}

function removeEmpty(folders: readonly string[]): void {
  try {
    for (const folder of folders) rmdirSync(folder);
  } catch {
    // Another environment's state has come into it.
  }
}
