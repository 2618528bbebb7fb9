// A bucket on an S3 server (docs/formats.md section 10).

import { temporaryVariables } from "./credentials.ts";
import {
  checkMetadata,
  DEFAULT_MAX_BYTES,
  type ObjectInfo,
  type ObjectStore,
  type RequestOptions,
  StoreError,
  type WriteOptions,
  type WrittenObject,
} from "./object-store.ts";
import type { StoreLocation, StoreOptions } from "./open-store.ts";
import { answerError, parseError } from "./s3-answer.ts";
import { createClient, type S3Request } from "./s3-client.ts";
import { readListing } from "./s3-listing.ts";
import { createSender, type Plan } from "./s3-send.ts";
import type { Answer } from "./s3-transport.ts";

/** A listing of 1,000 keys of 1,024 bytes, all of them escaped, is 4 MB. */
const MAX_LISTING_BYTES = 16 * 1024 * 1024;

const METADATA = "x-amz-meta-";

export async function openS3Store(
  endpoint: URL,
  location: StoreLocation,
  options: StoreOptions,
): Promise<ObjectStore> {
  const { bucket, region } = location;
  if (!/^[A-Za-z0-9][A-Za-z0-9._-]{2,254}$/.test(bucket))
    throw new StoreError("REJECTED", `${JSON.stringify(bucket)} is not the name of a bucket`, {
      hint: "a bucket's name is 3 to 63 of a-z, 0-9, . and -, without s3:// and without a path",
    });
  const where = `${endpoint.href.replace(/\/+$/, "")}, bucket ${bucket}`;
  const env = options.env ?? process.env;
  const client = await createClient(endpoint, location, options);
  const send = createSender(client, {
    where,
    region,
    explainRegion: options.explainRegion,
    bypassedProfile: temporaryVariables(env) === null ? null : (location.awsProfile ?? null),
    proxyVariable: findProxyVariable(endpoint, env),
  });
  // Which spelling of an ETag this server has accepted in If-Match.
  let spelling: "quoted" | "bare" | null = null;

  async function write(
    key: string,
    body: Uint8Array,
    options: WriteOptions,
    condition: Readonly<Record<string, string>>,
  ): Promise<WrittenObject> {
    const metadata = options.metadata ?? {};
    checkMetadata(metadata);
    const fields = Object.entries(metadata).map(([name, value]) => [`${METADATA}${name}`, value]);
    const headers = {
      "content-type": "application/octet-stream",
      ...Object.fromEntries(fields),
      ...condition,
    };
    const { answer, attempt } = await send(
      { method: "PUT", key, headers, body },
      {
        doing: `write ${key}`,
        kind: Object.keys(condition).length > 0 ? "conditional write" : "write",
        signal: options.signal,
        onProgress: options.onProgress,
      },
    );
    const etag = readEtag(answer);
    // Some servers report late failures in the body of a 200.
    if (answer.status !== 200 || etag === null || parseError(answer).code !== "")
      throw answerError(answer, attempt, Date.now());
    return { etag };
  }

  async function headOrNull(key: string, { signal }: RequestOptions): Promise<ObjectInfo | null> {
    const plan: Plan = { doing: `read ${key}`, kind: "read", signal };
    const { answer, attempt } = await send({ method: "HEAD", key }, plan);
    if (answer.status === 404) return null;
    const size = answer.headers["content-length"];
    const info = readInfo(answer, Number(size));
    if (info === null || size === undefined)
      throw answerError((await askWhy(key, answer, signal)) ?? answer, attempt, Date.now());
    return info;
  }

  /** A refused HEAD has no body, so that it does not say why: the same refusal of a GET does. */
  async function askWhy(
    key: string,
    { status, headers }: Answer,
    signal: AbortSignal | undefined,
  ): Promise<Answer | null> {
    const isRefusal = status === 400 || status === 403 || (status >= 300 && status < 400);
    const named = headers["x-amz-bucket-region"] ?? region;
    if (!isRefusal || named !== region) return null;
    const request: S3Request = { method: "GET", key, headers: { range: "bytes=0-0" } };
    const plan: Plan = { doing: `read ${key}`, kind: "read", signal };
    const told = await send(request, plan).catch(() => null);
    return told?.answer.status === status ? told.answer : null;
  }

  return {
    description: where,

    async get(key, { maxBytes = DEFAULT_MAX_BYTES, signal, onProgress } = {}) {
      const plan: Plan = { doing: `read ${key}`, kind: "read", maxBytes, signal, onProgress };
      const { answer, attempt } = await send({ method: "GET", key }, plan);
      if (isMissingKey(answer)) return null;
      const info = readInfo(answer, answer.body.length);
      if (info === null) throw answerError(answer, attempt, Date.now());
      const encoding = answer.headers["content-encoding"];
      if (encoding !== undefined && encoding !== "identity")
        throw new StoreError(
          "CORRUPT",
          `cannot read ${key} (${where}): the answer came encoded as ${encoding}`,
          {
            hint: "turn off compression in the proxy before the server: nothing was stored that way",
            status: answer.status,
          },
        );
      return { ...info, body: answer.body };
    },

    head: (key, options = {}) => headOrNull(key, options),

    put: (key, body, options = {}) => write(key, body, options, {}),
    putIfAbsent: (key, body, options = {}) => write(key, body, options, { "if-none-match": "*" }),

    /**
     * Ceph and Spaces compare the header's text with an ETag that has no quotes, so that the right one, written as
     * HTTP has it, never matches. The other spelling is sent only when a HEAD after the 412 has shown that the object
     * still is what the caller read: then it was the spelling that lost, not the caller. Trying both without looking
     * would be an unconditional write on a server that ignores what it cannot parse, just when somebody else has won.
     * The second sending is conditional on the same ETag, so a write that comes between is still safe.
     */
    async putIfMatch(key, body, etag, options = {}) {
      const first = spelling ?? "quoted";
      try {
        const written = await write(key, body, options, { "if-match": spell(etag, first) });
        spelling = first;
        return written;
      } catch (error) {
        if (!(error instanceof StoreError && error.status === 412 && spelling === null)) throw error;
        const current = await headOrNull(key, options).catch(() => null);
        if (current?.etag !== etag) throw error;
      }
      const written = await write(key, body, options, { "if-match": spell(etag, "bare") });
      spelling = "bare";
      return written;
    },

    async *list(prefix, { signal } = {}) {
      let token: string | undefined;
      const asked = new Set<string>();
      do {
        const query = {
          "list-type": "2",
          prefix,
          "encoding-type": "url", // XML cannot hold every character of a key
          ...(token !== undefined && { "continuation-token": token }),
        };
        const plan: Plan = { doing: `list ${prefix}`, kind: "read", maxBytes: MAX_LISTING_BYTES, signal };
        const { answer, attempt } = await send({ method: "GET", query }, plan);
        const listing = answer.status === 200 ? readListing(answer.body, prefix) : null;
        // A server that repeats itself would never come to an end.
        if (listing === null || (listing.next !== undefined && asked.has(listing.next)))
          throw answerError(answer, attempt, Date.now());
        yield* listing.objects;
        token = listing.next;
        if (token !== undefined) asked.add(token);
      } while (token !== undefined);
    },

    async delete(key, { signal } = {}) {
      const plan: Plan = { doing: `delete ${key}`, kind: "write", signal };
      const { answer, attempt } = await send({ method: "DELETE", key }, plan);
      const done = answer.status === 204 || (answer.status === 200 && answer.body.length === 0);
      if (!done && !isMissingKey(answer)) throw answerError(answer, attempt, Date.now());
    },

    async close() {
      client.close();
    },
  };
}

