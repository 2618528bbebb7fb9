// What went wrong before there was an HTTP answer, in words that say what to do. The endpoint's name and address stay
// out of message and cause: both end up in logs.

import { S3UnreachableError } from "@vsync/envelope";
import { environmentValue } from "#bootstrap";

const TRUST =
  "if the server's certificate is signed by a CA of your own, start Node with NODE_EXTRA_CA_CERTS=<file>";

const REASONS: Readonly<Record<string, string>> = {
  ENOTFOUND: "its name does not resolve (DNS); check the endpoint and this machine's resolver",
  EAI_AGAIN: "the name server did not answer (DNS); check this machine's resolver",
  ECONNREFUSED:
    "nothing listens there (connection refused); check the endpoint's port and that the server runs",
  ECONNRESET: "the connection was cut before the answer was complete; try again, or look at the server's log",
  EPIPE: "the connection was cut before the answer was complete; try again, or look at the server's log",
  ETIMEDOUT: "the connection timed out; check routes and firewalls between here and the endpoint",
  EHOSTUNREACH: "no route leads to it; check this machine's network",
  ENETUNREACH: "no route leads to it; check this machine's network",
  EMFILE: "this process has too many open files; raise its limit",
  ERR_PROXY_TUNNEL: "the proxy would not connect to it; check HTTPS_PROXY and NO_PROXY",
  EPROTO: "it does not speak TLS there; is the endpoint meant to be http://?",
  CERT_HAS_EXPIRED: "its TLS certificate has expired; renew it, or correct this machine's clock",
  CERT_NOT_YET_VALID: "its TLS certificate is not valid yet; correct this machine's clock",
  ERR_TLS_CERT_ALTNAME_INVALID: "its TLS certificate is for another name; check the endpoint's host name",
  DEPTH_ZERO_SELF_SIGNED_CERT: `its TLS certificate is self-signed; ${TRUST}`,
  SELF_SIGNED_CERT_IN_CHAIN: `its TLS certificate comes from a CA that Node does not know; ${TRUST}`,
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: `its TLS certificate comes from a CA that Node does not know; ${TRUST}`,
  UNABLE_TO_GET_ISSUER_CERT: `its TLS certificate comes from a CA that Node does not know; ${TRUST}`,
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: `its TLS certificate comes from a CA that Node does not know; ${TRUST}`,
};

/** The error for a request that got no whole answer. What is one of ours already stays as it is. */
export function connectionFailed(error: unknown): S3UnreachableError {
  if (error instanceof S3UnreachableError) return error;
  const code = errorCode(error);
  const cause = code === null ? undefined : { cause: new Error(code) };
  return new S3UnreachableError(
    `the bucket's server was not reached: ${reasonFor(code)}${proxyHint()}`,
    cause,
  );
}

export function transferCutShort(received: number, declared: number): S3UnreachableError {
  return new S3UnreachableError(
    `the server declared ${declared} bytes and sent ${received}: something on the way changes or cuts its answers; try again without it`,
  );
}

/** The end of a message where a proxy may be the only way out. */
export function proxyHint(): string {
  const names = ["HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"];
  const set = names.find((name) => (environmentValue(name) ?? "") !== "");
  if (set === undefined || environmentValue("NODE_USE_ENV_PROXY") === "1") return "";
  return `; ${set} is set, but a proxy is used only where Node itself uses one (24.5 and later, with NODE_USE_ENV_PROXY=1), or by a \`fetch\` given to openWith`;
}

function reasonFor(code: string | null): string {
  if (code === null) {
    return "the request failed without a reason given; in a browser that is also what a missing CORS rule of the bucket looks like";
  }
  const known = REASONS[code];
  if (known !== undefined) return known;
  if (code.startsWith("HPE_")) {
    return `what answers there is not HTTP (${code}); is the endpoint meant to be https://?`;
  }
  if (code.startsWith("CERT_") || code.startsWith("ERR_TLS_") || code.startsWith("ERR_SSL_")) {
    return `TLS failed (${code}); ${TRUST}`;
  }
  return `${code}; check the endpoint and the network between here and there`;
}

/** A code is a short upper-case word from the runtime: unlike messages it holds no host, path or address. */
function errorCode(error: unknown): string | null {
  for (let at = error, depth = 0; at instanceof Error && depth < 5; at = at.cause, depth++) {
    const { code } = at as { code?: unknown };
    if (typeof code === "string" && /^[A-Z][A-Z0-9_]{2,60}$/.test(code)) return code;
  }
  return null;
}
