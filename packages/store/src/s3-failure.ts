// Why an S3 server did not answer, as the error of a store: DNS, connection, TLS, silence and truncation told apart.

import { CredentialsError } from "./credentials.ts";
import { StoreError, type StoreErrorCode } from "./object-store.ts";
import { type Exchange, OversizeError, SilenceError, TruncationError } from "./s3-transport.ts";

/** What was being done; the words of the message. */
export interface Attempt {
  /** Completes "cannot ...": "read a/manifest". */
  readonly doing: string;
  /** Endpoint and bucket. */
  readonly where: string;
  readonly kind: "read" | "write" | "conditional write";
  readonly region: string;
  /** What to do when the bucket is in another region, in the caller's words. */
  readonly explainRegion: ((theirs: string) => string) | undefined;
  /** The AWS profile in whose place credentials from the environment are used. */
  readonly bypassedProfile: string | null;
  /** The name of a proxy variable that is set. */
  readonly proxyVariable: string | null;
  readonly retried: boolean;
}

export interface Finding {
  readonly code: StoreErrorCode;
  readonly why: string;
  readonly hint: string;
  readonly landed?: "no" | "unknown";
}

const CHECK_ENDPOINT = "check the endpoint, and that this machine can reach it";
const TRUST =
  "if the server's certificate is signed by your own authority, name that authority's file in NODE_EXTRA_CA_CERTS";

/** What these mean while a connection is being made. Later they can come too, from a connection that was good. */
const WHILE_CONNECTING: Readonly<Record<string, readonly [why: string, hint: string]>> = {
  ENOTFOUND: ["its name is not known (DNS)", "check the spelling of the endpoint and this machine's DNS"],
  EAI_AGAIN: ["DNS does not answer", "check this machine's network and DNS"],
  ECONNREFUSED: [
    "nothing listens there",
    "check the endpoint's host and port, and that the server is running",
  ],
  EHOSTUNREACH: ["there is no way to that host", CHECK_ENDPOINT],
  ENETUNREACH: ["there is no network to it", CHECK_ENDPOINT],
  EADDRNOTAVAIL: ["there is no network to it", CHECK_ENDPOINT],
  ETIMEDOUT: ["no connection in time", CHECK_ENDPOINT],
  CERT_HAS_EXPIRED: [
    "its TLS certificate has expired",
    "renew the certificate, and check this machine's clock",
  ],
  CERT_NOT_YET_VALID: ["its TLS certificate is not valid yet", "check this machine's clock"],
  DEPTH_ZERO_SELF_SIGNED_CERT: ["its TLS certificate is self-signed", TRUST],
  SELF_SIGNED_CERT_IN_CHAIN: ["its TLS certificate is signed by an unknown authority", TRUST],
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: ["its TLS certificate is signed by an unknown authority", TRUST],
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: ["its TLS certificate is signed by an unknown authority", TRUST],
  ERR_TLS_CERT_ALTNAME_INVALID: [
    "its TLS certificate is for another host",
    "use the host name that the certificate was issued for",
  ],
  ERR_SSL_WRONG_VERSION_NUMBER: [
    "it does not speak TLS there",
    "is it http:// rather than https://, or another port?",
  ],
  EPROTO: ["it does not speak TLS there", "is it http:// rather than https://, or another port?"],
};

/** Why a request that ended in `failure` may be sent again: what broke was the connection, not the request. */
export function isBroken(failure: unknown): boolean {
  return (
    failure instanceof TruncationError ||
    ["ECONNRESET", "EPIPE", "ECONNREFUSED", "ECONNABORTED", "EAI_AGAIN"].includes(codeOf(failure))
  );
}

/** No answer came. The cause is what the network or the transport reported. */
export function failureError(failure: unknown, { signal, sent }: Exchange, attempt: Attempt): StoreError {
  const { code, why, hint } = judgeFailure(failure, signal, sent);
  const proxy =
    code === "UNREACHABLE" && attempt.proxyVariable !== null && !signal?.aborted
      ? `; ${attempt.proxyVariable} is set, but vsync connects directly`
      : "";
  return new StoreError(code, `cannot ${attempt.doing} (${attempt.where}): ${why}`, {
    hint: `${hint}${proxy}`,
    // What an error is called does not tell when it came: only the connection knows whether anything was sent.
    landed: attempt.kind === "read" || !sent ? "no" : "unknown",
    retried: attempt.retried,
    cause: failure,
  });
}

function judgeFailure(failure: unknown, signal: AbortSignal | undefined, sent: boolean): Finding {
  if (signal?.aborted) return { code: "UNREACHABLE", why: "cancelled", hint: "run the command again" };
  if (failure instanceof CredentialsError)
    return { code: "ACCESS_DENIED", why: failure.message, hint: failure.hint };
  if (failure instanceof OversizeError)
    return {
      code: "TOO_LARGE",
      why: `the answer is too large: ${failure.message}`,
      hint: "is this the bucket and the prefix that were meant?",
    };
  if (failure instanceof TruncationError)
    return {
      code: "UNREACHABLE",
      why: failure.message,
      hint: "check the network, then run the command again",
    };
  if (failure instanceof SilenceError)
    return {
      code: "UNREACHABLE",
      why: failure.message,
      hint: CHECK_ENDPOINT,
    };
  const errno = codeOf(failure);
  const [why, hint] = WHILE_CONNECTING[errno] ?? [];
  if (why !== undefined && hint !== undefined && !sent) return { code: "UNREACHABLE", why, hint };
  if (errno === "ERR_INVALID_CHAR")
    return {
      code: "REJECTED",
      why: "the credentials or the region hold a character that no request can carry",
      hint: "enter them again: a line break may have come along",
    };
  if (errno.startsWith("HPE_"))
    return {
      code: "UNREACHABLE",
      why: "it does not speak HTTP",
      hint: "is it https:// rather than http://, or another port?",
    };
  if (errno !== "")
    return {
      code: "UNREACHABLE",
      why: `the connection broke (${errno})`,
      hint: "check the network, then run the command again",
    };
  // Not from the network at all: it would not even be sent.
  return {
    code: "REJECTED",
    why: messageOf(failure),
    hint: "check endpoint, region and bucket",
  };
}

function codeOf(failure: unknown): string {
  return failure instanceof Error && "code" in failure && typeof failure.code === "string"
    ? failure.code
    : "";
}

function messageOf(failure: unknown): string {
  return (failure instanceof Error ? failure.message : String(failure))
    .replace(/[^ -~]+/g, " ")
    .slice(0, 200);
}
