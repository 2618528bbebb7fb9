// Signs requests for one bucket of an S3 server, path-style, and hands them to our transport.

import { createHash, createHmac } from "node:crypto";
import { type Credentials, resolveCredentials } from "./credentials.ts";
import type { StoreLocation, StoreOptions } from "./open-store.ts";
import { type Answer, createTransport, type Exchange } from "./s3-transport.ts";
import { encodePath, encodeQuery, signRequest } from "./sigv4.ts";

export interface S3Request {
  readonly method: "GET" | "HEAD" | "PUT" | "DELETE";
  /** None: a request on the bucket itself. */
  readonly key?: string;
  readonly query?: Readonly<Record<string, string>>;
  /** Lower-case names. */
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Uint8Array;
}

export interface S3Client {
  /** One request, whatever its answer. Rejects when there is none, with what the network or the credentials reported. */
  send(request: S3Request, exchange: Exchange): Promise<Answer>;
  close(): void;
}

/** Temporary credentials are asked for anew so long before they expire. */
const RENEWAL_MS = 5 * 60_000;

const DIGESTS = {
  sha256Hex: (text: string): string => createHash("sha256").update(text).digest("hex"),
  hmacSha256: (key: Uint8Array, text: string): Uint8Array => createHmac("sha256", key).update(text).digest(),
};

export async function createClient(
  endpoint: URL,
  location: StoreLocation,
  options: StoreOptions,
): Promise<S3Client> {
  const { bucket, region } = location;
  const transport = await createTransport(endpoint, {
    connectMs: options.connectTimeoutMs ?? 10_000,
    silenceMs: options.silenceTimeoutMs ?? 20_000,
  });
  const credentials = rememberCredentials(() => resolveCredentials(location, options.env ?? process.env));
  const root = `${endpoint.pathname.replace(/\/+$/, "")}/${encodePath(bucket)}`;
  const { host } = endpoint;
  let isClosed = false;

  return {
    async send({ method, key, query, headers = {}, body }, exchange) {
      const request = {
        method,
        host,
        path: key === undefined ? root : `${root}/${encodePath(key)}`,
        ...(query !== undefined && { query: encodeQuery(query) }),
        headers: { ...headers, ...(body !== undefined && { "content-length": String(body.length) }) },
        ...(body !== undefined && { bodySha256: createHash("sha256").update(body).digest("hex") }),
      };
      if (isClosed) throw new Error("the store was closed");
      const signed = await signRequest(request, await credentials(), region, Date.now(), DIGESTS);
      return await transport.send({ ...request, headers: signed, body }, exchange);
    },
    close() {
      isClosed = true;
      transport.close();
    },
  };
}

/** Asks once, and again when what it got is about to expire, or was nothing. */
function rememberCredentials(ask: () => Promise<Credentials>): () => Promise<Credentials> {
  let known: Promise<Credentials> | null = null;
  const isFresh = ({ expiration }: Credentials): boolean =>
    expiration === undefined || expiration.getTime() - Date.now() > RENEWAL_MS;
  return async () => {
    if (known === null || !(await known.then(isFresh, () => false))) known = ask();
    return await known;
  };
}
