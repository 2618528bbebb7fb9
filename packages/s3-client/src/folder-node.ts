// A folder bucket (file://): one file for an object, read and never written. docs/formats.md section 10.
// Like all of the reader it is loaded at every start, and loads what it needs of Node only when it is used.

import { BundleCorruptError, S3UnreachableError, type VaultConfig } from "@vsync/envelope";
import {
  decodeFolderObject,
  type FolderObject,
  keyToPath,
  MAX_FOLDER_HEADER,
} from "@vsync/store/folder-object";
import type { Bucket } from "./bucket.ts";
import { readRegularFile } from "./regular-file-node.ts";

/** Enough for what HEAD is asked of, a manifest. */
const MAX_HEAD_BYTES = 64 * 1024;

export async function openFolder(config: VaultConfig): Promise<Bucket> {
  const folder = await bucketFolder(config);

  async function read(key: string, maxBytes: number): Promise<FolderObject | null> {
    const path = keyToPath(folder, key);
    if (path === null) return null;
    const file = await readRegularFile(path, MAX_FOLDER_HEADER + maxBytes).catch((error) => {
      if (isMissing(error)) return null;
      throw notReadable(error);
    });
    if (file === null) return missingKey(folder);
    if (file === "not a regular file") throw damaged("is not a regular file");
    const object =
      file === "too long" ? { damage: `is over the limit of ${maxBytes} bytes` } : decodeFolderObject(file);
    if ("damage" in object) throw damaged(object.damage);
    return object;
  }

  return {
    get: async (key, { maxBytes }) => {
      const object = await read(key, maxBytes);
      return object && { body: object.body, metadata: object.metadata, date: null, filtered: false };
    },
    head: async (key) => {
      const object = await read(key, MAX_HEAD_BYTES);
      return object && { metadata: object.metadata, date: null, filtered: false };
    },
    close: () => {},
  };
}

async function bucketFolder({ endpoint, bucket }: VaultConfig): Promise<string> {
  const { fileURLToPath } = await import("node:url");
  let parent: string | null = null;
  try {
    parent = fileURLToPath(endpoint);
  } catch {
    // Such as an encoded slash: no folder has that name.
  }
  if (parent === null || !/^[^/\\\0]+$/.test(bucket) || /^\.{1,2}$/.test(bucket)) {
    throw new BundleCorruptError(
      "VSYNC_CONFIG names a folder bucket that no folder can be; mint it again with `vsync runtime-token`",
    );
  }
  return `${parent}/${bucket}`;
}

/** A key that is not there, unless it is the bucket that is not. */
async function missingKey(folder: string): Promise<null> {
  const { stat } = await import("node:fs/promises");
  const bucket = await stat(folder).catch((error) => {
    if (isMissing(error)) return null;
    throw notReadable(error);
  });
  if (bucket?.isDirectory()) return null;
  throw new S3UnreachableError(
    "the vault's bucket is a folder that is not there; mount it, or correct endpoint and bucket and mint VSYNC_CONFIG again with `vsync runtime-token`",
  );
}

function isMissing(error: unknown): boolean {
  const { code } = error as { code?: unknown };
  return code === "ENOENT" || code === "ENOTDIR";
}

function notReadable(error: unknown): S3UnreachableError {
  const { code = "unknown error" } = error as { code?: string };
  const advice =
    code === "EACCES" || code === "EPERM" ? "let this user read it" : "check the disk that it lies on";
  return new S3UnreachableError(`the vault's bucket is a folder that cannot be read (${code}); ${advice}`, {
    cause: new Error(code),
  });
}

function damaged(damage: string): BundleCorruptError {
  return new BundleCorruptError(
    `a file of the vault's bucket folder ${damage}; \`vsync doctor\` on a writer's machine tells how to mend it`,
  );
}
