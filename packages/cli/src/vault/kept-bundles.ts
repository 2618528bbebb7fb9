// The encrypted bundles kept on this machine: the base (what was last synced) and backups (what pulls replaced).
// docs/formats.md section 9.

import { existsSync, readdirSync, renameSync } from "node:fs";
import { dirname, join } from "node:path";
import {
  nextTimestamp,
  openBundle,
  parseTimestamp,
  sealBundle,
  type VaultFiles,
  type VaultKeys,
  VSyncError,
} from "@vsync/envelope";
import {
  ensurePrivateDir,
  readPrivateFile,
  removePrivateFile,
  syncDir,
  writePrivateFile,
} from "../config/private-file.ts";
import { loadLedger } from "./ledger.ts";
import { getBundle, type Remote } from "./remote.ts";
import type { StatePaths } from "./state-paths.ts";

const BACKUPS_KEPT = 10;

/** The files of the version last synced, from this machine or else from the bucket; null when neither can tell. */
export async function loadBase(
  paths: StatePaths,
  remote: Remote,
  timestamp: string,
): Promise<VaultFiles | null> {
  const kept = await loadKeptBase(paths, remote.keys, timestamp);
  if (kept !== null) return kept;
  const found = await getBundle(remote, timestamp);
  return await tryOpen(remote.keys, found?.body ?? null, timestamp);
}

/** The same from this machine alone. */
export async function loadKeptBase(
  paths: StatePaths,
  keys: VaultKeys,
  timestamp: string,
): Promise<VaultFiles | null> {
  return await tryOpen(keys, readPrivateFile(paths.base), timestamp);
}

/** Makes the bundle in the file `from` the base; if it is not there any more it already is. */
export function installBase(paths: StatePaths, from: string): void {
  try {
    renameSync(from, paths.base);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
  }
  syncDir(dirname(paths.base));
}

/** Keeps the files encrypted, as one more backup. Returns its path. */
export async function saveBackup(
  paths: StatePaths,
  keys: VaultKeys,
  files: VaultFiles,
  nowMs: number,
): Promise<string> {
  ensurePrivateDir(paths.backups);
  // Later than all others even when the clock has jumped back: the newest by name is the one that was made last.
  const timestamp = nextTimestamp(nowMs, listBackups(paths).at(-1) ?? null);
  const path = backupPath(paths, timestamp);
  writePrivateFile(path, (await sealBundle(keys, timestamp, files)).bytes);
  return path;
}

/** Drops all but the newest ten. Only once the folder is replaced: until then an old one may be what it is to become. */
export function pruneBackups(paths: StatePaths): void {
  for (const old of listBackups(paths).slice(0, -BACKUPS_KEPT)) removePrivateFile(backupPath(paths, old));
}

/** Encrypts base and backups anew, those that open under the old keys; safe to be done twice. */
export async function rekeyKeptBundles(paths: StatePaths, from: VaultKeys, to: VaultKeys): Promise<void> {
  const { synced } = loadLedger(paths);
  const kept = listBackups(paths).map((timestamp) => ({ path: backupPath(paths, timestamp), timestamp }));
  if (synced !== null) kept.push({ path: paths.base, timestamp: synced.timestamp });
  for (const { path, timestamp } of kept) {
    const files = await tryOpen(from, readPrivateFile(path), timestamp);
    if (files !== null) writePrivateFile(path, (await sealBundle(to, timestamp, files)).bytes);
  }
}

/** Timestamps, oldest first. */
export function listBackups(paths: StatePaths): string[] {
  if (!existsSync(paths.backups)) return [];
  const names = readdirSync(paths.backups).map((name) => name.replace(/\.rqe1$/, ""));
  return names.filter((name) => parseTimestamp(name) !== null).sort();
}

/** A backup's files; null when it is not there, or not under these keys. */
export async function loadBackup(
  paths: StatePaths,
  keys: VaultKeys,
  timestamp: string,
): Promise<VaultFiles | null> {
  return await tryOpen(keys, readPrivateFile(backupPath(paths, timestamp)), timestamp);
}

export function backupPath(paths: StatePaths, timestamp: string): string {
  return join(paths.backups, `${timestamp}.rqe1`);
}

async function tryOpen(
  keys: VaultKeys,
  bytes: Uint8Array | null,
  timestamp: string,
): Promise<VaultFiles | null> {
  if (bytes === null) return null;
  try {
    return await openBundle(keys, bytes, { timestamp, sealed: false });
  } catch (error) {
    if (error instanceof VSyncError) return null; // another version, another passphrase, damage: no base
    throw error;
  }
}
