// Reads object files: each is opened once and judged by what was opened, since a rename may replace it meanwhile.

import { createHash } from "node:crypto";
import { constants } from "node:fs";
import { type FileHandle, open } from "node:fs/promises";
import { isErrno } from "./folder-error.ts";
import {
  decodeFolderHeader,
  decodeFolderObject,
  type FolderDamage,
  type FolderHeader,
  MAX_FOLDER_HEADER,
} from "./folder-object.ts";
import { type ObjectInfo, type StoredObject, StoreError } from "./object-store.ts";

// Without O_NONBLOCK the opening of a FIFO waits for a writer. Windows has neither flag.
const OPEN_FLAGS = constants.O_RDONLY | (constants.O_NOFOLLOW ?? 0) | (constants.O_NONBLOCK ?? 0);

const CHUNK = 1024 * 1024;

/** Runs `action` on the open file; null when there is none. Rejects with CORRUPT for what is not a regular file. */
export async function withFile<T>(path: string, action: (file: FileHandle) => Promise<T>): Promise<T | null> {
  let file: FileHandle;
  try {
    file = await open(path, OPEN_FLAGS);
  } catch (error) {
    if (isErrno(error, "ENOENT", "ENOTDIR")) return null;
    if (isErrno(error, "ENXIO")) throw damaged(path, { damage: "is not a regular file" });
    throw error;
  }
  try {
    if (!(await file.stat()).isFile()) throw damaged(path, { damage: "is not a regular file" });
    return await action(file);
  } finally {
    await file.close();
  }
}

export async function readObject(
  file: FileHandle,
  path: string,
  maxBytes: number,
  signal: AbortSignal | undefined,
): Promise<StoredObject> {
  const { size, mtime } = await file.stat();
  const header = await readHeader(file, path, size);
  if (header.size > maxBytes)
    throw new StoreError("TOO_LARGE", `${path} holds ${header.size} bytes, ${maxBytes} are allowed`, {
      hint: "is this the bucket and the prefix that were meant?",
    });
  const bytes = new Uint8Array(size);
  for (let at = 0; at < size; ) {
    signal?.throwIfAborted();
    const { bytesRead } = await file.read(bytes, at, Math.min(CHUNK, size - at), at);
    if (bytesRead === 0) throw damaged(path, { damage: "was cut while it was read" });
    at += bytesRead;
  }
  const object = decodeFolderObject(bytes);
  if ("damage" in object) throw damaged(path, object);
  const { body, etag, metadata } = object;
  return { body, etag, size: body.length, metadata, lastModified: mtime, date: null };
}

export async function readInfo(
  file: FileHandle,
  path: string,
  signal: AbortSignal | undefined,
): Promise<ObjectInfo> {
  const { size, mtime } = await file.stat();
  const header = await readHeader(file, path, size);
  const etag = await readEtag(file, signal);
  return { etag, size: header.size, metadata: header.metadata, lastModified: mtime, date: null };
}

/** The size in the header; null for a file that no store wrote. */
export async function readListed(file: FileHandle): Promise<{ size: number; lastModified: Date } | null> {
  const { size, mtime } = await file.stat();
  const header = decodeFolderHeader(await readStart(file, size));
  return "damage" in header ? null : { size: header.size, lastModified: mtime };
}

/** The SHA-256 of the whole file, which is not held in memory. */
export async function readEtag(file: FileHandle, signal: AbortSignal | undefined): Promise<string> {
  const hash = createHash("sha256");
  const chunk = new Uint8Array(CHUNK);
  for (let at = 0; ; ) {
    signal?.throwIfAborted();
    const { bytesRead } = await file.read(chunk, 0, chunk.length, at);
    if (bytesRead === 0) return hash.digest("hex");
    hash.update(chunk.subarray(0, bytesRead));
    at += bytesRead;
  }
}

async function readHeader(file: FileHandle, path: string, size: number): Promise<FolderHeader> {
  const header = decodeFolderHeader(await readStart(file, size));
  if ("damage" in header) throw damaged(path, header);
  // Before `maxBytes` is judged by the header: it must not lie about what would be read.
  if (size - header.length !== header.size)
    throw damaged(path, {
      damage: `holds ${size - header.length} bytes where its header says ${header.size}`,
    });
  return header;
}

async function readStart(file: FileHandle, size: number): Promise<Uint8Array> {
  const start = new Uint8Array(Math.min(size, MAX_FOLDER_HEADER));
  const { bytesRead } = await file.read(start, 0, start.length, 0);
  return start.subarray(0, bytesRead);
}

function damaged(path: string, { damage }: FolderDamage): StoreError {
  return new StoreError("CORRUPT", `the object file ${path} ${damage}`, {
    hint: "put it back from a backup, or from where the folder was carried from",
  });
}
