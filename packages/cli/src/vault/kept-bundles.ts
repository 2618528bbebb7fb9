// The encrypted bundles kept on this machine: bases (what vault folders were last synced with) and backups (what pulls
// replaced). Each is named after its version or time, so that checkouts at one version have one base.
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
import { listPutAside } from "./put-aside.ts";
import { getBundle, type Remote } from "./remote.ts";
import type { StatePaths } from "./state-paths.ts";

const BACKUPS_KEPT = 10;

/** The files of a version that was synced here, from this machine or else from the bucket; null when neither can tell. */
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
  const bundle = readPrivateFile(basePath(paths, timestamp)) ?? readPrivateFile(paths.formerBase);
  return await tryOpen(keys, bundle, timestamp);
}

/** Whether its bundle is here, whatever it opens with. */
export function isBaseKept(paths: StatePaths, timestamp: string): boolean {
  return existsSync(basePath(paths, timestamp));
}

/** Keeps a version's bundle until no folder is at that version: pruneBases, once the ledger says who is at which. */
export function keepBase(paths: StatePaths, timestamp: string, bundle: Uint8Array): void {
  ensurePrivateDir(paths.bases);
  writePrivateFile(basePath(paths, timestamp), bundle);
}

/** The same with the bundle in the file `from`; if it is not there any more it is kept already. */
export function installBase(paths: StatePaths, from: string, timestamp: string): void {
  ensurePrivateDir(paths.bases);
  try {
    renameSync(from, basePath(paths, timestamp));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
  }
  syncDir(paths.bases);
  syncDir(dirname(from));
}

/** Drops the bases that no folder is at any more. */
export function pruneBases(paths: StatePaths): void {
  const inUse = new Set(loadLedger(paths).synced.map(({ timestamp }) => timestamp));
  for (const timestamp of listBundles(paths.bases)) {
    if (!inUse.has(timestamp)) removePrivateFile(basePath(paths, timestamp));
  }
}

/** Gives the base of before its name, while the ledger still knows one folder only. */
export function adoptFormerBase(paths: StatePaths): void {
  if (!existsSync(paths.formerBase)) return;
  const [synced] = loadLedger(paths).synced;
  if (synced !== undefined) installBase(paths, paths.formerBase, synced.timestamp);
  removePrivateFile(paths.formerBase);
}

/** Keeps the files encrypted, as one more backup. Returns its path. */
export async function saveBackup(
  paths: StatePaths,
  keys: VaultKeys,
  files: VaultFiles,
  nowMs: number,
): Promise<string> {
  ensurePrivateDir(paths.backups);
  // Later than all others, also those put aside, even when the clock has jumped back: the newest by name was made last.
  const others = [paths, ...listPutAside(paths).map((aside) => aside.paths)].flatMap(listBackups);
  const timestamp = nextTimestamp(nowMs, others.sort().at(-1) ?? null);
  const path = backupPath(paths, timestamp);
  writePrivateFile(path, (await sealBundle(keys, timestamp, files)).bytes);
  return path;
}

/** The path of the newest backup under these keys whose files are the same; null: there is none. */
export async function findBackup(
  paths: StatePaths,
  keys: VaultKeys,
  isSame: (files: VaultFiles) => boolean,
): Promise<string | null> {
  for (const timestamp of listBackups(paths).reverse()) {
    const files = await loadBackup(paths, keys, timestamp);
    if (files !== null && isSame(files)) return backupPath(paths, timestamp);
  }
  return null;
}

/** Drops all but the newest ten, and returns their timestamps. */
export function pruneBackups(paths: StatePaths): readonly string[] {
  const old = listBackups(paths).slice(0, -BACKUPS_KEPT);
  for (const timestamp of old) removePrivateFile(backupPath(paths, timestamp));
  return old;
}

/** Encrypts bases and backups anew, those that open under the old keys; safe to be done twice. */
export async function rekeyKeptBundles(paths: StatePaths, from: VaultKeys, to: VaultKeys): Promise<void> {
  const kept = [
    ...listBackups(paths).map((timestamp) => ({ path: backupPath(paths, timestamp), timestamp })),
    ...listBundles(paths.bases).map((timestamp) => ({ path: basePath(paths, timestamp), timestamp })),
  ];
  for (const { path, timestamp } of kept) {
    const files = await tryOpen(from, readPrivateFile(path), timestamp);
    if (files !== null) writePrivateFile(path, (await sealBundle(to, timestamp, files)).bytes);
  }
}

/** Timestamps, oldest first. */
export function listBackups(paths: StatePaths): string[] {
  return listBundles(paths.backups);
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

function basePath(paths: StatePaths, timestamp: string): string {
  return join(paths.bases, `${timestamp}.rqe1`);
}

function listBundles(folder: string): string[] {
  if (!existsSync(folder)) return [];
  const names = readdirSync(folder).map((name) => name.replace(/\.rqe1$/, ""));
  return names.filter((name) => parseTimestamp(name) !== null).sort();
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
