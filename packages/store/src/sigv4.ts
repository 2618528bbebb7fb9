// AWS Signature Version 4 in a header, for reader and writer: the digests come from the caller, who may be in a browser.
// https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html

export interface SigningCredentials {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  /** Of temporary credentials. */
  readonly sessionToken?: string;
}

export interface UnsignedRequest {
  readonly method: "GET" | "HEAD" | "PUT" | "DELETE";
  /** With the port, unless it is the scheme's own. */
  readonly host: string;
  /** Made by {@link encodePath}. */
  readonly path: string;
  /** Made by {@link encodeQuery}; none unless given. */
  readonly query?: string;
  /** Lower-case names. */
  readonly headers?: Readonly<Record<string, string>>;
  /** Lower-case hex; of no body unless given. */
  readonly bodySha256?: string;
}

/** SHA-256 in lower-case hex, and HMAC-SHA256; of text as UTF-8. */
export interface Digests {
  sha256Hex(text: string): string | Promise<string>;
  hmacSha256(key: Uint8Array, text: string): Uint8Array | Promise<Uint8Array>;
}

const EMPTY_SHA256 = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

/** The headers to send beside `host`, which is signed too. */
export async function signRequest(
  request: UnsignedRequest,
  credentials: SigningCredentials,
  region: string,
  nowMs: number,
  { sha256Hex, hmacSha256 }: Digests,
): Promise<Record<string, string>> {
  const { method, host, path, query = "", bodySha256 = EMPTY_SHA256 } = request;
  const time = new Date(nowMs).toISOString().replace(/[-:]|\.\d+/g, "");
  const scope = `${time.slice(0, 8)}/${region}/s3/aws4_request`;
  const headers: Record<string, string> = {
    ...request.headers,
    "x-amz-content-sha256": bodySha256,
    "x-amz-date": time,
  };
  if (credentials.sessionToken !== undefined) headers["x-amz-security-token"] = credentials.sessionToken;

  const signed = Object.entries({ ...headers, host }).sort(([a], [b]) => (a < b ? -1 : 1));
  const names = signed.map(([name]) => name).join(";");
  const canonicalHeaders = signed
    .map(([name, value]) => `${name}:${value.trim().replace(/ +/g, " ")}\n`)
    .join("");
  const canonical = [method, path, query, canonicalHeaders, names, bodySha256].join("\n");
  const text = ["AWS4-HMAC-SHA256", time, scope, await sha256Hex(canonical)].join("\n");

  let key: Uint8Array = new TextEncoder().encode(`AWS4${credentials.secretAccessKey}`);
  for (const part of scope.split("/")) key = await hmacSha256(key, part);
  const signature = hex(await hmacSha256(key, text));
  headers.authorization = `AWS4-HMAC-SHA256 Credential=${credentials.accessKeyId}/${scope},SignedHeaders=${names},Signature=${signature}`;
  return headers;
}

/** Percent-encodes everything but RFC 3986's unreserved characters and the slashes between parts. */
export function encodePath(path: string): string {
  return encode(path).replaceAll("%2F", "/");
}

/** The fields of a query in the order in which they are signed. */
export function encodeQuery(fields: Readonly<Record<string, string>>): string {
  const encoded = Object.entries(fields).map(([name, value]) => [encode(name), encode(value)] as const);
  // By name alone: in "a=" and "a%20=" the sign itself would come into it.
  return encoded
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map((field) => field.join("="))
    .join("&");
}

function encode(text: string): string {
  return encodeURIComponent(text).replace(
    /[!'()*]/g,
    (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`,
  );
}

function hex(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
