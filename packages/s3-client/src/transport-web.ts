// HTTP where there is no node: module (Workers, Edge, browsers), and wherever a caller brings a `fetch`.

import { S3UnreachableError, type VaultConfig } from "@vsync/envelope";
import type { Bucket } from "./bucket.ts";
import { connectionFailed } from "./network-failure.ts";
import {
  bodyLimit,
  collectBody,
  declaredLength,
  type S3Answer,
  type S3Request,
  type Transport,
} from "./transport.ts";

const CHUNK_BYTES = 256 * 1024;

export async function openTransport(
  endpoint: URL,
  fetch: typeof globalThis.fetch = globalThis.fetch,
): Promise<Transport> {
  async function send({ method, path, headers, maxBytes, signal }: S3Request): Promise<S3Answer> {
    const url = new URL(path, endpoint);
    if (url.pathname !== path) {
      throw new S3UnreachableError(
        "this runtime cannot ask for the vault's prefix as it is signed: it would rewrite `.` or `..` in it; use another prefix",
      );
    }
    try {
      const response = await fetch(url.href, { method, headers, signal, redirect: "manual", ...uncached() });
      return await readAnswer(response, maxBytes, fetch === globalThis.fetch);
    } catch (error) {
      throw connectionFailed(error);
    }
  }

  return { send, close: () => {} };
}

export async function openFolder(_config: VaultConfig): Promise<Bucket> {
  throw new S3UnreachableError(
    "the vault's endpoint is a folder (file://), and this runtime has no files; use a bucket, or run on Node, Bun or Deno",
  );
}

async function readAnswer(response: Response, maxBytes: number, isNative: boolean): Promise<S3Answer> {
  const headers = new Map<string, string>();
  response.headers.forEach((value, name) => {
    headers.set(name.toLowerCase(), value);
  });
  // What `fetch` has decoded has another length than was sent.
  const decoded = headers.has("content-encoding");
  const declared = decoded ? null : declaredLength(headers.get("content-length"));
  const body = await collectBody(
    chunksOf(response, isNative),
    declared,
    bodyLimit(response.status, maxBytes),
  );
  return { status: response.status, headers, body, filtered: response.type === "cors" };
}

/** Each chunk may be overwritten by the next. Not every runtime can iterate over a ReadableStream. */
async function* chunksOf({ body }: Response, isNative: boolean): AsyncGenerator<Uint8Array> {
  if (body === null) return;
  const reader: ChunkReader = isNative ? openReader(body) : body.getReader();
  let buffer = new ArrayBuffer(CHUNK_BYTES);
  try {
    for (;;) {
      const { done, value } = await reader.read(buffer);
      if (done || value === undefined) return;
      yield value;
      buffer = value.buffer as ArrayBuffer;
    }
  } finally {
    reader.releaseLock();
  }
}

interface ChunkReader {
  /** The buffer is the reader's from now on; that of the chunk may be it. */
  read(buffer: ArrayBuffer): Promise<{ done: boolean; value?: Uint8Array | undefined }>;
  releaseLock(): void;
}

/** Into one buffer again and again, where the runtime can: otherwise a body leaves garbage as long as itself. */
function openReader(body: NonNullable<Response["body"]>): ChunkReader {
  try {
    const reader = body.getReader({ mode: "byob" });
    return {
      read: (buffer) => reader.read(new Uint8Array(buffer)),
      releaseLock: () => reader.releaseLock(),
    };
  } catch {
    return body.getReader();
  }
}

/** A browser's cache could answer with yesterday's manifest; Workers of older compatibility dates throw on the field. */
function uncached(): { cache?: "no-store" } {
  return typeof Request === "function" && "cache" in Request.prototype ? { cache: "no-store" } : {};
}
