// Files and folders that only their owner may read, each written whole: docs/formats.md section 9.
// Everything here is synchronous, so that Ctrl-C (a JavaScript handler) finds a file wholly old or wholly new
// and no temporary file beside it.

import { randomUUID } from "node:crypto";
import {
  chmodSync,
  closeSync,
  constants,
  existsSync,
  fchmodSync,
  fstatSync,
  fsyncSync,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  statSync,
  unlinkSync,
  writeFileSync,
} from "node:fs";
import { basename, dirname, join } from "node:path";
import { CliError } from "../cli-error.ts";
import { shellWord } from "../shell-word.ts";

const FILE_MODE = 0o600;
const FOLDER_MODE = 0o700;
const OTHERS = 0o077;
const OTHERS_WRITE = 0o022;
const TEMPORARY_NAME = /^\.(.+)\.[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\.tmp$/;
const MAX_SIZE = 512 * 1024 * 1024;

/** Makes the folder and its missing parents, 0700 whatever the umask; refuses an existing one that others may write. */
export function ensurePrivateDir(path: string): void {
  if (!existsSync(dirname(path))) ensurePrivateDir(dirname(path));
  try {
    mkdirSync(path, FOLDER_MODE);
  } catch (error) {
    if (!isCode(error, "EEXIST")) throw error;
    if (process.platform !== "win32") checkPrivate(path, statSync(path), OTHERS_WRITE, "700");
    return;
  }
  chmodSync(path, FOLDER_MODE); // the umask may have taken bits that making the next folder in it needs
  syncDir(dirname(path));
}

/**
 * Writes the whole file or nothing: temporary file beside it, fsync, rename, fsync of the folder. The folder
 * must exist. What the path named before, a symbolic link included, is replaced and never followed.
 */
export function writePrivateFile(path: string, bytes: Uint8Array | string): void {
  const temporary = nameTemporary(path);
  try {
    writeNewFile(temporary, bytes);
    renameSync(temporary, path);
  } catch (error) {
    removeIfThere(temporary);
    throw error;
  }
  syncDir(dirname(path));
}

/** Writes a file that must not exist yet (EEXIST otherwise, for a dangling link too), 0600 and fsynced. */
export function createPrivateFile(path: string, bytes: Uint8Array | string): void {
  writeNewFile(path, bytes);
  syncDir(dirname(path));
}

/**
 * The bytes of a private file, or null when there is none. Refuses, with the command that mends it, what
 * somebody else could have read or written: secrets live in these files.
 */
export function readPrivateFile(path: string): Buffer | null {
  const file = openToRead(path);
  if (file === null) return null;
  try {
    const found = fstatSync(file);
    if (!found.isFile()) {
      throw new CliError(
        "LOCAL_IO",
        `${path} is not a regular file`,
        `look at it (ls -ld ${path}) and move it away`,
      );
    }
    if (found.size > MAX_SIZE) {
      throw new CliError(
        "LOCAL_IO",
        `${path} is ${found.size} bytes; no file of vsync is`,
        `move it away: ${path}`,
      );
    }
    if (process.platform !== "win32") {
      checkPrivate(path, found, OTHERS, "600");
      checkPrivate(dirname(path), statSync(dirname(path)), OTHERS_WRITE, "700");
    }
    return readFileSync(file);
  } finally {
    closeSync(file);
  }
}

/** Removes a file; it is fine when there is none. */
export function removePrivateFile(path: string): void {
  if (removeIfThere(path)) syncDir(dirname(path));
}

/** Beside the file that it will become. */
export function nameTemporary(path: string): string {
  return join(dirname(path), `.${basename(path)}.${randomUUID()}.tmp`);
}

/** Removes what a killed process left of writing files of this name, or any. Nobody else may be writing them. */
export function removeLeftovers(folder: string, of?: string): void {
  if (!existsSync(folder)) return;
  for (const name of readdirSync(folder)) {
    const target = TEMPORARY_NAME.exec(name)?.[1];
    if (target === undefined || (of !== undefined && of !== target)) continue;
    const path = join(folder, name);
    // A folder is none of ours, whatever its name.
    if (lstatSync(path, { throwIfNoEntry: false })?.isDirectory() === false) removeIfThere(path);
  }
}

/** Makes renames and new names in a folder durable. Windows cannot open folders and does not need it. */
export function syncDir(path: string): void {
  if (process.platform === "win32") return;
  const folder = openSync(path, constants.O_RDONLY);
  try {
    fsyncSync(folder);
  } catch (error) {
    throw namePath(error, path);
  } finally {
    closeSync(folder);
  }
}

/** Calls on an open file fail without saying on which: this says it, as the others do. */
export function namePath(error: unknown, path: string): unknown {
  if (error instanceof Error && "syscall" in error && !("path" in error)) {
    Object.assign(error, { path, message: `${error.message} '${path}'` });
  }
  return error;
}

function writeNewFile(path: string, bytes: Uint8Array | string): void {
  const file = openSync(path, "wx", FILE_MODE);
  try {
    fchmodSync(file, FILE_MODE); // an odd umask may have taken the owner's bits
    writeFileSync(file, bytes);
    fsyncSync(file);
  } catch (error) {
    removeIfThere(path);
    throw namePath(error, path);
  } finally {
    closeSync(file);
  }
}

// O_NONBLOCK: opening a FIFO put in the file's place would otherwise wait for its writer forever.
function openToRead(path: string): number | null {
  const { O_RDONLY, O_NOFOLLOW = 0, O_NONBLOCK = 0 } = constants;
  try {
    return openSync(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
  } catch (error) {
    if (isCode(error, "ENOENT")) return null;
    if (lstatSync(path, { throwIfNoEntry: false })?.isSymbolicLink()) {
      const hint = `look where it points (ls -l ${shellWord(path)}), then put a regular file of mode 0600 in its place`;
      throw new CliError("LOCAL_IO", `${path} is a symbolic link; vsync follows none to a secret`, hint);
    }
    throw error;
  }
}

function checkPrivate(
  path: string,
  found: { mode: number; uid: number },
  forbidden: number,
  wanted: string,
): void {
  const me = process.geteuid?.() ?? found.uid;
  if (found.uid !== me) {
    const hint = `look at what is in it; if it is yours: sudo chown ${me} ${shellWord(path)}`;
    throw new CliError("LOCAL_IO", `${path} belongs to another user (uid ${found.uid})`, hint);
  }
  if ((found.mode & forbidden) !== 0) {
    const mode = (found.mode & 0o777).toString(8).padStart(4, "0");
    throw new CliError(
      "LOCAL_IO",
      `${path} is open to other users (mode ${mode})`,
      `chmod ${wanted} ${shellWord(path)}`,
    );
  }
}

function removeIfThere(path: string): boolean {
  try {
    unlinkSync(path);
    return true;
  } catch (error) {
    if (isCode(error, "ENOENT")) return false;
    throw error;
  }
}

function isCode(error: unknown, code: string): boolean {
  return error instanceof Error && "code" in error && error.code === code;
}
