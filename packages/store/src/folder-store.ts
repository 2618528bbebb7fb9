// A bucket in a folder: one file for an object, replaced whole or not at all (docs/formats.md section 10).

import { createHash } from "node:crypto";
import { mkdirSync, renameSync, unlinkSync } from "node:fs";
import { lstat, mkdir, open, readdir, rm } from "node:fs/promises";
import { dirname } from "node:path";
import { fileURLToPath } from "node:url";
import { folderError, isErrno } from "./folder-error.ts";
import { withFolderLock } from "./folder-lock.ts";
import { encodeFolderHeader, nameToPart } from "./folder-object.ts";
import { checkBucket, findPlace, linkInTheWay, type Place } from "./folder-path.ts";
import { readEtag, readInfo, readListed, readObject, withFile } from "./folder-read.ts";
import {
  checkMetadata,
  DEFAULT_MAX_BYTES,
  type ListedObject,
  type ObjectStore,
  StoreError,
  type WriteOptions,
  type WrittenObject,
} from "./object-store.ts";
import type { StoreOptions } from "./open-store.ts";
import { nameForTemporary } from "./process-name.ts";
import { clearAbandoned } from "./rename-lock.ts";

/** The store's own folder in the bucket's: no key has this name, since `@` would have been encoded. */
const OWN_FOLDER = "@vsync";

/** What must hold of the object's ETag (null: no object) at the moment of writing. */
type Condition = (etag: string | null) => boolean;

/** Rejects with REJECTED when the endpoint's path or the bucket's name cannot be used. */
export async function openFolderStore(
  endpoint: URL,
  bucket: string,
  options: StoreOptions,
): Promise<ObjectStore> {
  const root = bucketFolder(endpoint, bucket);
  if (options.createBucket) {
    await mkdir(root, { recursive: true, mode: 0o700 }).catch((error: unknown) => {
      throw folderError(error, `make the folder bucket ${root}`, undefined);
    });
  }
  const own = `${root}/${OWN_FOLDER}`;
  const lock = `${own}/lock`;
  const patienceMs = options.lockTimeoutMs;

  async function write(
    key: string,
    body: Uint8Array,
    options: WriteOptions,
    condition: Condition,
  ): Promise<WrittenObject> {
    const metadata = options.metadata ?? {};
    checkMetadata(metadata);
    const signal = options.signal;
    const temporary = `${own}/temp.${nameForTemporary()}`;
    let renamed = false;
    try {
      signal?.throwIfAborted();
      refuseTaken(key, await findPlace(root, key));
      await prepareOwnFolder(own);
      const header = encodeFolderHeader(body, metadata);
      await writeDurably(temporary, [header, body]);
      await withFolderLock(
        lock,
        async () => {
          const place = await findPlace(root, key);
          refuseTaken(key, place);
          const current = await withFile(place.path, (file) => readEtag(file, signal));
          if (!condition(current)) throw lost(key, current);
          await makeFolders(place.folders);
          renameSync(temporary, place.path);
          renamed = true;
          await syncFolder(dirname(place.path));
        },
        { signal, patienceMs },
      );
      return { etag: createHash("sha256").update(header).update(body).digest("hex") };
    } catch (error) {
      await rm(temporary, { force: true }).catch(() => undefined); // the first error is the one to report
      throw folderError(error, `write ${key} in ${root}`, signal, renamed ? "unknown" : "no");
    }
  }

  /** Runs `action` on the open file of an object; null when there is no such object. */
  async function read<T>(
    key: string,
    signal: AbortSignal | undefined,
    action: (file: Parameters<typeof readEtag>[0], path: string) => Promise<T>,
  ): Promise<T | null> {
    try {
      signal?.throwIfAborted();
      const place = await findPlace(root, key);
      return place.found === "object" ? await withFile(place.path, (file) => action(file, place.path)) : null;
    } catch (error) {
      throw folderError(error, `read ${key} in ${root}`, signal);
    }
  }

  return {
    description: `folder ${root}`,
    get: (key, { maxBytes = DEFAULT_MAX_BYTES, signal } = {}) =>
      read(key, signal, (file, path) => readObject(file, path, maxBytes, signal)),
    head: (key, { signal } = {}) => read(key, signal, (file, path) => readInfo(file, path, signal)),
    put: (key, body, options = {}) => write(key, body, options, () => true),
    putIfAbsent: (key, body, options = {}) => write(key, body, options, (current) => current === null),
    putIfMatch: (key, body, etag, options = {}) => write(key, body, options, (current) => current === etag),

    async *list(prefix, { signal } = {}) {
      try {
        await checkBucket(root);
        yield* listFolder(root, "", prefix, signal);
      } catch (error) {
        throw folderError(error, `list ${prefix} in ${root}`, signal);
      }
    },

    async delete(key, { signal } = {}) {
      let unlinked = false;
      try {
        if ((await findPlace(root, key)).found !== "object") return;
        await prepareOwnFolder(own);
        await withFolderLock(
          lock,
          async () => {
            const place = await findPlace(root, key);
            if (place.found !== "object") return;
            unlinkSync(place.path);
            unlinked = true;
            await syncFolder(dirname(place.path));
          },
          { signal, patienceMs },
        );
      } catch (error) {
        throw folderError(error, `delete ${key} in ${root}`, signal, unlinked ? "unknown" : "no");
      }
    },

    close: () => Promise.resolve(),
  };
}

