// What an S3 server answered instead of a success, as the error of a store: the cause told apart, and what to do.

import { StoreError } from "./object-store.ts";
import type { Attempt, Finding } from "./s3-failure.ts";
import type { Answer } from "./s3-transport.ts";

/** 429 and 5xx, but for 501, which stays what it is. */
export function isOverloaded({ status }: Answer): boolean {
  return status === 429 || (status >= 500 && status !== 501);
}

/** The server's wish, in milliseconds; 0 when it has none. */
export function retryAfterMs({ headers }: Answer, nowMs: number): number {
  const text = headers["retry-after"] ?? "";
  if (/^[0-9]{1,9}$/.test(text)) return Number(text) * 1000;
  const date = Date.parse(text);
  return Number.isNaN(date) ? 0 : Math.max(0, date - nowMs);
}

/** Any answer that is not the operation's success. */
export function answerError(answer: Answer, attempt: Attempt, nowMs: number): StoreError {
  const error = parseError(answer);
  const finding = judgeAnswer(answer, error.code, attempt, nowMs);
  const said = [error.code, error.message].filter((text) => text !== "").join(": ");
  const why = `${finding.why} (${answer.status}${said === "" ? "" : ` ${said}`})`;
  return new StoreError(finding.code, `cannot ${attempt.doing} (${attempt.where}): ${why}`, {
    hint: finding.hint,
    status: answer.status,
    landed:
      attempt.kind === "read"
        ? "no"
        : (finding.landed ?? (isRefusal(answer, error.code, attempt) ? "no" : "unknown")),
    retried: attempt.retried,
  });
}

/**
 * Whether a write certainly was not done. S3 says so in words of its own, and these statuses say so without: others come
 * from gateways as well, which may have passed the request on before they gave up. And a refusal says nothing of a
 * sending before it.
 */
function isRefusal({ status }: Answer, code: string, { retried }: Attempt): boolean {
  return !retried && (code !== "" || [400, 401, 403, 501].includes(status));
}

function judgeAnswer(answer: Answer, code: string, attempt: Attempt, nowMs: number): Finding {
  const { status } = answer;
  const clock = clockHint(answer, code, nowMs);
  const region = regionHint(answer, attempt);
  if (status === 401 || status === 403 || code === "ExpiredToken" || code === "InvalidToken")
    return {
      code: "ACCESS_DENIED",
      why: "access denied",
      hint: clock ?? accessHint(code, attempt) + bypassHint(attempt),
    };
  if (status === 407)
    return {
      code: "UNREACHABLE",
      why: "a proxy asks for credentials",
      hint: "connect without that proxy: vsync uses none",
    };
  if (status >= 300 && status < 400)
    return {
      code: "REJECTED",
      why: "redirected elsewhere, and not followed with these credentials",
      hint: region ?? endpointHint(answer) ?? "set the endpoint to the one that serves this bucket",
    };
  if (status === 404 && /^NoSuchBucket$/.test(code))
    return {
      code: "BUCKET_MISSING",
      why: "there is no such bucket",
      hint: "check the bucket's name and the endpoint, or create the bucket",
    };
  if (
    attempt.kind === "conditional write" &&
    (status === 412 || status === 409 || (status === 404 && code !== ""))
  )
    return {
      code: "PRECONDITION_FAILED",
      why: status === 404 ? "it is not there any more" : "somebody else has written it, or is writing it",
      hint: "read it again",
    };
  if (status === 404)
    return {
      code: "REJECTED",
      why: "not found, in words that S3 does not use",
      hint: "is the endpoint that of an S3 server?",
    };
  if (status === 413 || code === "EntityTooLarge")
    return {
      code: "REJECTED",
      why: "too large for the server",
      hint: "raise the limit of the server, or of the proxy before it",
    };
  if (status === 501)
    return {
      code: "NOT_SUPPORTED",
      why: "the server does not do this",
      hint: "vsync doctor tells what this server can do",
    };
  if (status === 429 || status >= 500)
    return {
      code: "UNREACHABLE",
      why: "the server could not do it now",
      hint: waitHint(answer, nowMs),
      landed: "unknown",
    };
  if (status >= 400)
    return {
      code: "REJECTED",
      why: "the server refused",
      hint: clock ?? region ?? endpointHint(answer) ?? "check endpoint, region and bucket",
    };
  return {
    code: "REJECTED",
    why: "not the answer of an S3 server",
    hint: "is the endpoint that of an S3 server, with nothing in between that answers for it?",
    landed: "unknown",
  };
}

