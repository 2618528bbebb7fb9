// An S3 server for tests, strict where real ones are, with the quirks of several, and with faults on demand.
// It passes the same contract as the real server, which is what entitles it to stand in for one.

import { createHash, randomBytes } from "node:crypto";
import { createServer as createHttpServer, type IncomingMessage, type ServerResponse } from "node:http";
import { createServer as createHttpsServer } from "node:https";
import type { AddressInfo } from "node:net";
import type { StoreLocation } from "../src/index.ts";
import { type Credentials, canonicalPath, isPayload, judgeSignature } from "./fake-s3-signature.ts";

/**
 * - aws: takes ETags with and without quotes; 404 for If-Match of a missing key
 * - ceph16: ETags without quotes only; 412 for If-Match of a missing key; 500 for who loses a race midway; any region
 * - minio: as aws; knows no checksum headers
 * - spaces: ETags without quotes only
 * - b2: 501 for any conditional write
 * - ignores-conditions: writes them as if there were none
 */
export type Profile = "aws" | "ceph16" | "minio" | "spaces" | "b2" | "ignores-conditions";

interface Quirks {
  readonly conditions: "kept" | "refused" | "ignored";
  readonly bareEtagsOnly?: boolean;
  readonly matchOfMissing?: 404 | 412;
  readonly raceLoser?: 412 | 500;
  readonly anyRegion?: boolean;
  readonly refusesChecksums?: boolean;
  /** In listings; AWS encodes as forms do. */
  readonly space?: "+" | "%20";
}

const QUIRKS: Readonly<Record<Profile, Quirks>> = {
  aws: { conditions: "kept", matchOfMissing: 404, space: "+" },
  ceph16: {
    conditions: "kept",
    bareEtagsOnly: true,
    matchOfMissing: 412,
    raceLoser: 500,
    anyRegion: true,
    refusesChecksums: true,
  },
  minio: { conditions: "kept", matchOfMissing: 404, refusesChecksums: true },
  spaces: { conditions: "kept", bareEtagsOnly: true, matchOfMissing: 412, refusesChecksums: true },
  b2: { conditions: "refused", refusesChecksums: true },
  "ignores-conditions": { conditions: "ignored" },
};

export interface FakeObject {
  readonly body: Uint8Array;
  readonly metadata: Readonly<Record<string, string>>;
  /** With its quotes, as in the header. */
  readonly etag: string;
  readonly lastModified: Date;
  /** What a stale read answers. */
  readonly previous: FakeObject | null;
}

export interface FakeAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Uint8Array;
}

export interface LoggedRequest {
  readonly method: string;
  /** Empty for a request on the bucket itself. */
  readonly key: string;
  readonly query: URLSearchParams;
  readonly headers: Readonly<IncomingMessage["headers"]>;
  /** The answer's; null while there is none, or when a fault kept it back. */
  status: number | null;
}

/** `before`: the request has arrived and does nothing. `after`: it has done its work and the answer is still to come. */
export type Moment = "before" | "after";

export type Fault =
  /** This answer instead of the server's own; with `after`, the work is done all the same. */
  | { readonly answer: Partial<FakeAnswer>; readonly when?: Moment }
  /** The server's own answer, changed. */
  | { readonly change: (answer: FakeAnswer) => FakeAnswer }
  /** The connection is cut, at once or (`midway`) in the middle of the answer's body. */
  | { readonly cut: Moment | "midway" }
  /** Nothing more comes, and the connection stays open. */
  | { readonly silence: Moment | "midway" }
  /** The answer's body comes a byte at a time, each after so many milliseconds. */
  | { readonly dripMs: number }
  /** The request goes on when the promise is settled; a PUT can be held `midway`, between its two looks at its condition. */
  | { readonly hold: Promise<unknown>; readonly when?: Moment | "midway" }
  /** `kills` ends the client, and what it waits for is waited for: nothing more comes from there, and nothing goes there. */
  | { readonly kills: () => Promise<unknown>; readonly when: Moment | "in-body" | "in-answer" }
  /** GET and HEAD see the object as it was before its last change. */
  | { readonly stale: true };

