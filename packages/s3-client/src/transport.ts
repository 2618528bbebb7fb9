// What the reader needs of HTTP. transport-node.ts and transport-web.ts each provide `openTransport` and `openFolder`;
// package.json's "#transport" import picks one, so nothing else here knows where it runs.

import { concat } from "@vsync/envelope";
import { transferCutShort } from "./network-failure.ts";

export interface S3Request {
  readonly method: "GET" | "HEAD";
  /** Percent-encoded and exactly as signed. */
  readonly path: string;
  /** Signed; `host`, which is signed as well, is for the transport to send. */
  readonly headers: Readonly<Record<string, string>>;
  readonly maxBytes: number;
  readonly signal: AbortSignal;
}

export interface S3Answer {
  /** 0: a redirect that a browser hides. */
  readonly status: number;
  /** By lower-case name. */
  readonly headers: ReadonlyMap<string, string>;
  /** null: longer than it may be, so that it was not read (which ends the operation, and that the connection). */
  readonly body: Uint8Array | null;
  /** A browser has left out the headers that the bucket's CORS rules do not expose. */
  readonly filtered: boolean;
}

export interface Transport {
  /** Follows no redirect and tries nothing twice. Rejects with S3UnreachableError. */
  send(request: S3Request): Promise<S3Answer>;
  close(): void;
}

/** Longest body that is read of an answer without an object: an error document of S3 has some 300 bytes. */
const MAX_ERROR_BYTES = 16 * 1024;

export function bodyLimit(status: number, maxBytes: number): number {
  return status === 200 ? maxBytes : Math.min(maxBytes, MAX_ERROR_BYTES);
}

/** The declared length of a body, or null when there is none or it is no length. */
export function declaredLength(contentLength: string | undefined): number | null {
  return contentLength !== undefined && /^\d{1,15}$/.test(contentLength) ? Number(contentLength) : null;
}

/**
 * The whole body, or null as soon as it is known to be longer than `limit`. A declared length is allocated once and
 * has to be met: some HTTP clients hand over what came before a broken connection as if it were everything. A chunk is
 * not looked at again when the next has come.
 */
export async function collectBody(
  chunks: AsyncIterable<Uint8Array>,
  declared: number | null,
  limit: number,
): Promise<Uint8Array | null> {
  if (declared !== null && declared > limit) return null;
  const whole = declared === null ? null : new Uint8Array(declared);
  const parts: Uint8Array[] = [];
  let received = 0;
  for await (const chunk of chunks) {
    const end = received + chunk.length;
    if (end > limit) return null;
    if (whole === null) parts.push(chunk.slice());
    else if (end > whole.length) throw transferCutShort(end, whole.length);
    else whole.set(chunk, received);
    received = end;
  }
  if (whole === null) return concat(parts);
  if (received !== whole.length) throw transferCutShort(received, whole.length);
  return whole;
}
