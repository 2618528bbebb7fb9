// Replacing the vault folder whole: built beside it, then swapped in by two renames, with a journal by which the next
// command finishes or undoes what a crash interrupted. docs/formats.md section 9.

import { randomBytes } from "node:crypto";
import {
  chmodSync,
  closeSync,
  constants,
  existsSync,
  fchmodSync,
  fsyncSync,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  renameSync,
  rmdirSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { basename, dirname, join } from "node:path";
import type { VaultFile, VaultFiles } from "@vsync/envelope";
import { CliError } from "../cli-error.ts";
import { namePath, removePrivateFile, syncDir } from "../config/private-file.ts";
import { shellWord } from "../shell-word.ts";
import { keepBase, pruneBases } from "./kept-bundles.ts";
import { loadLedger, type Synced, saveLedger, syncedFromJson, syncedToJson, withSynced } from "./ledger.ts";
import { type AuditIntent, auditIntentFromJson } from "./pending.ts";
import { readStateFile, writeStateFile } from "./state-file.ts";
import type { StatePaths } from "./state-paths.ts";
import { firstDifference, type Listing, listVault, recordListing } from "./vault-folder.ts";

export interface Replacement {
  /** Absolute. */
  readonly folder: string;
  /** What stands there and may be replaced; null: nothing does. Anything newer stops the swap. */
  readonly before: Listing | null;
  readonly files: VaultFiles;
  readonly becomes: SyncedVersion | Edits;
  readonly audit: AuditIntent | null;
  now(): number;
}

/** The folder becomes equal to a version from the bucket, whose bundle becomes the base. */
export interface SyncedVersion extends Pick<Synced, "timestamp" | "generation" | "operation"> {
  readonly bundle: Uint8Array;
}

/** The folder gets other files than the version that it was last synced with, which stays its base. */
export interface Edits {
  readonly of: Synced;
}

/** The journal. */
interface Swap {
  /** Absolute. */
  readonly folder: string;
  /** Beside it: holds `new` until the swap and `old` after it. */
  readonly staging: string;
  /** Null while `new` is being built; then what the ledger says once it has taken the folder's place. */
  readonly synced: Synced | null;
  readonly audit: AuditIntent | null;
  /** It is finished or undone; what could not be removed is all that is left to do. */
  readonly settled: boolean;
}

/** A swap that an earlier command left half done, and what became of it now. */
export interface RecoveredSwap {
  readonly folder: string;
  readonly finished: { readonly synced: Synced; readonly audit: AuditIntent | null } | null;
}

/**
 * Replaces the folder, or throws and leaves it as it was: LOCAL_CHANGES when it is not `before` any more.
 * PARTIAL: it is replaced, and what is left to tidy up waits for the next command.
 */
export function replaceFolder(paths: StatePaths, replacement: Replacement): Synced {
  const { folder, before, audit } = replacement;
  const parent = dirname(folder);
  mkdirSync(parent, { recursive: true });
  const staging = join(parent, `.vsync-${basename(folder)}-${randomBytes(8).toString("hex")}`);
  const waiting = loadSwap(paths);
  if (waiting?.settled === false) throw waitsElsewhere(paths, waiting);
  let swap: Swap = { folder, staging, synced: null, audit, settled: false };
  let synced: Synced;
  try {
    saveSwap(paths, swap);
    synced = build(paths, swap, replacement);
    swap = { ...swap, synced };
    saveSwap(paths, swap);
    exchange(swap, before);
  } catch (error) {
    undo(paths, swap);
    throw error;
  }
  complete(paths, swap, synced);
  return synced;
}

/**
 * Finishes a swap whose new folder is in place, undoes any other. Null when there was none to settle. `vaultFolder`:
 * where it is now. What cannot be done stops no command that comes after; `warn` has it, and what to do.
 */
export function recoverSwap(
  paths: StatePaths,
  vaultFolder: string,
  warn: (text: string) => void,
): RecoveredSwap | null {
  const found = loadSwap(paths);
  if (found === null) return null;
  const swap = atItsPlace(found, vaultFolder);
  const { folder, staging, synced, audit } = swap;
  if (!existsSync(dirname(staging))) {
    warn(
      `what a pull into ${folder} left unfinished waits: ${dirname(folder)} is not there any more. If the repository was moved, any vsync command on this environment in it finishes or undoes that; if it is gone for good: rm ${shellWord(paths.swap)}`,
    );
    return null;
  }
  const finished = synced !== null && isInPlace(swap) ? { synced, audit } : null;
  if (!swap.settled) {
    if (finished === null) putBack(swap);
    else saveLedger(paths, withSynced(loadLedger(paths), finished.synced));
    pruneBases(paths);
  }
  try {
    removeStaging(staging);
    removePrivateFile(paths.swap);
  } catch (error) {
    if (!swap.settled) saveSwap(paths, { ...swap, settled: true });
    warn(
      `${staging}, which may hold what a pull replaced, cannot be removed (${(error as Error).message}): ${removal(staging, error)}`,
    );
  }
  return swap.settled ? null : { folder, finished };
}

// Its random name tells a staging folder that was moved, with the repository around it.
function atItsPlace(swap: Swap, vaultFolder: string): Swap {
  const staging = join(dirname(vaultFolder), basename(swap.staging));
  if (existsSync(swap.staging) || !existsSync(staging)) return swap;
  const { synced } = swap;
  const moved = synced && { ...synced, folder: { ...synced.folder, path: vaultFolder } };
  return { ...swap, folder: vaultFolder, staging, synced: moved };
}

/** Only the journal leads back to what it was about to replace. */
function waitsElsewhere(paths: StatePaths, { folder }: Swap): CliError {
  return new CliError(
    "CONFLICT",
    `a pull into ${folder}, which was moved or removed since, is not finished`,
    `run any vsync command on this environment where that repository is now; if it is gone for good: rm ${shellWord(paths.swap)}   then run the same command again`,
  );
}

function build(paths: StatePaths, { folder, staging }: Swap, { files, becomes, now }: Replacement): Synced {
  mkdirSync(staging, { mode: 0o700 });
  // Beside a vault folder is not where the repository's ignore rules look.
  writeFileSync(join(staging, ".gitignore"), "*\n", { flag: "wx", mode: 0o600 });
  const fresh = join(staging, "new");
  writeTree(fresh, files);
  syncDir(staging);
  const recorded = recordListing(listVault(fresh)!, now());
  const identity = { ...recorded.folder, path: folder };
  if ("of" in becomes) return { ...becomes.of, folder: identity };
  const { bundle, ...version } = becomes;
  keepBase(paths, version.timestamp, bundle);
  return { ...version, ...recorded, folder: identity };
}

// What was edited until the very rename is in `old` and stops the swap: nobody has agreed to lose it.
function exchange({ folder, staging }: Swap, before: Listing | null): void {
  const old = join(staging, "old");
  if (before !== null) {
    renameSync(folder, old);
    const edited = firstDifference(before, listVault(old)!);
    if (edited !== null) throw editedMeanwhile(edited);
  } else if (existsSync(folder)) {
    throw editedMeanwhile(folder);
  }
  renameSync(join(staging, "new"), folder);
  syncDir(staging);
  syncDir(dirname(folder));
}

/** The swap has happened; from here on nothing undoes it, and each step can be taken twice. */
function complete(paths: StatePaths, { staging }: Swap, synced: Synced): void {
  const attempt = (step: () => void, hintFor: (error: unknown) => string): void => {
    try {
      step();
    } catch (error) {
      const message = `the vault folder is replaced, but not all is tidied up: ${(error as Error).message}`;
      throw new CliError("PARTIAL", message, hintFor(error), { cause: error });
    }
  };
  const goOn = () =>
    `put that right, then run any vsync command on this environment; until then ${staging} may hold what was there before`;
  attempt(() => {
    saveLedger(paths, withSynced(loadLedger(paths), synced));
    pruneBases(paths);
  }, goOn);
  attempt(
    () => removeStaging(staging),
    (error) => `what was there before is still on the disk; to remove it: ${removal(staging, error)}`,
  );
  attempt(() => removePrivateFile(paths.swap), goOn);
}

function undo(paths: StatePaths, swap: Swap): void {
  putBack(swap);
  pruneBases(paths);
  removeStaging(swap.staging);
  removePrivateFile(paths.swap);
}

function putBack(swap: Swap): void {
  const { folder, staging } = swap;
  const old = join(staging, "old");
  if (isInPlace(swap)) renameSync(folder, join(staging, "new"));
  if (existsSync(old)) {
    makeWay(folder, old);
    renameSync(old, folder);
  }
}

/** With the folders that somebody took the owner's permissions from. */
function removeStaging(staging: string): void {
  try {
    rmSync(staging, { recursive: true, force: true });
  } catch {
    openFolders(staging);
    rmSync(staging, { recursive: true, force: true });
  }
}

function openFolders(folder: string): void {
  chmodSync(folder, 0o700);
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    if (entry.isDirectory()) openFolders(join(folder, entry.name));
  }
}

