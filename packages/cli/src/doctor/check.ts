// One line of `vsync doctor`: what was looked at, how it is, and what to do about it.

import { toCliError } from "../cli-error.ts";
import type { ErrorCode } from "../exit-codes.ts";

export interface Check {
  readonly name: string;
  readonly level: "ok" | "warn" | "fail";
  readonly says: string;
  /** The next command or step; empty when all is well. */
  readonly fix: string;
  /** Of a failure: what a command that meets it ends with. */
  readonly code: ErrorCode | null;
}

export function ok(name: string, says: string): Check {
  return { name, level: "ok", says, fix: "", code: null };
}

export function warn(name: string, says: string, fix: string): Check {
  return { name, level: "warn", says, fix, code: null };
}

export function fail(name: string, code: ErrorCode, says: string, fix: string): Check {
  return { name, level: "fail", says, fix, code };
}

export function failed(name: string, error: unknown): Check {
  const { code, message, hint } = toCliError(error);
  return fail(name, code, message, hint);
}
