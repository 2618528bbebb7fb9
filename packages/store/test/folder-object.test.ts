// The one-file form of an object: exact bytes out, and every kind of damage told apart on the way in.

import { createHash } from "node:crypto";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  decodeFolderHeader,
  decodeFolderObject,
  encodeFolderHeader,
  keyToNames,
  keyToPath,
  MAX_FOLDER_HEADER,
  nameToPart,
} from "../src/folder-object.ts";

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const sha256 = (data: Uint8Array): string => createHash("sha256").update(data).digest("hex");

function fileOf(body: Uint8Array, metadata: Record<string, string>): Uint8Array {
  return new Uint8Array(Buffer.concat([encodeFolderHeader(body, metadata), body]));
}

describe("the file of an object", () => {
  test("is one line of JSON in this order, a line feed, and the body", () => {
    const file = fileOf(bytes("hi\n"), { gen: "1", "prev-ts": "" });
    expect(Buffer.from(file).toString()).toBe(
      `{"metadata":{"gen":"1","prev-ts":""},"size":3,"sha256":"${sha256(bytes("hi\n"))}"}\nhi\n`,
    );
  });

  test("decodes to what was encoded, whatever it was; the ETag is the SHA-256 of all of it", () => {
    const metadata = fc.dictionary(
      fc.stringMatching(/^[a-z0-9-]{1,12}$/),
      fc.stringMatching(/^[ -~]{0,40}$/),
    );
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), metadata, (body, meta) => {
        const file = fileOf(body, meta);
        expect(decodeFolderObject(file)).toEqual({ body, metadata: meta, etag: sha256(file) });
      }),
    );
  });

  test("may have been written by another program: order, spaces and unknown fields of the line are free", () => {
    const header = `{ "v": 2, "sha256": "${sha256(bytes("x"))}", "size": 1, "metadata": { "a": "b" } }\n`;
    expect(decodeFolderObject(bytes(`${header}x`))).toMatchObject({ metadata: { a: "b" }, body: bytes("x") });
  });

  test.each([
    ["nothing at all", "", "has no header line"],
    ["no line feed", '{"metadata":{},"size":0,"sha256":""}', "has no header line"],
    ["a first line beyond 64 KiB", `${" ".repeat(MAX_FOLDER_HEADER)}\n`, "has no header line"],
    ["a first line that is not JSON", "DATABASE_URL=x\n", "has a header line that is not JSON"],
    ["a byte order mark", '\ufeff{"metadata":{},"size":0}\n', "has a header line that is not JSON"],
    ["an array", "[]\n", "has a header line that is not a JSON object"],
    ["null", "null\n", "has a header line that is not a JSON object"],
    ["no metadata", '{"size":0}\n', "has no metadata in its header"],
    ["metadata that is a list", '{"metadata":[],"size":0}\n', "has no metadata in its header"],
    ["metadata that is no text", '{"metadata":{"a":1},"size":0}\n', "has no metadata in its header"],
    ["no size", '{"metadata":{}}\n', "has no size in its header"],
    ["a size that is text", '{"metadata":{},"size":"0"}\n', "has no size in its header"],
    ["a negative size", '{"metadata":{},"size":-1}\n', "has no size in its header"],
    ["a size beyond 2^53", '{"metadata":{},"size":9007199254740992}\n', "has no size in its header"],
    ["a short digest", '{"metadata":{},"size":0,"sha256":"ab"}\n', "has no SHA-256 in its header"],
    [
      "a digest in upper case",
      `{"metadata":{},"size":0,"sha256":"${"A".repeat(64)}"}\n`,
      "has no SHA-256 in its header",
    ],
    [
      "fewer bytes",
      `{"metadata":{},"size":2,"sha256":"${"a".repeat(64)}"}\nx`,
      "holds 1 bytes where its header says 2",
    ],
    [
      "more bytes",
      `{"metadata":{},"size":0,"sha256":"${"a".repeat(64)}"}\nx`,
      "holds 1 bytes where its header says 0",
    ],
    [
      "other bytes",
      `{"metadata":{},"size":1,"sha256":"${"a".repeat(64)}"}\nx`,
      "does not have the SHA-256 its header says",
    ],
  ])("%s is damage", (_, file, damage) => {
    expect(decodeFolderObject(bytes(file))).toEqual({ damage });
  });

  test("a header that is not UTF-8 is damage", () => {
    expect(decodeFolderHeader(Buffer.from('{"metadata":{"a":"\xff"}}\n', "latin1"))).toEqual({
      damage: "has a header line that is not JSON",
    });
  });
});

describe("the path of a key", () => {
  test.each([
    ["demo/manifest", "demo/manifest"],
    ["v=20261122-070000", "v%3D20261122-070000"],
    [".", "%2E"],
    ["../../etc/passwd", "%2E%2E/%2E%2E/etc/passwd"],
    ["a/.../b", "a/%2E%2E%2E/b"],
    [".hidden/..x", ".hidden/..x"],
    ["C:\\x", "C%3A%5Cx"],
    ["nul\0", "nul%00"],
    ["ü 🔑", "%C3%BC%20%F0%9F%94%91"],
    ["100%", "100%25"],
    ["@vsync/lock", "%40vsync/lock"],
  ])("%j is %j", (key, path) => {
    expect(keyToPath("/bucket", key)).toBe(`/bucket/${path}`);
  });

  test.each(["", "/", "/a", "a/", "a//b", "\ud800", "a/\udc00b", "k".repeat(256), "é".repeat(43)])(
    "%j has none",
    (key) => {
      expect(keyToPath("/bucket", key)).toBeNull();
    },
  );

  test("is inside the bucket's folder, and no two keys share one", () => {
    const part = fc.oneof(
      fc.string({ unit: "binary", maxLength: 8 }),
      fc.constantFrom(".", "..", "...", "%2E", "%2e", "@vsync"),
    );
    const key = fc.array(part, { minLength: 1, maxLength: 4 }).map((parts) => parts.join("/"));
    fc.assert(
      fc.property(key, key, (one, other) => {
        const names = keyToNames(one);
        if (names === null) return;
        for (const name of names) expect(name).toMatch(/^(?!\.+$)[A-Za-z0-9%._~!*'()-]{1,255}$/);
        if (one !== other) expect(keyToPath("/b", other)).not.toBe(keyToPath("/b", one));
        expect(names.map(nameToPart).join("/")).toBe(one);
      }),
      { numRuns: 2000 },
    );
  });

  test.each([
    "%2e",
    "%41",
    "a b",
    "é",
    "%",
    "%ff",
    ".",
    "..",
    "@vsync",
    "a%2Fb",
    "file (conflicted copy)",
    "+",
  ])("%j is no name that a key could have", (name) => {
    expect(nameToPart(name)).toBeNull();
  });
});
