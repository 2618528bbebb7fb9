// Names and kinds of entries that must not be unpacked, each in an archive made by hand.

import { describe, expect, test } from "vitest";
import { unpackArchive } from "../src/archive.ts";
import { expectRefused } from "./refused-archive.ts";
import { buildZip, type Entry } from "./zip-builder.ts";

const mode = (bits: number) => (bits << 16) >>> 0;

test("the builder's own archive is read when nothing in it lies", async () => {
  const files = await unpackArchive(
    buildZip([
      { name: "stored" },
      { name: "deflated", method: 8, content: "x".repeat(100) },
      { name: "run", attributes: mode(0o100755) },
      { name: "folder/é", content: "" },
    ]),
  );
  expect(
    [...files].map(([name, file]) => [name, Buffer.from(file.bytes).toString(), file.executable]),
  ).toEqual([
    ["stored", "content", false],
    ["deflated", "x".repeat(100), false],
    ["run", "content", true],
    ["folder/é", "", false],
  ]);
  expect(await unpackArchive(buildZip([]))).toEqual(new Map());
});

describe("names", () => {
  const refusedNames: [string, RegExp][] = [
    ["", /it has no name/],
    ["../x", /part ".."/],
    ["a/../b", /part ".."/],
    ["a/..", /part ".."/],
    ["./x", /part "\."/],
    ["/etc/x", /absolute path/],
    ["//server/x", /absolute path/],
    ["C:\\x", /backslash/],
    ["C:x", /drive letter/],
    ["c:/x", /drive letter/],
    ["\\\\srv\\x", /backslash/],
    ["a\\..\\b", /backslash/],
    ["a//b", /empty part/],
    ["a/b:c", /Windows cannot hold/],
    ["a?b", /Windows cannot hold/],
    ["CON", /device on Windows/],
    ["nul.txt", /device on Windows/],
    ["a/Com1.tar.gz", /device on Windows/],
    ["lpt\u00b2", /device on Windows/],
    ["aux .txt", /device on Windows/],
    ["conin$", /device on Windows/],
    ["a.", /dot or a space/],
    ["a /b", /dot or a space/],
    ["a.../b", /dot or a space/],
    ["a\0b", /control character/],
    ["a\u001b[2Jb", /control character/],
    ["a\nb", /control character/],
    ["a\u007f", /control character/],
    ["a\u009bb", /control character/],
    ["a\u2028b", /control character/],
    ["exe.\u202egnp", /direction of text/],
    ["a\u2066b", /direction of text/],
    ["a\u200fb", /direction of text/],
    ["a\u061cb", /direction of text/],
    ["e\u0301", /normal form C/],
    [".git/hooks/x", /\.git/],
    ["sub/.GIT/config", /\.git/],
    [".git", /\.git/],
    ["GIT~1/hooks/x", /\.git/],
    [".g\u200cit/hooks/x", /\.git/],
    ["a".repeat(256), /longer than 255 bytes/],
    ["é".repeat(128), /longer than 255 bytes/],
    [
      `${"a".repeat(255)}/${"b".repeat(255)}/${"c".repeat(255)}/${"d".repeat(255)}/e`,
      /longer than 1024 bytes/,
    ],
    [`${"a/".repeat(64)}b`, /deeper than 64 levels/],
  ];
  test.each(refusedNames)("%j", async (name, message) => {
    await expectRefused(buildZip([{ name: "first" }, { name }]), message);
  });

  test("names that are only unusual are read", async () => {
    const names = [
      ".env",
      ".gitignore",
      "my.git",
      "git~10",
      "git",
      "a b",
      " a",
      "a..b",
      "...a",
      "console",
      "com10",
      "com",
      "nul-a",
      "c",
      "日本語",
      "👩‍💻",
      "a".repeat(255),
      "é".repeat(127),
      `${"a/".repeat(63)}b`,
      `${"1".repeat(255)}/${"b".repeat(255)}/${"c".repeat(255)}/${"d".repeat(256).slice(2)}/e`,
    ];
    const files = await unpackArchive(buildZip(names.map((name) => ({ name }))));
    expect([...files.keys()]).toEqual(names);
  });

  test("a name in a message: cut when it is long, and what would act on a terminal by its number", async () => {
    const shown: [string, RegExp][] = [
      ["exe.\u202egnp", /entry "exe\.\\u\{202e\}gnp": /],
      [`${"a".repeat(99)}:`, /entry "a{99}:": /],
      [`${"a".repeat(100)}:`, /entry "a{100}\.\.\.": /],
    ];
    for (const [name, message] of shown) await expectRefused(buildZip([{ name }]), message);
  });

  test("a name that is not UTF-8", async () => {
    for (const name of [[0xff], [0xc0, 0xaf], [0xed, 0xa0, 0x80], [0x61, 0xe9]]) {
      await expectRefused(buildZip([{ name: "a" }, { name: Uint8Array.from(name) }]), /entry 2 is not UTF-8/);
    }
  });

  test.each<[string, string, RegExp]>([
    ["a", "a", /another file of this name/],
    ["Key.pem", "key.PEM", /differs from "Key.pem" only in case/],
    ["straße", "STRASSE", /only in case/],
    ["ǅ", "ǆ", /only in case/],
    ["gro\u1e9e", "gro\u00df", /only in case/],
    ["Folder/a", "folder/b", /differs from "Folder" only in case/],
    ["a", "a/b", /"a" is a file and cannot be its folder/],
    ["a/b/c", "a/b", /files in a folder "a\/b"/],
    ["A", "a/b", /differs from "A" only in case/],
  ])("%j beside %j", async (first, second, message) => {
    await expectRefused(buildZip([{ name: first }, { name: "between" }, { name: second }]), message);
  });
});