function bucketFolder(endpoint: URL, bucket: string): string {
  let folder: string;
  try {
    folder = fileURLToPath(endpoint);
  } catch (cause) {
    throw new StoreError("REJECTED", `the endpoint ${endpoint.href} names no folder on this machine`, {
      hint: "write it as file:///absolute/path",
      cause,
    });
  }
  if (!/^[^/\\\0]+$/.test(bucket) || /^\.{1,2}$/.test(bucket))
    throw new StoreError("REJECTED", `the bucket ${JSON.stringify(bucket)} is not the name of a folder`, {
      hint: `use one name; it becomes a folder in ${folder}`,
    });
  return `${folder.replace(/\/+$/, "")}/${bucket}`;
}

/** Depth first in byte order of the keys: a folder sorts as its name with the `/` that its keys go on with. */
async function* listFolder(
  folder: string,
  base: string,
  prefix: string,
  signal: AbortSignal | undefined,
): AsyncGenerator<ListedObject> {
  const entries = await readdir(folder, { withFileTypes: true }).catch((error: unknown) => {
    if (isErrno(error, "ENOENT")) return []; // deleted meanwhile
    throw error;
  });
  const found: { key: string; bytes: Buffer; name: string }[] = [];
  for (const entry of entries) {
    const part = nameToPart(entry.name);
    if (part === null || !(entry.isFile() || entry.isDirectory())) continue;
    const key = entry.isDirectory() ? `${base}${part}/` : `${base}${part}`;
    if (key.startsWith(prefix) || (entry.isDirectory() && prefix.startsWith(key)))
      found.push({ key, bytes: Buffer.from(key), name: entry.name });
  }
  found.sort((a, b) => Buffer.compare(a.bytes, b.bytes));
  for (const { key, name } of found) {
    signal?.throwIfAborted();
    if (key.endsWith("/")) yield* listFolder(`${folder}/${name}`, key, prefix, signal);
    else {
      // Desktops and file carriers leave files of their own (.DS_Store): without a header they are no objects.
      const listed = await withFile(`${folder}/${name}`, readListed);
      if (listed !== null) yield { key, ...listed };
    }
  }
}

function refuseTaken(key: string, place: Place): void {
  if (place.found !== "taken") return;
  throw new StoreError(
    "REJECTED",
    `a folder bucket cannot hold ${key}: a part of it is a file and a folder at once`,
    {
      hint: "use a prefix that is not itself the key of an object, nor the beginning of another prefix",
    },
  );
}

function lost(key: string, current: string | null): StoreError {
  return new StoreError(
    "PRECONDITION_FAILED",
    current === null
      ? `${key} is not there any more`
      : `${key} is there already, or has changed since it was read`,
    { hint: "read it again" },
  );
}

/** Makes the store's own folder, and clears it of what killed processes left. */
async function prepareOwnFolder(own: string): Promise<void> {
  try {
    mkdirSync(own, { mode: 0o700 });
  } catch (error) {
    if (!isErrno(error, "EEXIST")) throw error;
  }
  if (!(await lstat(own)).isDirectory()) throw linkInTheWay(own);
  clearAbandoned(own);
}

async function writeDurably(path: string, parts: readonly Uint8Array[]): Promise<void> {
  const file = await open(path, "wx", 0o600);
  try {
    for (const part of parts) await file.appendFile(part);
    await file.sync();
  } finally {
    await file.close();
  }
}

/** All but the first, which is the bucket's own. */
async function makeFolders(folders: readonly string[]): Promise<void> {
  for (const folder of folders.slice(1)) {
    try {
      mkdirSync(folder, { mode: 0o700 });
      await syncFolder(dirname(folder));
    } catch (error) {
      if (!isErrno(error, "EEXIST")) throw error;
    }
  }
}

/** Makes a name in `folder` outlast a power failure. Windows cannot, and does it by itself. */
async function syncFolder(folder: string): Promise<void> {
  if (process.platform === "win32") return;
  const handle = await open(folder, "r");
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
