// Judges a request's AWS Signature Version 4 as a server does: computed anew from what arrived, byte by byte.

import { createHash, createHmac, timingSafeEqual } from "node:crypto";
import type { IncomingMessage } from "node:http";

export interface Credentials {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken?: string | undefined;
}

/** An S3 error code, or null when the signature is good. */
export interface Judgement {
  readonly error:
    | "AccessDenied"
    | "InvalidAccessKeyId"
    | "SignatureDoesNotMatch"
    | "RequestTimeTooSkewed"
    | "AuthorizationHeaderMalformed"
    | "InvalidToken"
    | null;
  readonly accessKeyId: string | null;
}

const MAX_SKEW_MS = 15 * 60_000;

/** Everything but the body: that is `isPayload`'s, once it has arrived. */
export function judgeSignature(
  request: IncomingMessage,
  known: readonly Credentials[],
  region: string,
  nowMs: number,
): Judgement {
  const fields =
    /^AWS4-HMAC-SHA256 Credential=([^/]+)\/(\d{8})\/([^/]+)\/s3\/aws4_request, ?SignedHeaders=([a-z0-9;-]+), ?Signature=([0-9a-f]{64})$/.exec(
      request.headers.authorization ?? "",
    );
  if (fields === null) return { error: "AccessDenied", accessKeyId: null };
  const [, accessKeyId, day, scopeRegion, signedNames, signature] = fields as unknown as [
    string,
    string,
    string,
    string,
    string,
    string,
  ];
  const fail = (error: Judgement["error"]): Judgement => ({ error, accessKeyId });

  const credentials = known.find((one) => one.accessKeyId === accessKeyId);
  if (credentials === undefined) return fail("InvalidAccessKeyId");
  if (scopeRegion !== region) return fail("AuthorizationHeaderMalformed");
  const stamp = String(request.headers["x-amz-date"] ?? "");
  const signedAt = Date.parse(
    stamp.replace(/^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/, "$1-$2-$3T$4:$5:$6Z"),
  );
  if (!stamp.startsWith(day) || Number.isNaN(signedAt)) return fail("AccessDenied");
  if (Math.abs(nowMs - signedAt) > MAX_SKEW_MS) return fail("RequestTimeTooSkewed");
  if (request.headers["x-amz-security-token"] !== credentials.sessionToken) return fail("InvalidToken");

  // What is not signed could have been added on the way.
  const names = signedNames.split(";");
  const mustBeSigned = Object.keys(request.headers).filter(
    (name) => name === "host" || name.startsWith("x-amz-"),
  );
  if (!mustBeSigned.every((name) => names.includes(name))) return fail("SignatureDoesNotMatch");

  const payload = String(request.headers["x-amz-content-sha256"] ?? "");
  const canonical = [
    request.method,
    canonicalPath(request.url ?? ""),
    canonicalQuery(request.url ?? ""),
    ...names.map(
      (name) =>
        `${name}:${String(request.headers[name] ?? "")
          .trim()
          .replace(/ +/g, " ")}`,
    ),
    "",
    signedNames,
    payload,
  ].join("\n");
  const scope = `${day}/${scopeRegion}/s3/aws4_request`;
  const toSign = ["AWS4-HMAC-SHA256", stamp, scope, sha256(canonical)].join("\n");
  const key = [day, scopeRegion, "s3", "aws4_request"].reduce<Buffer | string>(
    hmac,
    `AWS4${credentials.secretAccessKey}`,
  );
  const expected = hmac(key, toSign);
  return timingSafeEqual(expected, Buffer.from(signature, "hex"))
    ? { error: null, accessKeyId }
    : fail("SignatureDoesNotMatch");
}

/** Whether the body is the one that was signed. */
export function isPayload(request: IncomingMessage, body: Uint8Array): boolean {
  const payload = request.headers["x-amz-content-sha256"];
  return payload === "UNSIGNED-PAYLOAD" || payload === createHash("sha256").update(body).digest("hex");
}

/** Throws URIError for a path that is not percent-encoded UTF-8. */
export function canonicalPath(url: string): string {
  return url
    .replace(/[?#].*$/s, "")
    .split("/")
    .map((part) => encode(decodeURIComponent(part)))
    .join("/");
}

function canonicalQuery(url: string): string {
  const query = url.split("?", 2)[1];
  if (!query) return "";
  return query
    .split("&")
    .map((pair) => {
      const [name, ...value] = pair.split("=");
      return `${encode(decodeURIComponent(name!))}=${encode(decodeURIComponent(value.join("=")))}`;
    })
    .sort()
    .join("&");
}

/** RFC 3986: everything but the unreserved. */
function encode(text: string): string {
  return encodeURIComponent(text).replace(
    /[!'()*]/g,
    (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`,
  );
}

function sha256(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}

function hmac(key: Buffer | string, text: string): Buffer {
  return createHmac("sha256", key).update(text).digest();
}