/** A page of somebody else's says 404 as well, and so does S3 of a bucket: only S3's own words are believed. */
function isMissingKey(answer: Answer): boolean {
  return answer.status === 404 && !["", "NoSuchBucket"].includes(parseError(answer).code);
}

/** Without the quotes and the mark of a weak tag, which a proxy may have added: as the origin keeps it. */
function readEtag({ headers }: Answer): string | null {
  return /^(?:W\/)?"?([!#-~]+)"?$/.exec(headers.etag ?? "")?.[1] ?? null;
}

function spell(etag: string, spelling: "quoted" | "bare"): string {
  return spelling === "quoted" ? `"${etag}"` : etag;
}

function readInfo(answer: Answer, size: number): ObjectInfo | null {
  const etag = readEtag(answer);
  if (answer.status !== 200 || etag === null || !Number.isSafeInteger(size)) return null;
  const metadata = Object.entries(answer.headers)
    .filter(([name]) => name.startsWith(METADATA))
    .map(([name, value]) => [name.slice(METADATA.length), value]);
  return {
    etag,
    size,
    metadata: Object.fromEntries(metadata),
    lastModified: readDate(answer.headers["last-modified"]),
    date: readDate(answer.headers.date),
  };
}

function readDate(text: string | undefined): Date | null {
  const ms = Date.parse(text ?? "");
  return Number.isNaN(ms) ? null : new Date(ms);
}

function findProxyVariable(endpoint: URL, env: Readonly<Record<string, string | undefined>>): string | null {
  const names =
    endpoint.protocol === "https:" ? ["HTTPS_PROXY", "https_proxy"] : ["HTTP_PROXY", "http_proxy"];
  return [...names, "ALL_PROXY", "all_proxy"].find((name) => env[name]) ?? null;
}
