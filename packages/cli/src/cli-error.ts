// The error every command ends in: what happened and why (message), the exact next command (hint), and a code
// that fixes the exit status.

import type { StoreError } from "@vsync/store";
import type { ErrorCode } from "./exit-codes.ts";

export class CliError extends Error {
  readonly code: ErrorCode;
  readonly hint: string;
  /** For `--json`: the lists that the message shortens. Nothing secret. */
  readonly details: object | undefined;

  constructor(
    code: ErrorCode,
    message: string,
    hint: string,
    options: ErrorOptions & { readonly details?: object } = {},
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.hint = hint;
    this.details = options.details;
  }

  override get name(): string {
    return "CliError";
  }
}

/** Gives whatever was thrown its place in the table of exit codes. */
export function toCliError(error: unknown): CliError {
  if (error instanceof CliError) return error;
  if (isStoreError(error)) return fromStoreError(error);
  const code = errorCode(error);
  if (error instanceof Error && code !== null) {
    const known = FORMAT_ERRORS[code];
    if (known !== undefined) return new CliError(known.code, error.message, known.hint, { cause: error });
    if ("syscall" in error) {
      return new CliError("LOCAL_IO", error.message, LOCAL_IO_HINTS[code] ?? OTHER_IO_HINT, { cause: error });
    }
  }
  // Only what kind of error it is: its message may quote anything, a secret included.
  const name = error instanceof Error ? error.name : typeof error;
  return new CliError("INTERNAL", `unexpected: ${name}${code === null ? "" : ` (${code})`}`, BUG_HINT, {
    cause: error,
  });
}

const BUG_HINT =
  "this is a bug in vsync; please report it, with the command you typed and what `vsync doctor` says (no secret is in that)";

// Told apart by their shape, not by instanceof: importing the packages that define them would cost every
// start what only failures need.
function isStoreError(error: unknown): error is StoreError {
  return error instanceof Error && "landed" in error && "hint" in error;
}

function errorCode(error: unknown): string | null {
  return error instanceof Error && "code" in error && typeof error.code === "string" ? error.code : null;
}

function fromStoreError(error: StoreError): CliError {
  return new CliError(STORE_ERRORS[error.code], error.message, error.hint, { cause: error });
}

const STORE_ERRORS: Readonly<Record<StoreError["code"], ErrorCode>> = {
  ACCESS_DENIED: "ACCESS_DENIED",
  UNREACHABLE: "UNREACHABLE",
  PRECONDITION_FAILED: "CONFLICT",
  BUCKET_MISSING: "NOT_CONFIGURED",
  NOT_SUPPORTED: "UNSAFE_STORE",
  REJECTED: "INPUT",
  TOO_LARGE: "CORRUPT",
  CORRUPT: "CORRUPT",
  LOCAL_IO: "LOCAL_IO",
};

const FORMAT_ERRORS: Readonly<Record<string, { code: ErrorCode; hint: string }>> = {
  VSYNC_CONFIG_MISSING: { code: "NOT_CONFIGURED", hint: "" },
  VSYNC_CONFIG_UNSUPPORTED_VERSION: {
    code: "UNSUPPORTED_VERSION",
    hint: "npm install -g @muthuishere/vsync@latest",
  },
  VSYNC_S3_UNREACHABLE: { code: "UNREACHABLE", hint: "" },
  VSYNC_MANIFEST_NOT_FOUND: { code: "NOT_CONFIGURED", hint: "vsync push <env>" },
  VSYNC_WRONG_PASSPHRASE: { code: "WRONG_PASSPHRASE", hint: "" },
  VSYNC_BUNDLE_CORRUPT: { code: "CORRUPT", hint: "" },
  VSYNC_UNSUPPORTED_SPEC_VERSION: {
    code: "UNSUPPORTED_VERSION",
    hint: "npm install -g @muthuishere/vsync@latest",
  },
  VSYNC_INPUT_REFUSED: { code: "INPUT", hint: "" },
};

const OTHER_IO_HINT = "put that right, then run the same command again";

const LOCAL_IO_HINTS: Readonly<Record<string, string>> = {
  ENOENT: "make the folder, or name a path in one that is there",
  ENOSPC: "free some disk space and run the same command again",
  EDQUOT: "free some of your disk quota and run the same command again",
  EACCES: "check who owns the path and its permissions, then run the same command again",
  EPERM: "check who owns the path and its permissions, then run the same command again",
  EBUSY:
    "another program uses the path, or something is mounted there (then mount the folder that it lies in instead); free it and run the same command again",
  EIO: "the disk does not take what is written to it: look at the system's log (dmesg), then run the same command again",
  EROFS:
    "the file system is read-only; set HOME, or XDG_CONFIG_HOME and XDG_STATE_HOME, to folders that can be written",
  EMFILE: "too many open files: raise the limit (ulimit -n) and run the same command again",
};
