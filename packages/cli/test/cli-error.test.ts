import { spawnSync } from "node:child_process";
import {
  BundleCorruptError,
  ConfigMissingError,
  InputRefusedError,
  ManifestNotFoundError,
  S3UnreachableError,
  UnsupportedSpecVersionError,
  WrongPassphraseError,
} from "@vsync/envelope";
import { StoreError, type StoreErrorCode } from "@vsync/store";
import { describe, expect, test } from "vitest";
import { CliError, toCliError } from "../src/cli-error.ts";
import { type ErrorCode, exitStatus } from "../src/exit-codes.ts";

test("a command's own error stays as it is", () => {
  const error = new CliError("CONFLICT", "what", "do this");
  expect(toCliError(error)).toBe(error);
});

test.each<[Error, ErrorCode, number]>([
  [new ConfigMissingError("m"), "NOT_CONFIGURED", 4],
  [new S3UnreachableError("m"), "UNREACHABLE", 3],
  [new ManifestNotFoundError("m"), "NOT_CONFIGURED", 4],
  [new WrongPassphraseError("m"), "WRONG_PASSPHRASE", 7],
  [new BundleCorruptError("m"), "CORRUPT", 8],
  [new UnsupportedSpecVersionError("m"), "UNSUPPORTED_VERSION", 8],
  [new InputRefusedError("m"), "INPUT", 1],
])("%s becomes %s, status %i", (error, code, status) => {
  expect(toCliError(error)).toMatchObject({ code, message: "m", cause: error });
  expect(exitStatus(code)).toBe(status);
});

describe("a store's", () => {
  test.each<[StoreErrorCode, ErrorCode, number]>([
    ["ACCESS_DENIED", "ACCESS_DENIED", 2],
    ["UNREACHABLE", "UNREACHABLE", 3],
    ["PRECONDITION_FAILED", "CONFLICT", 5],
    ["BUCKET_MISSING", "NOT_CONFIGURED", 4],
    ["NOT_SUPPORTED", "UNSAFE_STORE", 10],
    ["REJECTED", "INPUT", 1],
    ["TOO_LARGE", "CORRUPT", 8],
    ["CORRUPT", "CORRUPT", 8],
    ["LOCAL_IO", "LOCAL_IO", 11],
  ])("%s becomes %s, status %i, and keeps its hint", (store, code, status) => {
    expect(toCliError(new StoreError(store, "m", { hint: "h" }))).toMatchObject({
      code,
      message: "m",
      hint: "h",
    });
    expect(exitStatus(code)).toBe(status);
  });

  test("write that may have landed is no unknown outcome of a publish: only that is OUTCOME_UNKNOWN", () => {
    const error = new StoreError("UNREACHABLE", "m", { hint: "h", landed: "unknown" });
    expect(toCliError(error)).toMatchObject({ code: "UNREACHABLE", hint: "h" });
  });
});

test.each(["ENOENT", "ENOSPC", "EACCES", "EROFS", "EMFILE", "EBUSY"])(
  "the system's %s is LOCAL_IO with what to do",
  (code) => {
    const error = Object.assign(new Error(`${code}: no, open '/x'`), { code, syscall: "open" });
    expect(toCliError(error)).toMatchObject({
      code: "LOCAL_IO",
      hint: expect.stringMatching(/^(?!put that right)./),
    });
  },
);

test("anything else is a bug, and says so", () => {
  for (const bug of [new TypeError("x is not a function"), "text", undefined]) {
    expect(toCliError(bug)).toMatchObject({ code: "INTERNAL", hint: expect.stringContaining("report") });
  }
});

test("a bug's own message is not repeated: nobody knows what it quotes", () => {
  let thrown: unknown;
  try {
    spawnSync("true", { env: { TOKEN: "canary\0secret" } });
  } catch (error) {
    thrown = error;
  }
  const { message, hint } = toCliError(thrown);
  expect(message).toBe("unexpected: TypeError (ERR_INVALID_ARG_VALUE)");
  expect(hint).toContain("vsync doctor");
  for (const bug of [new Error("canary"), "canary", { name: "canary" }]) {
    expect(toCliError(bug).message).not.toContain("canary");
  }
});
