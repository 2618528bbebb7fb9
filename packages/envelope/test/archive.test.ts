// What goes into an archive comes out of it, and the same files make the same bytes.

import { randomBytes } from "node:crypto";
import { deflateRawSync } from "node:zlib";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  ARCHIVE_LIMITS,
  checkVaultNames,
  packArchive,
  unpackArchive,
  type VaultFiles,
} from "../src/archive.ts";
import { concat, utf8 } from "../src/encoding.ts";
import { BundleCorruptError, InputRefusedError } from "../src/errors.ts";
import { buildZip } from "./zip-builder.ts";

const file = (content: string | Uint8Array, executable = false) => ({
  bytes: typeof content === "string" ? utf8(content) : new Uint8Array(content),
  executable,
});
const vault = (...entries: [string, string | Uint8Array, boolean?][]): VaultFiles =>
  new Map(entries.map(([name, content, executable]) => [name, file(content, executable)]));
const pack = async (files: VaultFiles, limits = ARCHIVE_LIMITS) => concat(await packArchive(files, limits));

async function refusal(promise: Promise<unknown> | (() => unknown)): Promise<string> {
  const error = await (typeof promise === "function" ? Promise.resolve().then(promise) : promise).then(
    () => expect.unreachable("it was accepted"),
    (thrown: unknown) => thrown,
  );
  expect(error).toBeInstanceOf(InputRefusedError);
  expect((error as InputRefusedError).code).toBe("VSYNC_INPUT_REFUSED");
  return (error as InputRefusedError).message;
}

/** Parts of names that the rules allow, of every script. */
const part = fc
  .oneof(
    fc.stringMatching(/^[A-Za-z0-9._-]{1,12}$/),
    fc.string({ unit: "grapheme", minLength: 1, maxLength: 8 }),
    fc.constantFrom(".env", "日本語", "é", "ﬁ", "👩‍💻", "Ω"),
  )
  .map((text) => text.normalize("NFC"));
const names = fc
  .uniqueArray(
    fc.array(part, { minLength: 1, maxLength: 4 }).map((parts) => parts.join("/")),
    { maxLength: 12 },
  )
  .filter((list) => {
    try {
      checkVaultNames(list);
      return true;
    } catch {
      return false;
    }
  });
const content = fc.oneof(
  fc.uint8Array({ maxLength: 300 }),
  fc.string({ maxLength: 300 }).map(utf8),
  fc.nat(5000).map((length) => new Uint8Array(length)),
);
const vaults = names.chain((list) =>
  fc
    .tuple(...list.map(() => fc.record({ bytes: content, executable: fc.boolean() })))
    .map((files): VaultFiles => new Map(list.map((name, i) => [name, files[i]!]))),
);

test("any vault comes back with its names, bytes and execute bits, in byte order of the names", async () => {
  await fc.assert(
    fc.asyncProperty(vaults, async (files) => {
      const back = await unpackArchive(await pack(files));
      const order = [...files.keys()].sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
      expect([...back.keys()]).toEqual(order);
      for (const [name, { bytes, executable }] of files) {
        expect(Buffer.compare(back.get(name)!.bytes, bytes)).toBe(0);
        expect(back.get(name)!.executable).toBe(executable);
      }
    }),
    { numRuns: 150 },
  );
});

test("the same files make the same bytes, whatever order they come in", async () => {
  await fc.assert(
    fc.asyncProperty(vaults, async (files) => {
      const reversed = new Map([...files].reverse());
      expect(Buffer.compare(await pack(files), await pack(reversed))).toBe(0);
    }),
    { numRuns: 50 },
  );
});

test("the bytes are those of the format: a small archive, field by field", async () => {
  const zip = await pack(vault(["run", "#!", true], ["é", ""]));
  const field = (hex: string) => Buffer.from(hex.replaceAll(/\s/g, ""), "hex");
  const run = "1400 0000 0000 0000 2100 c07519b3 02000000 02000000 0300 0000";
  const e = "1400 0008 0000 0000 2100 00000000 00000000 00000000 0200 0000";
  const expected = Buffer.concat([
    field(`504b0304 ${run}`),
    Buffer.from("run#!"),
    field(`504b0304 ${e} c3a9`),
    field(`504b0102 1403 ${run} 0000 0000 0000 0000c081 00000000`),
    Buffer.from("run"),
    field(`504b0102 1403 ${e} 0000 0000 0000 00008081 23000000 c3a9`),
    field("504b0506 0000 0000 0200 0200 61000000 43000000 0000"),
  ]);
  expect(Buffer.from(zip).toString("hex")).toBe(expected.toString("hex"));
});