/** The owner's permissions are not what is missing: what is somebody else's only root removes. */
function removal(staging: string, error: unknown): string {
  const { code } = error as NodeJS.ErrnoException;
  return `${code === "EACCES" || code === "EPERM" ? "sudo " : ""}rm -r ${shellWord(staging)}`;
}

// The inode tells the new folder from the old one, whatever was moved or removed since. Its device is that of the
// folder it lies in, as it was when it was built beside it; the device's number may be another one after a restart.
function isInPlace({ folder, synced }: Swap): boolean {
  const found = lstatSync(folder, { bigint: true, throwIfNoEntry: false });
  if (synced === null || found === undefined) return false;
  const { dev } = lstatSync(dirname(folder), { bigint: true });
  return found.dev === dev && synced.folder.inode.endsWith(`:${found.ino}`);
}

// Between the two renames there is no vault folder; somebody may have made one since.
function makeWay(folder: string, old: string): void {
  const found = lstatSync(folder, { throwIfNoEntry: false });
  if (found === undefined) return;
  if (found.isDirectory() && readdirSync(folder).length === 0) {
    rmdirSync(folder);
    return;
  }
  throw new CliError(
    "LOCAL_IO",
    `a pull was interrupted, the vault folder as it was before is ${old}, and ${folder} was made anew since`,
    `move ${folder} away and run the same command again: it puts the earlier one back`,
  );
}

