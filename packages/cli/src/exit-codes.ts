// The one table from an error's code to the exit status and what it means; the documentation prints this table.

export interface ExitCode {
  readonly status: number;
  readonly meaning: string;
}

export type ErrorCode =
  | "USAGE"
  | "INPUT"
  | "ACCESS_DENIED"
  | "UNREACHABLE"
  | "NOT_CONFIGURED"
  | "CONFLICT"
  | "LOCAL_CHANGES"
  | "WRONG_PASSPHRASE"
  | "CORRUPT"
  | "UNSUPPORTED_VERSION"
  | "ROLLBACK"
  | "OUTCOME_UNKNOWN"
  | "UNSAFE_STORE"
  | "LOCAL_IO"
  | "PARTIAL"
  | "INTERNAL"
  | "INTERRUPTED";

export const EXIT_CODES: Readonly<Record<ErrorCode, ExitCode>> = {
  USAGE: { status: 1, meaning: "wrong arguments" },
  INPUT: { status: 1, meaning: "missing or unusable input" },
  ACCESS_DENIED: { status: 2, meaning: "the store refused the credentials or the permission" },
  UNREACHABLE: { status: 3, meaning: "DNS, TCP, TLS, timeout, 5xx after retries" },
  NOT_CONFIGURED: { status: 4, meaning: "no config, no key, no manifest: what to run is in the hint" },
  CONFLICT: { status: 5, meaning: "somebody else published first, or another vsync holds the lock" },
  LOCAL_CHANGES: { status: 6, meaning: "going on would lose local edits" },
  WRONG_PASSPHRASE: { status: 7, meaning: "the passphrase does not open this vault" },
  CORRUPT: { status: 8, meaning: "what was read is damaged and must not be used" },
  UNSUPPORTED_VERSION: { status: 8, meaning: "written by a newer release" },
  ROLLBACK: { status: 8, meaning: "the bucket is older than what was seen before" },
  OUTCOME_UNKNOWN: {
    status: 9,
    meaning: "a write may or may not have landed; run again: it finds out",
  },
  UNSAFE_STORE: {
    status: 10,
    meaning: "the server does not do conditional writes, and the environment is not marked singleWriter",
  },
  LOCAL_IO: { status: 11, meaning: "disk full, permissions, keychain unavailable" },
  PARTIAL: { status: 12, meaning: "the main thing is done, a named follow-up is not" },
  INTERNAL: { status: 70, meaning: "a bug in vsync" },
  INTERRUPTED: { status: 130, meaning: "interrupted" },
};

export function exitStatus(code: ErrorCode): number {
  return EXIT_CODES[code].status;
}
