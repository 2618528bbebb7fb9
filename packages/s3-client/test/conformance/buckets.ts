// The two kinds of bucket that the corpus is served from. Nothing here needs a test runner: `pnpm conformance` has none.

import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { pathToFileURL } from "node:url";
import { encodeConfigBlob, type VaultConfig } from "@vsync/envelope";
import { encodeFolderHeader, keyToPath } from "@vsync/store/folder-object";
import { serveS3 } from "../s3-loopback.ts";

export interface Stored {
  readonly body: Uint8Array;
  readonly metadata: Record<string, string>;
}
export type Objects = Map<string, Stored>;

/** Serves the objects for as long as `use` takes. */
export type Serve = <T>(objects: Objects, use: (endpoint: string) => Promise<T>) => Promise<T>;

/** Keys of other vectors may still be deriving: nothing here is about how long it takes. */
export const TIMEOUT_MS = 60_000;

/** The bucket's name in both. */
export const BUCKET = "test-bucket";

export const serveOverHttp: Serve = async (objects, use) => {
  await using server = await serveS3(objects, undefined, BUCKET);
  return await use(server.endpoint);
};

export const serveFromFolder: Serve = async (objects, use) => {
  const folder = await mkdtemp(join(tmpdir(), "vsync-conformance-"));
  try {
    await mkdir(join(folder, BUCKET));
    for (const [key, { body, metadata }] of objects) {
      const path = keyToPath(join(folder, BUCKET), key) as string;
      await mkdir(dirname(path), { recursive: true });
      await writeFile(path, Buffer.concat([encodeFolderHeader(body, metadata), body]));
    }
    return await use(pathToFileURL(folder).href);
  } finally {
    await rm(folder, { recursive: true });
  }
};

const CREDENTIALS = { region: "eu-test-1", accessKeyId: "AKIDTEST", secretAccessKey: "secret" };

/** The blob for a vault that lies in one of them. */
export function blobFor(
  endpoint: string,
  vault: Pick<VaultConfig, "prefix" | "env" | "salt" | "iterations"> & Partial<VaultConfig>,
): Promise<string> {
  return encodeConfigBlob({ ...CREDENTIALS, ...vault, endpoint, bucket: BUCKET });
}
