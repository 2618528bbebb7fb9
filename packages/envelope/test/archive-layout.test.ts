// Archives whose headers, data or layout lie, each made by hand with one thing wrong.

import { crc32, deflateRawSync } from "node:zlib";
import { describe, expect, test } from "vitest";
import { unpackArchive } from "../src/archive.ts";
import { BundleCorruptError } from "../src/errors.ts";
import { expectRefused } from "./refused-archive.ts";
import { buildZip, bytes, descriptor, type Entry, type Frame, u16, u32 } from "./zip-builder.ts";

const content = bytes("content");
const values = [crc32(content), content.length, content.length] as const;

describe("coding", () => {
  test.each<[string, Entry, RegExp]>([
    ["encrypted", { name: "a", flags: 0x0001 }, /"a": it is encrypted/],
    ["strongly encrypted", { name: "a", flags: 0x0041 }, /it is encrypted/],
    ["patched data", { name: "a", flags: 0x0020 }, /feature that vaults do not/],
    ["masked headers", { name: "a", flags: 0x2000 }, /feature that vaults do not/],
    ["deflate64", { name: "a", method: 9 }, /unknown method 9/],
    ["bzip2", { name: "a", method: 12 }, /unknown method 12/],
    ["WinZip AES", { name: "a", method: 99 }, /unknown method 99/],
    [
      "a wrong checksum, stored",
      { name: "a", central: { crc: 1 }, local: { crc: 1 } },
      /its checksum is wrong/,
    ],
    [
      "a wrong checksum, deflated",
      { name: "a", method: 8, central: { crc: 1 }, local: { crc: 1 } },
      /its checksum is wrong/,
    ],
    [
      "stored with two sizes",
      { name: "a", central: { size: 8 }, local: { size: 8 } },
      /stored with two sizes/,
    ],
    [
      "a size that is too small",
      { name: "a", method: 8, central: { size: 6 }, local: { size: 6 } },
      /does not unpack to the size/,
    ],
    [
      "a size that is too large",
      { name: "a", method: 8, central: { size: 8 }, local: { size: 8 } },
      /does not unpack to the size/,
    ],
    [
      "a deflate stream cut short",
      { name: "a", method: 8, packed: deflateRawSync(content).subarray(0, -1) },
      /does not unpack/,
    ],
    [
      "data after the deflate stream",
      { name: "a", method: 8, packed: Buffer.concat([deflateRawSync(content), u16(0)]) },
      /does not unpack/,
    ],
    ["no deflate stream", { name: "a", method: 8, packed: new Uint8Array(0) }, /does not unpack/],
    [
      "a zip64 size of 2^63",
      {
        name: "a",
        central: { packedSize: 0xffffffff, size: 0xffffffff, extra: zip64Extra() },
        local: { packedSize: 0xffffffff, size: 0xffffffff, extra: zip64Extra() },
      },
      /zip64/,
    ],
    ["a zip64 field in the directory alone", { name: "a", central: { extra: zip64Extra() } }, /zip64/],
    ["a zip64 field in the local header alone", { name: "a", local: { extra: zip64Extra() } }, /zip64/],
    [
      "a zip64 field behind another",
      {
        name: "a",
        central: { extra: Buffer.concat([u16(0x5455), u16(1), u16(0).subarray(1), zip64Extra()]) },
      },
      /zip64/,
    ],
    [
      "a zip64 field that is empty",
      { name: "a", central: { extra: Buffer.concat([u16(1), u16(0)]) } },
      /zip64/,
    ],
    ["a zip64 offset", { name: "a", central: { offset: 0xffffffff } }, /zip64/],
  ])("%s", async (_name, entry, message) => {
    await expectRefused(buildZip([{ name: "first" }, entry]), message);
  });

  test("headers are judged, all of them, before anything is inflated", async () => {
    const damaged = { name: "damaged", method: 8, packed: bytes("no deflate stream") };
    await expectRefused(buildZip([damaged, { name: "../x" }]), /"..\/x"/);
    await expectRefused(buildZip([damaged, { name: "b", local: { crc: 7 } }]), /"b": its local header/);
  });
});

