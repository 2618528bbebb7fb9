// AWS Signature Version 4 for requests without a body and without a query, which is all that a reader sends.
// https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html

import { hmacSha256, sha256, toHex, utf8 } from "@vsync/envelope";

export interface Credentials {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  /** Of temporary credentials. */
  readonly sessionToken?: string;
}

export interface UnsignedRequest {
  readonly method: "GET" | "HEAD";
  /** With the port, unless it is the scheme's own. */
  readonly host: string;
  /** Made by {@link encodePath}. */
  readonly path: string;
  /** Lower-case names. */
  readonly headers?: Readonly<Record<string, string>>;
}

const EMPTY_SHA256 = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

/** The headers to send beside `host`, which is signed too. */
export async function signRequest(
  request: UnsignedRequest,
  credentials: Credentials,
  region: string,
  nowMs: number,
): Promise<Record<string, string>> {
  const time = new Date(nowMs).toISOString().replace(/[-:]|\.\d+/g, "");
  const scope = `${time.slice(0, 8)}/${region}/s3/aws4_request`;
  const headers: Record<string, string> = {
    ...request.headers,
    "x-amz-content-sha256": EMPTY_SHA256,
    "x-amz-date": time,
  };
  if (credentials.sessionToken !== undefined) headers["x-amz-security-token"] = credentials.sessionToken;

  const signed = Object.entries({ ...headers, host: request.host }).sort(([a], [b]) => (a < b ? -1 : 1));
  const names = signed.map(([name]) => name).join(";");
  const canonicalHeaders = signed
    .map(([name, value]) => `${name}:${value.trim().replace(/ +/g, " ")}\n`)
    .join("");
  const canonical = [request.method, request.path, "", canonicalHeaders, names, EMPTY_SHA256].join("\n");
  const text = ["AWS4-HMAC-SHA256", time, scope, toHex(await sha256([utf8(canonical)]))].join("\n");

  let key = utf8(`AWS4${credentials.secretAccessKey}`);
  for (const part of scope.split("/")) key = await hmacSha256(key, utf8(part));
  const signature = toHex(await hmacSha256(key, utf8(text)));
  headers.authorization = `AWS4-HMAC-SHA256 Credential=${credentials.accessKeyId}/${scope},SignedHeaders=${names},Signature=${signature}`;
  return headers;
}

/** Percent-encodes everything but RFC 3986's unreserved characters and the slashes between parts. */
export function encodePath(path: string): string {
  return encodeURIComponent(path)
    .replaceAll("%2F", "/")
    .replace(/[!'()*]/g, (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`);
}
