// A bucket on an S3 server, through the AWS SDK (docs/formats.md section 10).

import {
  DeleteObjectCommand,
  GetObjectCommand,
  HeadObjectCommand,
  ListObjectsV2Command,
  type ListObjectsV2CommandOutput,
  PutObjectCommand,
} from "@aws-sdk/client-s3";
import { temporaryVariables } from "./credentials.ts";
import {
  checkMetadata,
  DEFAULT_MAX_BYTES,
  type ListedObject,
  type ObjectInfo,
  type ObjectStore,
  type RequestOptions,
  StoreError,
  type WriteOptions,
  type WrittenObject,
} from "./object-store.ts";
import type { StoreLocation, StoreOptions } from "./open-store.ts";
import { answerError, parseError } from "./s3-answer.ts";
import { createClient } from "./s3-client.ts";
import { createSender, type Plan } from "./s3-send.ts";
import type { Answer } from "./s3-transport.ts";

/** A listing of 1,000 keys of 1,024 bytes, all of them escaped, is 4 MB. */
const MAX_LISTING_BYTES = 16 * 1024 * 1024;

export function openS3Store(endpoint: URL, location: StoreLocation, options: StoreOptions): ObjectStore {
  const { bucket, region } = location;
  if (!/^[A-Za-z0-9][A-Za-z0-9._-]{2,254}$/.test(bucket))
    throw new StoreError("REJECTED", `${JSON.stringify(bucket)} is not the name of a bucket`, {
      hint: "a bucket's name is 3 to 63 of a-z, 0-9, . and -, without s3:// and without a path",
    });
  const where = `${endpoint.href.replace(/\/+$/, "")}, bucket ${bucket}`;
  const env = options.env ?? process.env;
  const send = createSender({
    where,
    region,
    explainRegion: options.explainRegion,
    bypassedProfile: temporaryVariables(env) === null ? null : (location.awsProfile ?? null),
    proxyVariable: findProxyVariable(endpoint, env),
  });
  const client = createClient(endpoint, location, options);
  // Which spelling of an ETag this server has accepted in If-Match.
  let spelling: "quoted" | "bare" | null = null;

  async function write(
    key: string,
    body: Uint8Array,
    options: WriteOptions,
    condition: { IfMatch?: string; IfNoneMatch?: string },
  ): Promise<WrittenObject> {
    const metadata = options.metadata ?? {};
    checkMetadata(metadata);
    const { answer, attempt } = await send(
      (options) =>
        client.send(
          new PutObjectCommand({ Bucket: bucket, Key: key, Body: body, Metadata: metadata, ...condition }),
          options,
        ),
      {
        doing: `write ${key}`,
        kind: "IfMatch" in condition || "IfNoneMatch" in condition ? "conditional write" : "write",
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
    const { answer, attempt } = await send(
      (options) => client.send(new HeadObjectCommand({ Bucket: bucket, Key: key }), options),
      {
        doing: `read ${key}`,
        kind: "read",
        signal,
      },
    );
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
    const request = new GetObjectCommand({ Bucket: bucket, Key: key, Range: "bytes=0-0" });
    const plan: Plan = { doing: `read ${key}`, kind: "read", signal };
    const told = await send((options) => client.send(request, options), plan).catch(() => null);
    return told?.answer.status === status ? told.answer : null;
  }

  return {
    description: where,

    async get(key, { maxBytes = DEFAULT_MAX_BYTES, signal, onProgress } = {}) {
      const plan: Plan = { doing: `read ${key}`, kind: "read", maxBytes, signal, onProgress };
      const { answer, attempt } = await send(
        (options) => client.send(new GetObjectCommand({ Bucket: bucket, Key: key }), options),
        plan,
      );
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
    putIfAbsent: (key, body, options = {}) => write(key, body, options, { IfNoneMatch: "*" }),

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
        const written = await write(key, body, options, { IfMatch: spell(etag, first) });
        spelling = first;
        return written;
      } catch (error) {
        if (!(error instanceof StoreError && error.status === 412 && spelling === null)) throw error;
        const current = await headOrNull(key, options).catch(() => null);
        if (current?.etag !== etag) throw error;
      }
      const written = await write(key, body, options, { IfMatch: spell(etag, "bare") });
      spelling = "bare";
      return written;
    },

    async *list(prefix, { signal } = {}) {
      let token: string | undefined;
      const asked = new Set<string>();
      do {
        const page = new ListObjectsV2Command({
          Bucket: bucket,
          Prefix: prefix,
          ContinuationToken: token,
          EncodingType: "url", // XML cannot hold every character of a key
        });
        const plan: Plan = { doing: `list ${prefix}`, kind: "read", maxBytes: MAX_LISTING_BYTES, signal };
        const { answer, output, attempt } = await send((options) => client.send(page, options), plan);
        const listing = answer.status === 200 && output !== null ? readListing(answer, output, prefix) : null;
        // A server that repeats itself would never come to an end.
        if (listing === null || (listing.next !== undefined && asked.has(listing.next)))
          throw answerError(answer, attempt, Date.now());
        yield* listing.objects;
        token = listing.next;
        if (token !== undefined) asked.add(token);
      } while (token !== undefined);
    },

    async delete(key, { signal } = {}) {
      const { answer, attempt } = await send(
        (options) => client.send(new DeleteObjectCommand({ Bucket: bucket, Key: key }), options),
        {
          doing: `delete ${key}`,
          kind: "write",
          signal,
        },
      );
      const done = answer.status === 204 || (answer.status === 200 && answer.body.length === 0);
      if (!done && !isMissingKey(answer)) throw answerError(answer, attempt, Date.now());
    },

    async close() {
      client.destroy();
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
  const own = "x-amz-meta-";
  const metadata = Object.entries(answer.headers)
    .filter(([name]) => name.startsWith(own))
    .map(([name, value]) => [name.slice(own.length), value]);
  return {
    etag,
    size,
    metadata: Object.fromEntries(metadata),
    lastModified: readDate(answer.headers["last-modified"]),
    date: readDate(answer.headers.date),
  };
}

/** Null when the answer is no listing of `prefix`: the SDK makes an empty one of any XML. */
function readListing(
  { body }: Answer,
  { Contents = [], EncodingType, IsTruncated = false, NextContinuationToken }: ListObjectsV2CommandOutput,
  prefix: string,
): { objects: ListedObject[]; next: string | undefined } | null {
  if (!Buffer.from(body.buffer, body.byteOffset, body.length).includes("<ListBucketResult")) return null;
  if (IsTruncated && !NextContinuationToken) return null;
  const objects: ListedObject[] = [];
  for (const { Key, Size, LastModified } of Contents) {
    const key = EncodingType === "url" && Key !== undefined ? decodeKey(Key) : Key;
    if (!key?.startsWith(prefix) || key === "" || Size === undefined) return null;
    objects.push({ key, size: Size, lastModified: LastModified ?? null });
  }
  return { objects, next: IsTruncated ? NextContinuationToken : undefined };
}

/** As forms encode: AWS writes a space as `+`, others as `%20`. */
function decodeKey(text: string): string | undefined {
  try {
    return decodeURIComponent(text.replaceAll("+", " "));
  } catch {
    return undefined;
  }
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