/** Which requests, counted from the moment of `inject`. Every field narrows; none at all is the next request. */
export interface Rule {
  readonly method?: string;
  /** The whole key, or a pattern for it. */
  readonly key?: string | RegExp;
  /** How many that match pass unharmed first. Default 0. */
  readonly skip?: number;
  /** How many are hit. Default 1. */
  readonly times?: number;
  readonly fault: Fault;
}

export interface FakeS3Options {
  readonly profile?: Profile;
  readonly region?: string;
  /** false: a missing key is 403 to GET and HEAD, as S3 answers to who may not list. Default true. */
  readonly mayList?: boolean;
  /** Keys of one page of a listing. Default 1,000. */
  readonly pageSize?: number;
  /** The server's clock. */
  readonly now?: () => number;
  /** PEM; makes the endpoint https. */
  readonly tls?: { readonly key: string; readonly cert: string };
  readonly sessionToken?: string;
}

export interface FakeS3 {
  readonly endpoint: string;
  readonly bucket: string;
  readonly region: string;
  /** May do everything. */
  readonly credentials: Credentials;
  /** May GET, HEAD and list. */
  readonly readOnlyCredentials: Credentials;
  /** What `openStore` takes. */
  readonly location: StoreLocation;
  /** In the order of their arrival. */
  readonly requests: readonly LoggedRequest[];
  /** The bucket: to look into, and to tamper with. */
  readonly objects: Map<string, FakeObject>;
  inject(rule: Rule): void;
  /** Cuts every connection. */
  close(): Promise<void>;
}

class S3Failure extends Error {
  readonly status: number;
  readonly code: string;
  /** Further elements of the error's XML. */
  readonly elements: Readonly<Record<string, string>>;
  constructor(status: number, code: string, elements: Readonly<Record<string, string>> = {}) {
    super(code);
    this.status = status;
    this.code = code;
    this.elements = elements;
  }
}