describe("the two headers of an entry", () => {
  test.each<[string, Entry]>([
    ["another name", { name: "a", local: { name: bytes("b") } }],
    ["a longer name", { name: "a", local: { name: bytes("ab") } }],
    ["another method", { name: "a", local: { method: 8 } }],
    ["another flag", { name: "a", local: { flags: 0x0800 } }],
    ["encrypted only here", { name: "a", local: { flags: 0x0001 } }],
    ["a descriptor announced only here", { name: "a", local: { flags: 0x0008 } }],
    ["another checksum", { name: "a", local: { crc: 1 } }],
    ["another size", { name: "a", local: { size: 1 } }],
    ["another packed size", { name: "a", local: { packedSize: 1 } }],
    ["zeros without a descriptor", { name: "a", local: { crc: 0, packedSize: 0, size: 0 } }],
    [
      "another size with a descriptor",
      { name: "a", flags: 0x0008, local: { size: 8 }, descriptor: descriptor(...values) },
    ],
    [
      "another checksum with a descriptor",
      { name: "a", flags: 0x0008, local: { crc: 1 }, descriptor: descriptor(...values) },
    ],
    [
      "another packed size with a descriptor",
      { name: "a", flags: 0x0008, local: { packedSize: 8 }, descriptor: descriptor(...values) },
    ],
  ])("%s", async (_name, entry) => {
    await expectRefused(
      buildZip([{ name: "first" }, entry]),
      /"a": its local header and the directory disagree/,
    );
  });

  const zeros = { crc: 0, packedSize: 0, size: 0 };

  test.each<[string, Uint8Array]>([
    ["with its signature", descriptor(...values)],
    ["without its signature", descriptor(...values, false)],
  ])("a data descriptor %s that agrees is read", async (_name, behind) => {
    for (const local of [zeros, {}, { crc: 0, packedSize: 0 }]) {
      const entry = { name: "a", flags: 0x0008, local, descriptor: behind };
      const files = await unpackArchive(buildZip([entry, { name: "b" }]));
      expect([...files.keys()]).toEqual(["a", "b"]);
    }
  });

  test("a data descriptor without a signature, of a file whose checksum looks like one", async () => {
    const checksum = 0x08074b50;
    const values = descriptor(checksum, 7, 7, false);
    const zip = buildZip([
      {
        name: "a",
        content: "afXNg95",
        flags: 0x0008,
        local: zeros,
        central: { crc: checksum },
        descriptor: values,
      },
    ]);
    expect([...(await unpackArchive(zip)).keys()]).toEqual(["a"]);
  });

  test.each<[string, Uint8Array]>([
    ["with another checksum", descriptor(1, values[1], values[2])],
    ["with another packed size", descriptor(values[0], 1, values[2])],
    ["with another size", descriptor(values[0], values[1], 1)],
    ["with another checksum and no signature", descriptor(1, values[1], values[2], false)],
    ["that is missing", new Uint8Array(0)],
    ["that is cut", descriptor(...values).subarray(0, 15)],
    ["that is longer", Buffer.concat([descriptor(...values), u16(0)])],
    ["without its signature that is longer", Buffer.concat([descriptor(...values, false), u16(0)])],
    ["in zip64 form", Buffer.concat([u32(0x08074b50), u32(values[0]), u32(7), u32(0), u32(7), u32(0)])],
    ["with something else for its signature", Buffer.concat([u32(1), descriptor(...values, false)])],
  ])("a data descriptor %s", async (_name, behind) => {
    for (const others of [[], [{ name: "b" }]]) {
      const zip = buildZip([{ name: "a", flags: 0x0008, local: zeros, descriptor: behind }, ...others]);
      await expectRefused(zip, /"a": its data descriptor disagrees/);
    }
  });
});