function accessHint(code: string, attempt: Attempt): string {
  if (code === "InvalidAccessKeyId")
    return "this server does not know the access key id: check it, and the endpoint";
  if (code === "SignatureDoesNotMatch")
    return "the secret access key does not fit the access key id: enter it again";
  if (code === "ExpiredToken" || code === "InvalidToken")
    return "the session token is not valid any more: get new credentials";
  return attempt.kind === "read"
    ? "allow this key s3:GetObject on the prefix; or it does not exist and this key may not list (s3:ListBucket)"
    : "allow this key s3:PutObject (and s3:DeleteObject to delete) on the prefix";
}

function bypassHint({ bypassedProfile }: Attempt): string {
  return bypassedProfile === null
    ? ""
    : `; these are the credentials of AWS_SESSION_TOKEN: unset it for those of the profile ${bypassedProfile}`;
}

/** S3 refuses signatures that are more than 15 minutes off. A HEAD has no code, so the `Date` must do. */
function clockHint({ headers }: Answer, code: string, nowMs: number): string | null {
  const date = Date.parse(headers.date ?? "");
  const minutes = Number.isNaN(date) ? 0 : Math.round((nowMs - date) / 60_000);
  if (code !== "RequestTimeTooSkewed" && Math.abs(minutes) < 15) return null;
  return `set this machine's clock: it is ${Math.abs(minutes)} minutes ${minutes < 0 ? "behind" : "ahead of"} the server's`;
}

function regionHint({ headers, body }: Answer, { region, explainRegion }: Attempt): string | null {
  const named = [headers["x-amz-bucket-region"], element(body, "Region")];
  const theirs = named.find(
    (name) => name !== undefined && /^[a-z0-9-]{1,40}$/.test(name) && name !== region,
  );
  if (theirs === undefined) return null;
  return (
    explainRegion?.(theirs) ??
    `the bucket is in region ${theirs}, not ${region}: change the region, and the endpoint if it names one`
  );
}

function endpointHint({ body }: Answer): string | null {
  const endpoint = element(body, "Endpoint");
  return endpoint !== undefined && /^[A-Za-z0-9.-]{1,255}$/.test(endpoint)
    ? `the server names another endpoint for this bucket: ${endpoint}`
    : null;
}

function waitHint(answer: Answer, nowMs: number): string {
  const seconds = Math.ceil(retryAfterMs(answer, nowMs) / 1000);
  return seconds > 0
    ? `the server asks to wait ${seconds} s; then run the command again`
    : "wait a little, then run the command again";
}

/** The code of S3's XML error, and its message fit for a terminal; empty for any other body. */
export function parseError({ body }: Answer): { code: string; message: string } {
  const code = element(body, "Code") ?? "";
  if (!/^[A-Za-z0-9.]{1,64}$/.test(code)) return { code: "", message: "" };
  const message = (element(body, "Message") ?? "").replace(/[^ -~]+/g, " ").trim();
  return { code, message: message.length > 200 ? `${message.slice(0, 200)}...` : message };
}

/** The text of the first such element of an error; S3's errors are flat. */
function element(body: Uint8Array, name: string): string | undefined {
  const text = Buffer.from(body.buffer, body.byteOffset, Math.min(body.length, 64 * 1024)).toString();
  return text.includes("<Error>")
    ? new RegExp(`<${name}>([^<]*)</${name}>`).exec(text)?.[1]?.trim()
    : undefined;
}
