// The reader's half of an object store: get and head. docs/formats.md section 10.

import type { Metadata, VaultConfig } from "@vsync/envelope";
import { openFolder, openTransport } from "#transport";
import { openS3 } from "./s3-bucket.ts";

export interface ObjectHead {
  readonly metadata: Metadata;
  /** The server's clock, in milliseconds. */
  readonly date: number | null;
  /** A browser has left out the metadata that the bucket's CORS rules do not expose. */
  readonly filtered: boolean;
}

export interface FetchedObject extends ObjectHead {
  readonly body: Uint8Array;
}

export interface GetOptions {
  /** A longer object is BundleCorruptError, and is not read. */
  readonly maxBytes: number;
  readonly signal: AbortSignal;
}

/** Every failure but "no such key" is an S3UnreachableError; a HEAD cannot tell a missing bucket from a missing key. */
export interface Bucket {
  get(key: string, options: GetOptions): Promise<FetchedObject | null>;
  head(key: string, signal: AbortSignal): Promise<ObjectHead | null>;
  close(): void;
}

export async function openBucket(config: VaultConfig, fetch?: typeof globalThis.fetch): Promise<Bucket> {
  const endpoint = new URL(config.endpoint);
  if (endpoint.protocol === "file:") return openFolder(config);
  return openS3(config, endpoint, await openTransport(endpoint, fetch));
}