function writeTree(root: string, files: VaultFiles): void {
  const folders = new Set([root]);
  mkdirSync(root, { mode: 0o700 });
  for (const [name, file] of files) {
    const path = join(root, ...name.split("/"));
    for (const folder of missingFolders(dirname(path), folders)) {
      mkdirSync(folder, { mode: 0o700 });
      folders.add(folder);
    }
    writeVaultFile(path, file);
  }
  for (const folder of folders) syncDir(folder);
}

/** Outermost first. */
function missingFolders(folder: string, made: ReadonlySet<string>): string[] {
  return made.has(folder) ? [] : [...missingFolders(dirname(folder), made), folder];
}

function writeVaultFile(path: string, { bytes, executable }: VaultFile): void {
  const { O_WRONLY, O_CREAT, O_EXCL } = constants;
  const mode = executable ? 0o700 : 0o600;
  const file = openSync(path, O_WRONLY | O_CREAT | O_EXCL, mode);
  try {
    fchmodSync(file, mode); // an odd umask may have taken the owner's bits
    writeFileSync(file, bytes);
    fsyncSync(file);
  } catch (error) {
    throw namePath(error, path);
  } finally {
    closeSync(file);
  }
}

function editedMeanwhile(name: string): CliError {
  return new CliError(
    "LOCAL_CHANGES",
    `${name} was edited while the pull was under way; nothing was changed`,
    "run the same command again",
  );
}

function saveSwap(paths: StatePaths, swap: Swap): void {
  writeStateFile(paths.swap, { ...swap, synced: swap.synced && syncedToJson(swap.synced) });
}

function loadSwap(paths: StatePaths): Swap | null {
  const damage = {
    loss: "it says how far an interrupted pull had come",
    hint: "then look for a .vsync-* folder beside the vault folder: `old` in it is the vault folder as it was",
  };
  return readStateFile(paths.swap, parseSwap, damage);
}

function parseSwap(fields: Record<string, unknown>): Swap | null {
  const { folder, staging } = fields;
  const synced = fields.synced === null ? null : syncedFromJson(fields.synced);
  const audit = fields.audit === null ? null : auditIntentFromJson(fields.audit);
  const settled = fields.settled ?? false; // earlier versions did not write it
  const sound =
    typeof folder === "string" &&
    typeof staging === "string" &&
    typeof settled === "boolean" &&
    (synced !== null || fields.synced === null) &&
    (audit !== null || fields.audit === null);
  return sound ? { folder, staging, synced, audit, settled } : null;
}