describe("kinds", () => {
  test.each<[string, Entry, RegExp]>([
    [
      "a symbolic link",
      { name: "a", attributes: mode(0o120777), content: "/etc/passwd" },
      /"a": it is a symbolic link/,
    ],
    ["a folder by its name", { name: "a/", content: "" }, /it is a folder/],
    ["a folder by its mode", { name: "a", attributes: mode(0o040755) }, /it is a folder/],
    ["a folder by its DOS attribute", { name: "a", attributes: 0x10 }, /it is a folder/],
    ["a volume label", { name: "a", attributes: 0x08 }, /not a regular file/],
    ["a character device", { name: "a", attributes: mode(0o020666) }, /not a regular file/],
    ["a block device", { name: "a", attributes: mode(0o060666) }, /not a regular file/],
    ["a FIFO", { name: "a", attributes: mode(0o010666) }, /not a regular file/],
    ["a socket", { name: "a", attributes: mode(0o140666) }, /not a regular file/],
    ["set-uid", { name: "a", attributes: mode(0o104755) }, /set-uid/],
    ["set-gid", { name: "a", attributes: mode(0o102755) }, /set-uid, set-gid/],
    ["sticky", { name: "a", attributes: mode(0o101755) }, /sticky/],
    ["set-uid without a type", { name: "a", attributes: mode(0o4755) }, /set-uid/],
  ])("%s", async (_name, entry, message) => {
    await expectRefused(buildZip([{ name: "first" }, entry]), message);
  });

  test("a file through a symbolic link", async () => {
    const link = { name: "a", attributes: mode(0o120777), content: "/etc" };
    await expectRefused(buildZip([link, { name: "a/passwd" }]), /"a": it is a symbolic link/);
  });

  test("entries made where there are no Unix modes are regular files", async () => {
    const files = await unpackArchive(
      buildZip([
        { name: "dos", attributes: 0x20 },
        { name: "none", attributes: 0 },
      ]),
    );
    expect([...files.values()].map((file) => file.executable)).toEqual([false, false]);
  });
});
