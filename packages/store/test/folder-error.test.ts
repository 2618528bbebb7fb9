// What the system says about a file, as the error of the folder store.

import { mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { describe, expect, onTestFinished, test } from "vitest";
import { folderError, isErrno } from "../src/folder-error.ts";
import { openStore, StoreError } from "../src/index.ts";
import { failureOf } from "./contract.ts";

const systemError = (code: string): Error => Object.assign(new Error(`${code}: it failed`), { code });

describe("a failed system call", () => {
  test.each([
    ["EACCES", "ACCESS_DENIED", /permission/],
    ["EPERM", "ACCESS_DENIED", /permission/],
    ["EROFS", "LOCAL_IO", /mounted read-only/],
    ["ENOSPC", "LOCAL_IO", /disk is full/],
    ["EDQUOT", "LOCAL_IO", /quota/],
    ["EMFILE", "LOCAL_IO", /ulimit -n/],
    ["ENFILE", "LOCAL_IO", /too many files are open on this machine/],
    ["EIO", "LOCAL_IO", /disk reports an error/],
    ["EBUSY", "LOCAL_IO", /check the bucket's folder/],
  ])("%s is %s, says so and what to do", (code, expected, hint) => {
    const cause = systemError(code);
    const error = folderError(cause, "write a", undefined);
    expect(error).toBeInstanceOf(StoreError);
    expect(error).toMatchObject({ code: expected, message: `cannot write a: ${code}`, landed: "no" });
    expect(error.hint).toMatch(hint);
    expect(error.cause).toBe(cause);
  });

  test("after which the object may be there says that", () => {
    expect(folderError(systemError("EIO"), "write a", undefined, "unknown").landed).toBe("unknown");
  });

  test("after a signal is the signal's: its reason is the cause", () => {
    const reason = new Error("enough");
    const error = folderError(systemError("EIO"), "write a", AbortSignal.abort(reason), "unknown");
    expect(error).toMatchObject({
      code: "UNREACHABLE",
      message: "cancelled: cannot write a",
      landed: "unknown",
    });
    expect(error.cause).toBe(reason);
    expect(folderError(systemError("EIO"), "write a", new AbortController().signal).code).toBe("LOCAL_IO");
  });

  test("that is the store's error already stays that one", () => {
    const error = new StoreError("CORRUPT", "damaged", { hint: "" });
    expect(folderError(error, "read a", AbortSignal.abort())).toBe(error);
  });

  test("is told by its code, and what has none is told by itself", () => {
    expect(isErrno(systemError("ENOENT"), "EEXIST", "ENOENT")).toBe(true);
    expect(isErrno(systemError("EACCES"), "EEXIST", "ENOENT")).toBe(false);
    expect(isErrno(new Error("ENOENT"), "ENOENT")).toBe(false);
    expect(isErrno({ code: "ENOENT" }, "ENOENT")).toBe(false);
    expect(folderError("odd", "read a", undefined).message).toBe("cannot read a: odd");
    expect(folderError(new RangeError("odd"), "read a", undefined).message).toBe(
      "cannot read a: RangeError: odd",
    );
  });
});

describe("a folder", () => {
  function scratch(): string {
    const folder = mkdtempSync(join(tmpdir(), "vsync-folder-"));
    onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
    return folder;
  }
  const open = (endpoint: string, createBucket = false) =>
    openStore(
      {
        endpoint: pathToFileURL(endpoint).href,
        region: "",
        bucket: "bucket",
        accessKeyId: "",
        secretAccessKey: "",
      },
      { createBucket },
    );

  test("below a file is no bucket", async () => {
    const folder = scratch();
    writeFileSync(join(folder, "file"), "");
    const store = await open(join(folder, "file"));
    expect(await failureOf(store.get("a"))).toMatchObject({ code: "BUCKET_MISSING" });
    expect(await failureOf(open(join(folder, "file"), true))).toMatchObject({ code: "LOCAL_IO" });
  });

  test("that the system cannot look up, or not make, is not a missing bucket", async () => {
    const folder = scratch();
    symlinkSync("bucket", join(folder, "bucket"));
    const store = await open(folder);
    expect(await failureOf(store.get("a"))).toMatchObject({ code: "LOCAL_IO" });
    rmSync(join(folder, "bucket"));
    const made = await open(folder, true);
    const tooLong = `${"part".repeat(50)}/`.repeat(25);
    expect(await failureOf(made.put(`${tooLong}a`, new Uint8Array()))).toMatchObject({
      code: "LOCAL_IO",
      landed: "no",
    });
  });
});
