// What an S3 server's answer means when it is not the object, in words that say what to do. Nothing that the server
// wrote is repeated, apart from codes known here and a region's name: it could send back what it was sent.

import { S3UnreachableError } from "@vsync/envelope";
import type { S3Answer } from "./transport.ts";

/** S3 refuses signatures that are off by more than 15 minutes; a third of that is worth a word. */
const SKEW_MS = 5 * 60_000;

const MINT_AGAIN = "mint a new one with `vsync runtime-token`";

const HINTS: Readonly<Record<string, string>> = {
  AccessDenied:
    "no permission: the access key may not read this object, or the object does not exist and the key may not list: allow it s3:GetObject, and s3:ListBucket on the vault's prefix",
  InvalidAccessKeyId: `the server does not know this access key: it was deleted, or VSYNC_CONFIG is for another server; ${MINT_AGAIN}`,
  SignatureDoesNotMatch: `the secret key does not belong to the access key, or something on the way changes requests; ${MINT_AGAIN}`,
  ExpiredToken: `the session token has expired; ${MINT_AGAIN}`,
  InvalidToken: `the session token is not valid; ${MINT_AGAIN}`,
  RequestTimeTooSkewed: "this machine's clock is wrong; set it (NTP) and start again",
  RequestExpired: "this machine's clock is wrong; set it (NTP) and start again",
  NoSuchBucket: "there is no such bucket on this server; check bucket and endpoint of the vault",
  SlowDown: "the server asks for fewer requests; start again later",
};

export function refused(answer: S3Answer): S3UnreachableError {
  const { status } = answer;
  const code = s3ErrorCode(answer);
  const said = code === null ? "" : ` (${code})`;
  const what = status === 0 ? "a redirect" : `HTTP ${status}${said}`;
  return new S3UnreachableError(
    `the bucket's server answered ${what}: ${hintFor(answer, code)}${clockHint(answer)}`,
  );
}

/** The `<Code>` of an S3 error document when it is one of those known here. */
export function s3ErrorCode(answer: S3Answer): string | null {
  if (answer.body === null || answer.status === 200) return null;
  const text = new TextDecoder().decode(answer.body);
  const code = /<Code>([A-Za-z]{1,64})<\/Code>/.exec(text)?.[1];
  return code !== undefined && Object.hasOwn(HINTS, code) ? code : null;
}

function hintFor(answer: S3Answer, code: string | null): string {
  const { status } = answer;
  if (status === 429 || status === 503) return `${HINTS.SlowDown}${retryAfter(answer)}`;
  if (code !== null) return HINTS[code] as string;
  if (status === 200) {
    return "something on the way compresses or re-encodes what the bucket sends (a proxy or a CDN); go round it";
  }
  if (status === 401 || status === 403) return HINTS.AccessDenied as string;
  if (status === 0 || (status >= 300 && status < 400) || status === 400) return regionHint(answer);
  if (status >= 500) return "it failed; try again, or look at the server's own log";
  return "that is no answer of an S3 server to a GET; check the endpoint";
}

function regionHint(answer: S3Answer): string {
  const region = answer.headers.get("x-amz-bucket-region") ?? "";
  const named = /^[a-z]{2,8}(-[a-z]{2,12}){1,3}-\d{1,2}$/.test(region) ? `: the bucket is in ${region}` : "";
  const redirect =
    answer.status === 400 ? "" : "redirects are not followed, since they would carry credentials along; ";
  return `${redirect}the vault's region or endpoint may be wrong${named}; correct it and ${MINT_AGAIN}`;
}

function retryAfter(answer: S3Answer): string {
  const seconds = answer.headers.get("retry-after") ?? "";
  return /^\d{1,5}$/.test(seconds) ? ` (in ${seconds} seconds, it says)` : "";
}

function clockHint(answer: S3Answer): string {
  if (answer.status !== 401 && answer.status !== 403) return "";
  const skew = Date.now() - Date.parse(answer.headers.get("date") ?? "");
  if (!(Math.abs(skew) > SKEW_MS)) return "";
  const minutes = Math.round(Math.abs(skew) / 60_000);
  return `; this machine's clock is ${minutes} minutes ${skew > 0 ? "ahead of" : "behind"} the server's, which alone gets requests refused: set it (NTP)`;
}
