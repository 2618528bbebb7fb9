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
      return await readAnswer(response, maxBytes);
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

async function readAnswer(response: Response, maxBytes: number): Promise<S3Answer> {
  const headers = new Map<string, string>();
  response.headers.forEach((value, name) => {
    headers.set(name.toLowerCase(), value);
  });
  // What `fetch` has decoded has another length than was sent.
  const decoded = headers.has("content-encoding");
  const declared = decoded ? null : declaredLength(headers.get("content-length"));
  const body = await collectBody(chunksOf(response), declared, bodyLimit(response.status, maxBytes));
  return { status: response.status, headers, body, filtered: response.type === "cors" };
}

/** Not every runtime can iterate over a ReadableStream. */
async function* chunksOf(response: Response): AsyncGenerator<Uint8Array> {
  const reader = response.body?.getReader();
  if (reader === undefined) return;
  try {
    for (let chunk = await reader.read(); !chunk.done; chunk = await reader.read()) yield chunk.value;
  } finally {
    reader.releaseLock();
  }
}

/** A browser's cache could answer with yesterday's manifest; Workers of older compatibility dates throw on the field. */
function uncached(): { cache?: "no-store" } {
  return typeof Request === "function" && "cache" in Request.prototype ? { cache: "no-store" } : {};
}
