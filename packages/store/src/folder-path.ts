// From a key to a file that is certainly inside the bucket's folder: no link on the way is ever followed.

import type { Stats } from "node:fs";
import { lstat, stat } from "node:fs/promises";
import { isErrno } from "./folder-error.ts";
import { keyToNames } from "./folder-object.ts";
import { StoreError } from "./object-store.ts";

/** What lies where a key's file belongs. */
export interface Place {
  readonly path: string;
  /** The folders from the bucket's down to the file's, outermost first; those behind a missing one are missing. */
  readonly folders: readonly string[];
  /**
   * `taken`: a folder is where the file belongs, or a file where one of its folders does, because the bucket holds
   * `a/b` and the key is `a`, or the other way round. No such object exists, and none can be written.
   */
  readonly found: "object" | "nothing" | "taken";
}

/** Rejects with BUCKET_MISSING, or REJECTED for a key that has no file name and for a link. */
export async function findPlace(root: string, key: string): Promise<Place> {
  const names = keyToNames(key);
  if (names === null)
    throw new StoreError("REJECTED", `a folder bucket cannot hold the key ${JSON.stringify(key)}`, {
      hint: "use a prefix without empty parts and without parts of more than 255 bytes",
    });
  await checkBucket(root);
  const folders = [root];
  let path = root;
  let found: Place["found"] = "object";
  for (const [index, name] of names.entries()) {
    path = `${path}/${name}`;
    const last = index === names.length - 1;
    if (!last) folders.push(path);
    if (found !== "object") continue;
    const stats = await lstatOrNull(path);
    if (stats === null) found = "nothing";
    else if (stats.isSymbolicLink()) throw linkInTheWay(path);
    else if (last ? stats.isDirectory() : !stats.isDirectory()) found = "taken";
  }
  return { path, folders, found };
}

/** The bucket's own folder may be a link: that is the path its owner gave. */
export async function checkBucket(root: string): Promise<void> {
  const stats = await stat(root).catch((error: unknown) => {
    if (isErrno(error, "ENOENT", "ENOTDIR")) return null;
    throw error;
  });
  if (stats?.isDirectory()) return;
  throw new StoreError("BUCKET_MISSING", `there is no folder bucket ${root}`, {
    hint: "check the endpoint and the bucket; if the folder lies on a disk or a share, is it mounted?",
  });
}

export function linkInTheWay(path: string): StoreError {
  return new StoreError("REJECTED", `${path} in the folder bucket is a link, and vsync follows none there`, {
    hint: "put the file or folder itself in its place",
  });
}

async function lstatOrNull(path: string): Promise<Stats | null> {
  try {
    return await lstat(path);
  } catch (error) {
    if (isErrno(error, "ENOENT", "ENOTDIR")) return null;
    throw error;
  }
}
