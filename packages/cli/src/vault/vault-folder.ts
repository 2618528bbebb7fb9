// The vault folder as files to pack: regular files only, read as one state of the folder. docs/formats.md section 4.

import {
  type BigIntStats,
  closeSync,
  constants,
  fstatSync,
  lstatSync,
  openSync,
  readdirSync,
  readFileSync,
} from "node:fs";
import { join } from "node:path";
import {
  ARCHIVE_LIMITS,
  canonicalName,
  checkVaultNames,
  fromUtf8,
  InputRefusedError,
  nameProblem,
  type VaultFile,
} from "@vsync/envelope";
import { CliError } from "../cli-error.ts";
import type { FileStat, FolderIdentity, Ledger, Synced } from "./ledger.ts";

/** What the folder holds, without its contents. */
export interface Listing {
  readonly folder: FolderIdentity;
  /** By entry name: relative, `/`-separated, NFC. */
  readonly files: ReadonlyMap<string, ListedFile>;
}

export interface ListedFile extends FileStat {
  /** As the disk spells it. */
  readonly path: string;
  readonly executable: boolean;
}

const READING_ROUNDS = 4;

/**
 * The config's vault folder as an absolute path. Secrets are written into a folder inside the repository, and through
 * no link on the way to it: a repository could bring one along.
 */
export function resolveVaultFolder(root: string, folder: string): string {
  const parts = folder.split("/");
  const problem = nameProblem(canonicalName(folder));
  if (problem !== null) {
    const message = `the config names "${folder}" as vault folder, which cannot be one: ${problem}`;
    throw new CliError("INPUT", message, "vsync init <env> --edit --vault-folder infra/vault/<env>");
  }
  for (const [index] of parts.entries()) {
    const path = join(root, ...parts.slice(0, index + 1));
    if (!lstatSync(path, { throwIfNoEntry: false })?.isSymbolicLink()) continue;
    const hint =
      "put a real folder in its place, or choose another: vsync init <env> --edit --vault-folder <folder>";
    throw new CliError("INPUT", `${path} is a symbolic link; vsync follows none to secrets`, hint);
  }
  return join(root, ...parts);
}

/**
 * Lists a vault folder, or null when there is none. Refuses (INPUT) what a
 * vault cannot hold, naming the file: links, sockets, FIFOs, devices, names that some machine could not unpack.
 */
export function listVault(folder: string): Listing | null {
  const found = lstatSync(folder, { bigint: true, throwIfNoEntry: false });
  if (found === undefined) return null;
  if (found.isSymbolicLink()) {
    const hint =
      "put the folder itself in its place, or name the real one: vsync init <env> --edit --vault-folder <folder>";
    throw new CliError(
      "INPUT",
      `the vault folder ${folder} is a symbolic link; vsync follows none to secrets`,
      hint,
    );
  }
  if (!found.isDirectory()) {
    throw new CliError("INPUT", `the vault folder ${folder} is not a folder`, `move it away: ${folder}`);
  }
  const entries: [string, ListedFile][] = [];
  collect(folder, "", entries);
  checkNames(entries.map(([name]) => name));
  checkSize(folder, entries);
  return { folder: { path: folder, inode: `${found.dev}:${found.ino}` }, files: new Map(entries) };
}

/**
 * The folder's files as they all were at one moment: listed, read, and listed again with the same answer.
 * A file that keeps changing meanwhile is LOCAL_IO.
 */
export function readVault(listing: Listing): { listing: Listing; files: Map<string, VaultFile> } {
  let before = listing;
  for (let round = 1; ; round++) {
    const files = readListed(before);
    const after = listVault(listing.folder.path);
    const changed = after === null ? listing.folder.path : firstDifference(before, after);
    if (files !== null && after !== null && changed === null) return { listing: after, files };
    if (after === null || round === READING_ROUNDS) {
      const message = `${changed ?? listing.folder.path} changes while it is being read`;
      throw new CliError("LOCAL_IO", message, "close what writes to it, then run the same command again");
    }
    before = after;
  }
}

/** What the ledger keeps of a listing. */
export function recordListing(
  { folder, files }: Listing,
  nowMs: number,
): Pick<Synced, "folder" | "files" | "recordedAt"> {
  const stats = [...files].map(
    ([name, { size, mtimeNs, ctimeNs, inode }]) => [name, { size, mtimeNs, ctimeNs, inode }] as const,
  );
  return { folder, files: new Map(stats), recordedAt: nowMs };
}

/** What this very folder was last synced with; null when only others were. `path` is where it is, or would be. */
export function syncedHere(
  { synced, stateInode }: Ledger,
  listing: Listing | null,
  path: string,
): Synced | null {
  const here = synced.find(({ folder }) => folder.path === path) ?? null;
  if (listing === null || here?.folder.inode === listing.folder.inode) return here;
  const moved = synced.find((record) => hasMoved(record, listing));
  if (moved !== undefined || here === null) return moved ?? null;
  const isRemounted = numberOf(here.folder) === numberOf(listing.folder);
  const isCopiedWithState = here.folder.stateInode !== stateInode; // as from one disk to another
  // Any other folder, as from a backup, may be of another version: its edits would be taken for edits of this one.
  return listing.files.size === 0 || isRemounted || isCopiedWithState ? here : null;
}

