// A bucket on an S3 server: path-style requests, SigV4, no retry. docs/formats.md section 10.

import { BundleCorruptError, hmacSha256, sha256, toHex, utf8, type VaultConfig } from "@vsync/envelope";
import { encodePath, signRequest } from "@vsync/store/sigv4";
import type { Bucket, FetchedObject, GetOptions, ObjectHead } from "./bucket.ts";
import { refused, s3ErrorCode } from "./refusal.ts";
import type { S3Answer, S3Request, Transport } from "./transport.ts";

const METADATA = "x-amz-meta-";

const DIGESTS = {
  sha256Hex: async (text: string): Promise<string> => toHex(await sha256([utf8(text)])),
  hmacSha256: (key: Uint8Array, text: string): Promise<Uint8Array> => hmacSha256(key, utf8(text)),
};

export function openS3(config: VaultConfig, endpoint: URL, transport: Transport): Bucket {
  checkHeaderFields(config);
  const root = `${endpoint.pathname.replace(/\/$/, "")}/${encodePath(config.bucket)}/`;

  async function send(
    method: S3Request["method"],
    key: string,
    { maxBytes, signal }: GetOptions,
  ): Promise<S3Answer> {
    const path = root + encodePath(key);
    const headers = await signRequest(
      { method, host: endpoint.host, path },
      config,
      config.region,
      Date.now(),
      DIGESTS,
    );
    return transport.send({ method, path, headers, maxBytes, signal });
  }

  async function get(key: string, options: GetOptions): Promise<FetchedObject | null> {
    const answer = await send("GET", key, options);
    if (answer.status === 404 && s3ErrorCode(answer) !== "NoSuchBucket") return null;
    if (answer.status !== 200 || answer.headers.has("content-encoding")) throw refused(answer);
    if (answer.body === null) {
      throw new BundleCorruptError(
        `the bucket holds more than ${options.maxBytes} bytes where the limit is that`,
      );
    }
    return { ...headOf(answer), body: answer.body };
  }

  async function head(key: string, signal: AbortSignal): Promise<ObjectHead | null> {
    const answer = await send("HEAD", key, { maxBytes: 0, signal });
    if (answer.status === 404) return null;
    if (answer.status !== 200) throw refused(answer);
    return headOf(answer);
  }

  return { get, head, close: transport.close };
}

function headOf({ headers, filtered }: S3Answer): ObjectHead {
  const metadata: Record<string, string> = Object.create(null);
  for (const [name, value] of headers) {
    if (name.startsWith(METADATA)) metadata[name.slice(METADATA.length)] = value;
  }
  const date = Date.parse(headers.get("date") ?? "");
  return { metadata, date: Number.isNaN(date) ? null : date, filtered };
}

/** These become part of a header, where a line break, often the last character of a pasted key, cannot stand. */
function checkHeaderFields(config: VaultConfig): void {
  for (const name of ["accessKeyId", "region", "sessionToken"] as const) {
    const value = config[name];
    if (value === undefined || /^[\x21-\x7e]*$/.test(value)) continue;
    throw new BundleCorruptError(
      `VSYNC_CONFIG has a space, line break or foreign character in its "${name}"; mint it again with \`vsync runtime-token\``,
    );
  }
}
