// What this machine remembers of an environment: how far its bucket had come, which holds for all checkouts of the
// repository, and what each one's vault folder was last synced with. docs/formats.md section 9. No digest of any secret
// is in it.

import { existsSync, statSync } from "node:fs";
import { dirname } from "node:path";
import { isCount, isRecord, readStateFile, writeStateFile } from "./state-file.ts";
import type { StatePaths } from "./state-paths.ts";

export interface Ledger {
  /** A seal was made or verified here before; from then on one is required. */
  readonly sealed: boolean;
  readonly highest: HighWater | null;
  /** The config's `minGen` that a person has accepted an older state against; 0: none. */
  readonly waivedMinGen: number;
  /** The last audit chain value seen. */
  readonly auditChain: string | null;
  /** One for each vault folder, the latest first. */
  readonly synced: readonly Synced[];
  /** Of the folder that this ledger lies in, as it is now; absent: it was not read from one. */
  readonly stateInode?: string;
}

/** The highest sealed generation seen: an older one is a rollback, and so is the same one by another writer. */
export interface HighWater {
  readonly generation: number;
  readonly writeId: string;
  readonly timestamp: string;
}

/** The version that a vault folder was last made equal to, and what its files then looked like. */
export interface Synced {
  readonly timestamp: string;
  readonly generation: number;
  readonly operation: string;
  readonly folder: FolderIdentity;
  /** Milliseconds: when the files were looked at. */
  readonly recordedAt: number;
  readonly files: FileStats;
}

export interface FolderIdentity {
  /** Without links. */
  readonly path: string;
  /** `<device>:<inode>`: every file system has inodes of the same numbers. */
  readonly inode: string;
  /** Of the state folder at that time: another one now tells that both were copied, as to a new disk. */
  readonly stateInode?: string;
}

/** By entry name. */
export type FileStats = ReadonlyMap<string, FileStat>;

/** Decimal strings where JSON's numbers would lose digits. */
export interface FileStat {
  readonly size: number;
  readonly mtimeNs: string;
  readonly ctimeNs: string;
  readonly inode: string;
}

const EMPTY: Ledger = { sealed: false, highest: null, waivedMinGen: 0, auditChain: null, synced: [] };
/** A disk may be plugged in again. */
const GONE_FOLDERS_KEPT = 10;

export function loadLedger(paths: StatePaths): Ledger {
  const damage = {
    loss: "without it vsync cannot tell whether the bucket was rolled back",
    hint: "then pull: it compares the folder with the bucket",
  };
  const ledger = readStateFile(paths.ledger, parseLedger, damage) ?? EMPTY;
  const folder = statSync(dirname(paths.ledger), { bigint: true, throwIfNoEntry: false });
  return folder === undefined ? ledger : { ...ledger, stateInode: String(folder.ino) };
}

export function saveLedger(paths: StatePaths, ledger: Ledger): void {
  const { sealed, highest, waivedMinGen, auditChain, synced } = ledger;
  writeStateFile(paths.ledger, {
    sealed,
    highest,
    waivedMinGen,
    auditChain,
    synced: synced.map(syncedToJson),
  });
}

/** A version that has proved genuine raises the high-water mark. */
export function withGenuine(ledger: Ledger, seen: HighWater): Ledger {
  const higher = ledger.highest === null || seen.generation > ledger.highest.generation;
  return { ...ledger, sealed: true, highest: higher ? seen : ledger.highest };
}

/** How far the bucket had come, by this ledger and the config's `minGen`; 0: nothing is known. */
export function knownGeneration(
  { minGen = 0 }: { readonly minGen?: number },
  { highest, waivedMinGen }: Ledger,
): number {
  // A person who accepted an older state has accepted it against the config as it was then, too.
  return Math.max(highest?.generation ?? 0, minGen > waivedMinGen ? minGen : 0);
}

/** Takes the place of what its folder was synced with before, and drops folders that are long gone. */
export function withSynced(ledger: Ledger, synced: Synced): Ledger {
  const others = ledger.synced.filter(({ folder }) => folder.path !== synced.folder.path);
  const dropped = others.filter(({ folder }) => !existsSync(folder.path)).slice(GONE_FOLDERS_KEPT);
  const kept = others.filter((other) => !dropped.includes(other));
  const { stateInode } = ledger;
  // A rotation hands over a record as it was: of the folder, and of the state folder at that time.
  const latest = stateInode === undefined ? synced : { ...synced, folder: { stateInode, ...synced.folder } };
  return { ...ledger, synced: [latest, ...kept] };
}

export function syncedToJson(synced: Synced): Record<string, unknown> {
  return { ...synced, files: [...synced.files].map(([name, stat]) => ({ name, ...stat })) };
}

/** Null when it is no such record. */
export function syncedFromJson(value: unknown): Synced | null {
  if (!isRecord(value) || !Array.isArray(value.files) || !value.files.every(isNamedStat)) return null;
  const { timestamp, generation, operation, folder, recordedAt } = value;
  const sound =
    typeof timestamp === "string" &&
    isCount(generation) &&
    typeof operation === "string" &&
    isFolderIdentity(folder) &&
    isCount(recordedAt);
  if (!sound) return null;
  const files = new Map(value.files.map(({ name, ...stat }) => [name, stat]));
  return { timestamp, generation, operation, folder, recordedAt, files };
}

function parseLedger(fields: Record<string, unknown>): Ledger | null {
  const { sealed, highest, waivedMinGen, auditChain } = fields;
  const synced = parseAllSynced(fields.synced);
  const sound =
    typeof sealed === "boolean" &&
    (highest === null || isHighWater(highest)) &&
    isCount(waivedMinGen) &&
    (auditChain === null || typeof auditChain === "string") &&
    synced !== null;
  return sound ? { sealed, highest, waivedMinGen, auditChain, synced } : null;
}

// Not a list: from when a machine remembered one vault folder.
function parseAllSynced(value: unknown): readonly Synced[] | null {
  const list = Array.isArray(value) ? value : value === null ? [] : [value];
  const all = list.map(syncedFromJson).filter((synced) => synced !== null);
  return all.length === list.length ? all : null;
}

function isFolderIdentity(value: unknown): value is FolderIdentity {
  if (!isRecord(value) || !["string", "undefined"].includes(typeof value.stateInode)) return false;
  return typeof value.path === "string" && typeof value.inode === "string";
}

function isHighWater(value: unknown): value is HighWater {
  return (
    isRecord(value) &&
    isCount(value.generation) &&
    typeof value.writeId === "string" &&
    typeof value.timestamp === "string"
  );
}

function isNamedStat(value: unknown): value is FileStat & { name: string } {
  return (
    isRecord(value) &&
    typeof value.name === "string" &&
    isCount(value.size) &&
    [value.mtimeNs, value.ctimeNs, value.inode].every((digits) => typeof digits === "string")
  );
}
