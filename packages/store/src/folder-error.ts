// What the operating system said about a file, as the error of a store.

import { StoreError, type StoreErrorDetails } from "./object-store.ts";

/** Whether `error` is a system call's failure with one of these codes. */
export function isErrno(error: unknown, ...codes: readonly string[]): boolean {
  return error instanceof Error && "code" in error && codes.includes(String(error.code));
}

const HINTS: Readonly<Record<string, string>> = {
  EACCES: "give this user permission to read and write the bucket's folder and everything in it",
  EPERM: "give this user permission to read and write the bucket's folder and everything in it",
  EROFS: "the file system is mounted read-only; mount it for writing or use another folder",
  ENOSPC: "the disk is full; free some space and run the command again",
  EDQUOT: "this user's disk quota is used up; free some space and run the command again",
  EMFILE: "too many files are open; raise the limit with ulimit -n and run the command again",
  ENFILE: "too many files are open on this machine; close some programs and run the command again",
  EIO: "the disk reports an error; check it before you run the command again",
};

/** `what` completes "cannot ...". A cancelled signal is the cause of whatever failed after it. */
export function folderError(
  error: unknown,
  what: string,
  signal: AbortSignal | undefined,
  landed: StoreErrorDetails["landed"] = "no",
): StoreError {
  if (error instanceof StoreError) return error;
  if (signal?.aborted)
    return new StoreError("UNREACHABLE", `cancelled: cannot ${what}`, {
      hint: "run the command again",
      cause: signal.reason,
      landed,
    });
  const code = error instanceof Error && "code" in error ? String(error.code) : String(error);
  return new StoreError(
    isErrno(error, "EACCES", "EPERM") ? "ACCESS_DENIED" : "LOCAL_IO",
    `cannot ${what}: ${code}`,
    {
      hint: HINTS[code] ?? "check the bucket's folder and run the command again",
      cause: error,
      landed,
    },
  );
}