describe("layout", () => {
  const two: Entry[] = [{ name: "a" }, { name: "b" }];
  const junk = bytes("junk");
  const whole = buildZip(two);

  test("an archive cut at any byte", async () => {
    for (let length = 0; length < whole.length; length++) {
      await expectRefused(whole.subarray(0, length), /refused/);
    }
  });

  test("an archive with any bit of it flipped is refused or says the same", async () => {
    const same = await unpackArchive(whole);
    let read = 0;
    for (let bit = 0; bit < whole.length * 8; bit++) {
      const flipped = whole.slice();
      flipped[bit >> 3]! ^= 1 << (bit & 7);
      const files = await unpackArchive(flipped).catch((error: unknown) => error);
      if (files instanceof BundleCorruptError) continue;
      // Versions, times, and modes other than the owner's execute bit carry nothing.
      const contents = (map: Map<string, { bytes: Uint8Array }>) =>
        [...map].map(([name, file]) => [name, file.bytes]);
      expect(contents(files as typeof same), `bit ${bit}`).toEqual(contents(same));
      read++;
    }
    expect(read).toBeLessThan(400);
  });

  test.each<[string, Frame, RegExp]>([
    ["data after the end record", { after: junk }, /does not end in an end record/],
    ["a comment", { end: { comment: 4 }, after: junk }, /does not end in an end record/],
    ["a comment that is announced only", { end: { comment: 4 } }, /announces a comment/],
    ["data between directory and end record", { afterDirectory: junk }, /does not reach/],
    [
      "data between directory and end record, counted in",
      { afterDirectory: junk, end: { size: 94 + 4 } },
      /between its directory and its end/,
    ],
    ["data before the directory", { beforeDirectory: junk }, /"b": its data ends elsewhere/],
    ["a second end record behind", { after: whole.slice(-22) }, /does not reach/],
    ["a second end record before", { afterDirectory: whole.slice(-22) }, /does not reach/],
    ["a second archive behind", { after: whole }, /does not reach/],
    ["fewer entries announced", { end: { here: 1, total: 1 } }, /between its directory and its end/],
    ["more entries announced", { end: { here: 3, total: 3 } }, /has 2 entries and announces 3/],
    [
      "a directory entry that is cut",
      { afterDirectory: u32(0x02014b50), end: { size: 94 + 4, here: 3, total: 3 } },
      /has 2 entries and announces 3/,
    ],
    ["two counts", { end: { here: 1 } }, /one volume of several/],
    ["another volume", { end: { disk: 1 } }, /one volume of several/],
    ["a directory on another volume", { end: { startDisk: 1 } }, /one volume of several/],
    ["a directory that is too small", { end: { size: 10 } }, /does not reach/],
    ["a directory elsewhere", { end: { offset: 3 } }, /does not reach/],
    ["zip64 by its count", { end: { here: 0xffff, total: 0xffff } }, /zip64/],
    ["zip64 by its size", { end: { size: 0xffffffff } }, /zip64/],
    ["zip64 by its offset", { end: { offset: 0xffffffff } }, /zip64/],
    ["a zip64 end record", { afterDirectory: zip64End() }, /does not reach/],
  ])("%s", async (_name, frame, message) => {
    await expectRefused(buildZip(two, frame), message);
  });

  test.each<[string, Entry[], RegExp]>([
    [
      "data before the first entry",
      [{ name: "a", before: junk }, { name: "b" }],
      /"a": there is something before it/,
    ],
    ["data between entries", [{ name: "a" }, { name: "b", before: junk }], /"a": its data ends elsewhere/],
    [
      "an entry that the directory leaves out",
      [{ name: "a" }, { name: "b", before: buildZip([{ name: "c" }]).subarray(0, 38) }],
      /"a": its data ends elsewhere/,
    ],
    ["two entries on one local header", [{ name: "a" }, { name: "b", central: { offset: 0 } }], /overlaps/],
    [
      "an entry inside another",
      [
        { name: "a", content: buildZip([{ name: "b" }]) },
        { name: "b", central: { offset: 31 } },
      ],
      /"a": its data ends elsewhere/,
    ],
    [
      "an offset past the end",
      [{ name: "a" }, { name: "b", central: { offset: 5000 } }],
      /"a": its data ends elsewhere/,
    ],
    [
      "an offset in the directory",
      [{ name: "a", central: { offset: 80 } }],
      /"a": there is something before it/,
    ],
    [
      "a packed size past the end",
      [{ name: "a", method: 8, central: { packedSize: 500 }, local: { packedSize: 500 } }],
      /"a": its data ends elsewhere/,
    ],
    [
      "a local header that reaches into the next entry",
      [
        { name: "a", local: { extra: new Uint8Array(60_000) } },
        { name: "b", central: { offset: 100 } },
      ],
      /"a": it overlaps what comes after/,
    ],
    [
      "entries past the end, one after the other",
      [
        { name: "a", central: { packedSize: 4969, size: 4969 }, local: { packedSize: 4969, size: 4969 } },
        { name: "b", central: { offset: 5000 } },
        { name: "c", central: { offset: 6000 } },
      ],
      /"a": its data ends elsewhere/,
    ],
    ["a directory entry on another volume", [{ name: "a", central: { disk: 1 } }], /one volume of several/],
    [
      "a directory entry without its signature",
      [{ name: "a", central: { signature: 0x02014b51 } }],
      /has 0 entries and announces 1/,
    ],
  ])("%s", async (_name, entries, message) => {
    await expectRefused(buildZip(entries), message);
  });

  test("a name or a field that reaches past the directory", async () => {
    for (const at of [28, 30, 32]) {
      const zip = buildZip([{ name: "a" }]);
      new DataView(zip.buffer).setUint16(zip.length - 22 - 47 + at, 60_000, true);
      await expectRefused(zip, /longer than the directory/);
    }
  });

  test("data in an archive without entries", async () => {
    await expectRefused(buildZip([], { beforeDirectory: junk }), /before its directory that is no entry/);
  });

  test("a local header that is something else", async () => {
    const zip = buildZip(two);
    zip[0] = 0x51;
    await expectRefused(zip, /"a": there is no local header/);
  });

  test("a directory in another order than the files is read, extra fields and entry comments too", async () => {
    const extra = Buffer.concat([u16(0x5455), u16(5), u16(0), u16(0), u16(0).subarray(1)]);
    const first = {
      name: "b",
      local: { extra },
      central: { extra: extra.subarray(0, 4), comment: bytes("of b") },
    };
    const zip = buildZip([first, { name: "a" }]);
    const view = new DataView(zip.buffer);
    const start = view.getUint32(zip.length - 6, true);
    const lengths = [46 + 1 + 4 + 4, 46 + 1] as const;
    const [b, a] = [zip.slice(start, start + lengths[0]), zip.slice(start + lengths[0], zip.length - 22)];
    expect(a.length).toBe(lengths[1]);
    zip.set(a, start);
    zip.set(b, start + a.length);
    expect([...(await unpackArchive(zip)).keys()]).toEqual(["a", "b"]);
  });
});

function zip64Extra(): Uint8Array {
  const sizes = [u32(0), u32(0x80000000), u32(0), u32(0x80000000)];
  return new Uint8Array(Buffer.concat([u16(0x0001), u16(16), ...sizes]));
}

/** An end record of the zip64 kind and the locator of it. */
function zip64End(): Uint8Array {
  const record = Buffer.alloc(56);
  record.writeUInt32LE(0x06064b50, 0);
  const locator = Buffer.alloc(20);
  locator.writeUInt32LE(0x07064b50, 0);
  return new Uint8Array(Buffer.concat([record, locator]));
}