test("names beyond the basic plane sort by their bytes", async () => {
  const back = await unpackArchive(await pack(vault(["\u{1f511}", ""], ["\uff5e", ""], ["a", ""])));
  expect([...back.keys()]).toEqual(["a", "\uff5e", "\u{1f511}"]);
});

test("a name that another one begins with comes before it, whichever was first", async () => {
  for (const names of [
    ["ab", "a", "abc"],
    ["abc", "ab", "a"],
  ]) {
    const back = await unpackArchive(await pack(new Map(names.map((name) => [name, file("")]))));
    expect([...back.keys()]).toEqual(["a", "ab", "abc"]);
  }
});

test("an empty vault is an empty archive", async () => {
  const zip = await pack(new Map());
  expect(Buffer.from(zip).toString("hex")).toBe(`504b0506${"00".repeat(18)}`);
  expect(await unpackArchive(zip)).toEqual(new Map());
});

describe("compression", () => {
  const method = (zip: Uint8Array) => zip[8];
  const noise = new Uint8Array(randomBytes(3 << 20));

  test("what shrinks is deflated, what does not is stored", async () => {
    expect(method(await pack(vault(["a", "x".repeat(100)])))).toBe(8);
    expect(method(await pack(vault(["a", "xyz"])))).toBe(0);
    expect(method(await pack(vault(["a", noise.subarray(0, 1000)])))).toBe(0);
    expect(method(await pack(vault(["a", noise])))).toBe(0);
    const text = utf8("the same line again and again\n".repeat(100_000));
    const varied = text.map((byte, i) => (i % 40 === 0 ? noise[i]! : byte));
    expect(method(await pack(vault(["a", varied])))).toBe(8);
  });

  test("what deflate makes too small for a reader to believe is stored", async () => {
    const zeros = vault(["a", new Uint8Array(2_000_000)]);
    const zip = await pack(zeros);
    expect(method(zip)).toBe(0);
    expect((await unpackArchive(zip)).get("a")!.bytes).toHaveLength(2_000_000);
    expect(method(await pack(vault(["a", new Uint8Array(1_000_000)])))).toBe(8);
  });
});

test("what a reader believes only just is deflated, and stored when it is one byte or one part more", async () => {
  const methodOf = async (size: number, ratioFromBytes: number, maxRatio: number) =>
    (await pack(vault(["a", new Uint8Array(size)]), { ...ARCHIVE_LIMITS, ratioFromBytes, maxRatio }))[8];
  expect([await methodOf(1000, 1000, 1), await methodOf(1001, 1000, 1)]).toEqual([8, 0]);
  const packed = deflateRawSync(Buffer.alloc(900)).length;
  expect([await methodOf(900, 100, 900 / packed), await methodOf(900, 100, 899 / packed)]).toEqual([8, 0]);
});

describe("memory", () => {
  test("contents that do not shrink are parts of the archive as they are, not copies", async () => {
    const noise = file(randomBytes(100_000));
    const large = file(randomBytes(2 << 20));
    const parts = await packArchive(
      new Map([
        ["noise", noise],
        ["large", large],
      ]),
    );
    expect(parts.includes(noise.bytes)).toBe(true);
    expect(parts.includes(large.bytes)).toBe(true);
  });

  test("stored files are read as views of the archive", async () => {
    const zip = await pack(vault(["noise", randomBytes(100_000)], ["text", "x".repeat(1000)]));
    const files = await unpackArchive(zip);
    expect(files.get("noise")!.bytes.buffer).toBe(zip.buffer);
    expect(files.get("text")!.bytes.buffer).not.toBe(zip.buffer);
  });
});

