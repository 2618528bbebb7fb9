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
  INPUT: { status: 1, meaning: "something missing or unusable" },
  ACCESS_DENIED: { status: 2, meaning: "the store refused the credentials" },
  UNREACHABLE: { status: 3, meaning: "no connection, no answer, or server errors to the last try" },
  NOT_CONFIGURED: {
    status: 4,
    meaning: "no configuration, no key or nothing pushed; the hint says what to run",
  },
  CONFLICT: {
    status: 5,
    meaning: "somebody published in between, another vsync is at work here, or a grace period still runs",
  },
  LOCAL_CHANGES: { status: 6, meaning: "edits in the vault folder would be lost" },
  WRONG_PASSPHRASE: {
    status: 7,
    meaning: "the passphrase in use is not the one that sealed what is in the bucket",
  },
  CORRUPT: { status: 8, meaning: "what was read is damaged or forged, and not to be used" },
  UNSUPPORTED_VERSION: { status: 8, meaning: "written by a newer release" },
  ROLLBACK: { status: 8, meaning: "the bucket is older than what this machine has seen" },
  OUTCOME_UNKNOWN: {
    status: 9,
    meaning: "a write may have arrived or not; the next run finds out",
  },
  UNSAFE_STORE: {
    status: 10,
    meaning: "the server ignores conditional writes, and nobody said `--single-writer`",
  },
  LOCAL_IO: { status: 11, meaning: "disk, permissions or keychain" },
  PARTIAL: { status: 12, meaning: "the main thing is done, and something named is not" },
  INTERNAL: { status: 70, meaning: "a bug in vsync" },
  INTERRUPTED: { status: 130, meaning: "Ctrl-C" },
};

export function exitStatus(code: ErrorCode): number {
  return EXIT_CODES[code].status;
}