// Without the device: a file system that is mounted again may be another one.
function numberOf({ inode }: FolderIdentity): string | undefined {
  return inode.split(":").at(-1);
}

export function sizeOf({ files }: Listing): { files: number; bytes: number } {
  return { files: files.size, bytes: [...files.values()].reduce((sum, { size }) => sum + size, 0) };
}

/** The first name that is not the same file, unchanged, in both; null when all are. */
export function firstDifference(a: Listing, b: Listing): string | null {
  for (const [name, file] of a.files) {
    const other = b.files.get(name);
    if (other === undefined || !isSameStat(file, other)) return name;
  }
  for (const name of b.files.keys()) if (!a.files.has(name)) return name;
  return null;
}

export function isSameStat(a: FileStat, b: FileStat): boolean {
  return a.size === b.size && a.mtimeNs === b.mtimeNs && a.ctimeNs === b.ctimeNs && a.inode === b.inode;
}

export function toFileStat(stat: BigIntStats): FileStat {
  return {
    size: Number(stat.size),
    mtimeNs: String(stat.mtimeNs),
    ctimeNs: String(stat.ctimeNs),
    inode: String(stat.ino),
  };
}

// The inode alone may have been given out again since; a file that was not touched is no coincidence.
function hasMoved({ folder, files }: Synced, listing: Listing): boolean {
  if (folder.inode !== listing.folder.inode) return false;
  return [...files].some(([name, stat]) => {
    const file = listing.files.get(name);
    return file !== undefined && isSameStat(file, stat);
  });
}

function collect(folder: string, prefix: string, into: [string, ListedFile][]): void {
  for (const raw of readdirSync(folder, { encoding: "buffer" })) {
    const spelled = fromUtf8(raw);
    if (spelled === null) {
      const message = `${prefix}${raw.toString("latin1")} in the vault folder has a name that is not UTF-8`;
      throw new CliError("INPUT", message, "rename the file");
    }
    const name = prefix + spelled.normalize("NFC");
    const path = join(folder, spelled);
    const stat = lstatSync(path, { bigint: true, throwIfNoEntry: false });
    if (stat === undefined) continue; // gone since the folder was read
    if (stat.isDirectory()) collect(path, `${name}/`, into);
    else if (stat.isFile())
      into.push([name, { ...toFileStat(stat), path, executable: (stat.mode & 0o100n) !== 0n }]);
    else throw refused(name, stat);
  }
}

function refused(name: string, stat: BigIntStats): CliError {
  const kind = stat.isSymbolicLink()
    ? "a symbolic link"
    : stat.isFIFO()
      ? "a FIFO"
      : stat.isSocket()
        ? "a socket"
        : "a device";
  return new CliError(
    "INPUT",
    `${name} is ${kind}; a vault holds regular files only`,
    `remove it from the vault folder, or put a regular file in its place`,
  );
}

function checkNames(names: readonly string[]): void {
  try {
    checkVaultNames(names);
  } catch (error) {
    if (!(error instanceof InputRefusedError)) throw error;
    throw new CliError("INPUT", error.message, "rename it, then run the same command again", {
      cause: error,
    });
  }
}

// Before the bytes are in memory; the archive would refuse them, and so would every reader.
function checkSize(folder: string, entries: readonly [string, ListedFile][]): void {
  const total = entries.reduce((sum, [, file]) => sum + file.size, 0);
  if (total <= ARCHIVE_LIMITS.maxUnpackedBytes) return;
  const [largest, file] = entries.reduce((a, b) => (b[1].size > a[1].size ? b : a));
  throw new CliError(
    "INPUT",
    `the vault folder ${folder} holds ${total} bytes; the limit is ${ARCHIVE_LIMITS.maxUnpackedBytes}`,
    `the largest file is ${largest} (${file.size} bytes): keep it elsewhere`,
  );
}

/** Null when a file is not the listed one any more. */
function readListed(listing: Listing): Map<string, VaultFile> | null {
  const files = new Map<string, VaultFile>();
  for (const [name, listed] of listing.files) {
    const bytes = readListedFile(listed);
    if (bytes === null) return null;
    files.set(name, { bytes, executable: listed.executable });
  }
  return files;
}

// O_NONBLOCK: opening a FIFO put in the file's place would otherwise wait for its writer forever.
function readListedFile(listed: ListedFile): Uint8Array | null {
  const { O_RDONLY, O_NOFOLLOW = 0, O_NONBLOCK = 0 } = constants;
  let file: number;
  try {
    file = openSync(listed.path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "ENOENT" || code === "ELOOP" || code === "ENXIO") return null;
    throw error;
  }
  try {
    if (!isSameStat(listed, toFileStat(fstatSync(file, { bigint: true })))) return null;
    return readFileSync(file);
  } finally {
    closeSync(file);
  }
}