export async function startFakeS3(options: FakeS3Options = {}): Promise<FakeS3> {
  const {
    profile = "aws",
    region = "us-east-1",
    mayList = true,
    pageSize = 1000,
    now = Date.now,
    tls,
  } = options;
  const quirks = QUIRKS[profile];
  const bucket = "fake-bucket";
  const token = options.sessionToken === undefined ? {} : { sessionToken: options.sessionToken };
  const credentials: Credentials = {
    accessKeyId: "FAKEWRITER",
    secretAccessKey: randomBytes(20).toString("hex"),
    ...token,
  };
  const readOnlyCredentials: Credentials = {
    accessKeyId: "FAKEREADER",
    secretAccessKey: randomBytes(20).toString("hex"),
  };
  const objects = new Map<string, FakeObject>();
  const requests: LoggedRequest[] = [];
  const rules: { rule: Rule; skip: number; times: number }[] = [];

  const answer = (request: IncomingMessage, response: ServerResponse): void => {
    handle(request, response).catch(() => response.destroy()); // the client has gone away
  };
  const server = tls === undefined ? createHttpServer() : createHttpsServer(tls);
  server.on("request", answer);
  server.on("checkContinue", answer);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  const endpoint = `${tls === undefined ? "http" : "https"}://127.0.0.1:${port}`;

  async function handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { key, query } = parseTarget(request);
    const logged: LoggedRequest = {
      method: request.method ?? "",
      key,
      query,
      headers: request.headers,
      status: null,
    };
    requests.push(logged);
    const fault = takeFault(logged);
    const moment = momentOf(fault);

    if (fault !== null && moment === "before") {
      if ("hold" in fault) await fault.hold;
      else if ("cut" in fault) return void request.socket.destroy();
      else if ("silence" in fault) return;
      else if ("answer" in fault) return send(response, logged, complete(fault.answer), null);
      else if ("kills" in fault) return void (await fault.kills());
    }
    const midway = moment === "midway" && fault !== null && "hold" in fault ? fault.hold : null;
    const inBody = moment === "in-body" && fault !== null && "kills" in fault ? fault.kills : null;
    const stale = fault !== null && "stale" in fault;
    let own = await perform(request, response, logged, { stale, midway, inBody });
    if (fault !== null && moment === "after") {
      if ("hold" in fault) await fault.hold;
      else if ("cut" in fault) return void request.socket.destroy();
      else if ("silence" in fault) return;
      else if ("answer" in fault) own = complete(fault.answer);
      else if ("kills" in fault) return void (await fault.kills());
    }
    if (fault !== null && "change" in fault) own = fault.change(own);
    return send(response, logged, own, fault);
  }

  function takeFault({ method, key }: LoggedRequest): Fault | null {
    for (const entry of rules) {
      const { rule } = entry;
      if (rule.method !== undefined && rule.method !== method) continue;
      if (typeof rule.key === "string" ? rule.key !== key : rule.key !== undefined && !rule.key.test(key))
        continue;
      if (entry.skip > 0) entry.skip--;
      else if (entry.times > 0) {
        entry.times--;
        return rule.fault;
      }
    }
    return null;
  }

  async function perform(
    request: IncomingMessage,
    response: ServerResponse,
    { method, key, query, headers }: LoggedRequest,
    { stale, midway, inBody }: PutHooks & { stale: boolean },
  ): Promise<FakeAnswer> {
    try {
      authorize(request, method);
      const [, name] = canonicalPath(request.url ?? "").split("/", 2);
      if (name !== bucket) throw new S3Failure(404, "NoSuchBucket", { BucketName: name ?? "" });
      if (key === "") {
        if (method === "GET" && query.get("list-type") === "2") return list(query);
        throw new S3Failure(501, "NotImplemented");
      }
      if (Buffer.byteLength(key) > 1024) throw new S3Failure(400, "KeyTooLongError");
      const held = objects.get(key) ?? null;
      const object = stale ? (held?.previous ?? null) : held;
      switch (method) {
        case "GET":
        case "HEAD":
          if (object === null)
            throw mayList
              ? new S3Failure(404, "NoSuchKey", { Key: key })
              : new S3Failure(403, "AccessDenied");
          return { status: 200, headers: objectHeaders(object), body: object.body };
        case "PUT":
          return await put(request, response, key, headers, { midway, inBody });
        case "DELETE":
          objects.delete(key);
          return { status: 204, headers: {}, body: new Uint8Array() };
        default:
          throw new S3Failure(405, "MethodNotAllowed");
      }
    } catch (error) {
      if (!(error instanceof S3Failure)) throw error;
      return errorAnswer(error, request.url ?? "");
    }
  }

  function authorize(request: IncomingMessage, method: string): void {
    // Ceph and others take the region of the signature for granted.
    const scope = /Credential=[^/]+\/\d+\/([^/]+)\//.exec(request.headers.authorization ?? "")?.[1];
    const expected = quirks.anyRegion ? (scope ?? region) : region;
    const { error, accessKeyId } = judgeSignature(
      request,
      [credentials, readOnlyCredentials],
      expected,
      now(),
    );
    if (error === "AuthorizationHeaderMalformed") throw new S3Failure(400, error, { Region: region });
    if (error === "InvalidToken") throw new S3Failure(400, error);
    if (error !== null) throw new S3Failure(403, error);
    if (accessKeyId === readOnlyCredentials.accessKeyId && !["GET", "HEAD"].includes(method))
      throw new S3Failure(403, "AccessDenied");
  }

  async function put(
    request: IncomingMessage,
    response: ServerResponse,
    key: string,
    headers: LoggedRequest["headers"],
    { midway, inBody }: PutHooks,
  ): Promise<FakeAnswer> {
    if (headers["content-length"] === undefined) throw new S3Failure(411, "MissingContentLength");
    const checksums = Object.keys(headers).some((name) =>
      /^x-amz-(?:sdk-)?checksum-|^x-amz-trailer$/.test(name),
    );
    if ((quirks.refusesChecksums && checksums) || headers["content-encoding"] === "aws-chunked")
      throw new S3Failure(501, "NotImplemented");
    const conditional = headers["if-match"] !== undefined || headers["if-none-match"] !== undefined;
    if (conditional && quirks.conditions === "refused") throw new S3Failure(501, "NotImplemented");
    // Servers look twice: when the request arrives, and again when the body is there.
    const early = conditional && quirks.conditions === "kept" ? unmet(key, headers) : null;
    if (early !== null) throw early;
    if (headers.expect === "100-continue") response.writeContinue();
    const chunks: Uint8Array[] = [];
    for await (const chunk of request) {
      if (chunks.length === 0) await inBody?.();
      chunks.push(chunk as Uint8Array);
    }
    const body = Buffer.concat(chunks);
    await midway;
    if (!isPayload(request, body)) throw new S3Failure(400, "XAmzContentSHA256Mismatch");
    const late = conditional && quirks.conditions === "kept" ? unmet(key, headers) : null;
    if (late !== null) throw quirks.raceLoser === 500 ? new S3Failure(500, "UnknownError") : late;
    const metadata = Object.entries(headers).flatMap(([name, value]) =>
      name.startsWith("x-amz-meta-") ? [[name.slice("x-amz-meta-".length), String(value)] as const] : [],
    );
    const object: FakeObject = {
      body,
      metadata: Object.fromEntries(metadata),
      etag: `"${createHash("md5").update(body).digest("hex")}"`,
      // As in headers: whole seconds.
      lastModified: new Date(Math.floor(now() / 1000) * 1000),
      previous: objects.get(key) ?? null,
    };
    objects.set(key, object);
    return { status: 200, headers: { etag: object.etag }, body: new Uint8Array() };
  }

  function unmet(key: string, headers: LoggedRequest["headers"]): S3Failure | null {
    const object = objects.get(key);
    if (headers["if-none-match"] !== undefined) {
      if (headers["if-none-match"] !== "*") return new S3Failure(501, "NotImplemented");
      return object === undefined ? null : new S3Failure(412, "PreconditionFailed");
    }
    const wanted = String(headers["if-match"]);
    if (object === undefined)
      return quirks.matchOfMissing === 404
        ? new S3Failure(404, "NoSuchKey", { Key: key })
        : new S3Failure(412, "PreconditionFailed");
    const bare = object.etag.slice(1, -1);
    const accepted = quirks.bareEtagsOnly ? [bare] : [bare, object.etag];
    return accepted.includes(wanted) ? null : new S3Failure(412, "PreconditionFailed");
  }

  function list(query: URLSearchParams): FakeAnswer {
    if (query.has("delimiter")) throw new S3Failure(501, "NotImplemented");
    const encoded = query.get("encoding-type") === "url";
    const encodeKey = (key: string): string =>
      encoded
        ? encodeURIComponent(key)
            .replaceAll("%2F", "/")
            .replaceAll("%20", quirks.space ?? "%20")
        : escapeXml(key);
    const after = query.get("continuation-token");
    const last = after === null ? null : Buffer.from(after, "base64url").toString();
    const prefix = query.get("prefix") ?? "";
    const matching = [...objects.keys()]
      .filter((key) => key.startsWith(prefix))
      .sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)))
      .filter((key) => last === null || Buffer.compare(Buffer.from(key), Buffer.from(last)) > 0);
    const page = matching.slice(0, pageSize);
    const contents = page.map((key) => {
      const object = objects.get(key)!;
      return `<Contents><Key>${encodeKey(key)}</Key><LastModified>${object.lastModified.toISOString()}</LastModified><ETag>${escapeXml(object.etag)}</ETag><Size>${object.body.length}</Size><StorageClass>STANDARD</StorageClass></Contents>`;
    });
    const more = matching.length > page.length;
    const next = more
      ? `<NextContinuationToken>${Buffer.from(page.at(-1)!).toString("base64url")}</NextContinuationToken>`
      : "";
    return xmlAnswer(
      200,
      `<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Name>${bucket}</Name><Prefix>${encodeKey(prefix)}</Prefix><KeyCount>${page.length}</KeyCount><MaxKeys>${pageSize}</MaxKeys>${encoded ? "<EncodingType>url</EncodingType>" : ""}<IsTruncated>${more}</IsTruncated>${next}${contents.join("")}</ListBucketResult>`,
    );
  }

  async function send(
    response: ServerResponse,
    logged: LoggedRequest,
    answer: FakeAnswer,
    fault: Fault | null,
  ): Promise<void> {
    const { status, headers, body } = answer;
    logged.status = status;
    response.writeHead(status, {
      date: new Date(now()).toUTCString(),
      "x-amz-request-id": randomBytes(8).toString("hex"),
      ...(profile === "aws" ? { "x-amz-bucket-region": region } : {}),
      ...(status === 204 ? {} : { "content-length": String(body.length) }),
      ...headers,
    });
    if (logged.method === "HEAD") return void response.end();
    if (fault !== null && "dripMs" in fault) return await drip(response, body, fault.dripMs);
    const midway =
      fault !== null &&
      (("cut" in fault && fault.cut === "midway") ||
        ("silence" in fault && fault.silence === "midway") ||
        ("kills" in fault && fault.when === "in-answer"));
    if (!midway) return void response.end(body);
    await new Promise((resolve) => response.write(body.subarray(0, Math.floor(body.length / 2)), resolve));
    if ("cut" in fault) response.destroy();
    if ("kills" in fault) await fault.kills();
  }

  function errorAnswer({ status, code, elements }: S3Failure, url: string): FakeAnswer {
    const more = Object.entries(elements).map(([name, value]) => `<${name}>${escapeXml(value)}</${name}>`);
    return xmlAnswer(
      status,
      `<Error><Code>${code}</Code><Message>The fake says ${code}.</Message>${more.join("")}<Resource>${escapeXml(url)}</Resource></Error>`,
    );
  }

  function parseTarget(request: IncomingMessage): { key: string; query: URLSearchParams } {
    const [path = "", query = ""] = (request.url ?? "").split("?", 2);
    const [, , ...parts] = path.split("/");
    return { key: decodeURIComponent(parts.join("/")), query: new URLSearchParams(query) };
  }

  return {
    endpoint,
    bucket,
    region,
    credentials,
    readOnlyCredentials,
    location: { endpoint, region, bucket, ...credentials },
    requests,
    objects,
    inject: (rule) => void rules.push({ rule, skip: rule.skip ?? 0, times: rule.times ?? 1 }),
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

/** What happens while a PUT is under way. */
interface PutHooks {
  readonly midway: Promise<unknown> | null;
  readonly inBody: (() => Promise<unknown>) | null;
}

function momentOf(fault: Fault | null): Moment | "midway" | "in-body" | "in-answer" | null {
  if (fault === null) return null;
  if ("kills" in fault) return fault.when;
  if ("cut" in fault) return fault.cut;
  if ("silence" in fault) return fault.silence;
  return "answer" in fault || "hold" in fault ? (fault.when ?? "before") : null;
}

/** Sends a byte at a time for as long as somebody listens. */
async function drip(response: ServerResponse, body: Uint8Array, dripMs: number): Promise<void> {
  for (let at = 0; at < body.length && !response.destroyed; at++) {
    response.write(body.subarray(at, at + 1));
    await new Promise((resolve) => setTimeout(resolve, dripMs));
  }
  response.end();
}

function objectHeaders(object: FakeObject): Record<string, string> {
  const metadata = Object.entries(object.metadata).map(([name, value]) => [`x-amz-meta-${name}`, value]);
  return {
    etag: object.etag,
    "last-modified": object.lastModified.toUTCString(),
    "content-type": "application/octet-stream",
    "content-length": String(object.body.length),
    ...Object.fromEntries(metadata),
  };
}

function complete({ status = 500, headers = {}, body = new Uint8Array() }: Partial<FakeAnswer>): FakeAnswer {
  return { status, headers, body };
}

function xmlAnswer(status: number, xml: string): FakeAnswer {
  const body = Buffer.from(`<?xml version="1.0" encoding="UTF-8"?>\n${xml}`);
  return { status, headers: { "content-type": "application/xml" }, body };
}

function escapeXml(text: string): string {
  return text.replace(/[&<>"'\r\n\t]/g, (char) => `&#${char.charCodeAt(0)};`);
}