describe("refused on writing", () => {
  test.each([
    ["../x", /"\.\.\/x".*part ".."/],
    ["a\\b", /backslash/],
    ["a/b:c", /Windows/],
    ["nul.txt", /device/],
    ["a. ", /dot or a space/],
    ["a\u001b]0;x\u0007", /"a\\u001b.*control character/],
    ["exe.\u202egnp", /"exe\.\\u\{202e\}gnp".*direction/],
    ["a\ud800", /half of a surrogate pair/],
    [".git/config", /\.git/],
    ["é".repeat(128), /255 bytes/],
  ])("the name %j", async (name, message) => {
    const said = await refusal(pack(vault(["fine", ""], [name, ""])));
    expect(said).toMatch(message);
    expect(said).not.toMatch(/[\p{Cc}\p{Cf}]/u);
    expect(await refusal(() => checkVaultNames(["fine", name]))).toBe(said);
  });

  test.each([
    ["Key.pem", "key.pem", /"key\.pem".*differs from "Key\.pem" only in case/],
    ["e\u0301", "\u00e9", /another file of this name/],
    ["a", "a/b", /"a\/b".*"a" is a file/],
    ["a/b", "a", /"a".*files in a folder "a"/],
    ["Folder/a", "folder/b", /differs from "Folder" only in case/],
  ])("%j beside %j", async (first, second, message) => {
    expect(await refusal(pack(vault([first, ""], [second, ""])))).toMatch(message);
  });

  test("a vault beyond a limit, on the limit it is written", async () => {
    const limits = { ...ARCHIVE_LIMITS, maxEntries: 2, maxUnpackedBytes: 10 };
    expect(await pack(vault(["a", "12345"], ["b", "12345"]), limits)).toHaveLength(188);
    expect(await refusal(pack(vault(["a", "1"], ["b", "1"], ["c", "1"]), limits))).toMatch(
      /3 files; the limit is 2/,
    );
    expect(await refusal(pack(vault(["a", "12345"], ["b", "123456"]), limits))).toMatch(
      /11 bytes.*10.*"b" \(6 bytes\)/,
    );
    expect(await refusal(pack(vault(["a", "123456"], ["b", "12345"]), limits))).toMatch(/"a" \(6 bytes\)/);
    const exact = { ...limits, maxBundleBytes: 188 + 55 };
    expect(await pack(vault(["a", "12345"], ["b", "12345"]), exact)).toHaveLength(188);
    const short = { ...exact, maxBundleBytes: 188 + 54 };
    expect(await refusal(pack(vault(["a", "12345"], ["b", "12345"]), short))).toMatch(/packs to 243 bytes/);
  });

  test("more files than a zip can count, even where the caller allows it", async () => {
    const limits = { ...ARCHIVE_LIMITS, maxEntries: 100_000 };
    const many = new Map(Array.from({ length: 0xffff }, (_, i) => [`${i}`, file("")]));
    expect(await refusal(pack(many, limits))).toMatch(/65535 files; the limit is 65534/);
  });
});

test("a name that is not in normal form C is written in it", async () => {
  const back = await unpackArchive(await pack(vault(["cafe\u0301.txt", "x"])));
  expect([...back.keys()]).toEqual(["caf\u00e9.txt"]);
});

test("ten thousand files are packed and unpacked", async () => {
  const files = new Map(Array.from({ length: 10_000 }, (_, i) => [`${i % 100}/${i}`, file(`value ${i}`)]));
  expect((await unpackArchive(await pack(files))).size).toBe(10_000);
});

test("an archive with bytes changed at random is refused or read, and nothing else happens", async () => {
  const zip = buildZip([
    { name: "a", method: 8, content: "x".repeat(50) },
    { name: "b/c", flags: 8, descriptor: new Uint8Array(16) },
    { name: "d", content: "" },
  ]);
  const changes = fc.array(fc.tuple(fc.nat(zip.length - 1), fc.constantFrom(0, 1, 0x50, 0x7f, 0x80, 0xff)), {
    minLength: 1,
    maxLength: 6,
  });
  await fc.assert(
    fc.asyncProperty(changes, async (list) => {
      const changed = zip.slice();
      for (const [at, value] of list) changed[at] = value;
      const outcome = await unpackArchive(changed).catch((error: unknown) => error);
      expect(outcome instanceof Map || outcome instanceof BundleCorruptError).toBe(true);
    }),
    { numRuns: 1000 },
  );
});
