// Archives that cost more than they may.

import { deflateRawSync } from "node:zlib";
import { describe, expect, test } from "vitest";
import { ARCHIVE_LIMITS, unpackArchive } from "../src/archive.ts";
import { expectRefused } from "./refused-archive.ts";
import { buildZip } from "./zip-builder.ts";

describe("limits", () => {
  const small = {
    ...ARCHIVE_LIMITS,
    maxEntries: 3,
    maxUnpackedBytes: 1000,
    maxRatio: 10,
    ratioFromBytes: 100,
  };

  test("the defaults are those of the format", () => {
    expect(ARCHIVE_LIMITS).toEqual({
      maxEntries: 10_000,
      maxBundleBytes: 268_435_456,
      maxUnpackedBytes: 536_870_912,
      maxRatio: 200,
      ratioFromBytes: 1_048_576,
    });
  });

  test("a bomb by count", async () => {
    const entries = (count: number) => Array.from({ length: count }, (_, i) => ({ name: `${i}` }));
    expect((await unpackArchive(buildZip(entries(3)), small)).size).toBe(3);
    await expectRefused(buildZip(entries(4)), /4 entries; the limit is 3/, small);
    await expectRefused(buildZip(entries(10_001)), /10001 entries; the limit is 10000/);
  });

  test("a bomb by ratio, on the limit and past it", async () => {
    const packed = deflateRawSync(Buffer.alloc(900)).length;
    const entry = (size: number) => ({ name: "a", method: 8, content: Buffer.alloc(size) });
    const limits = { ...small, maxRatio: 900 / packed };
    expect((await unpackArchive(buildZip([entry(900)]), limits)).get("a")?.bytes.length).toBe(900);
    await expectRefused(buildZip([entry(900)]), /"a": it unpacks to more than/, {
      ...limits,
      maxRatio: 899 / packed,
    });
    expect((await unpackArchive(buildZip([entry(100)]), { ...limits, maxRatio: 1 })).size).toBe(1);
    await expectRefused(buildZip([entry(101)]), /unpacks to more than 1 times/, { ...limits, maxRatio: 1 });
    await expectRefused(buildZip([entry(3_000_000)]), /"a": it unpacks to more than 200 times/);
  });

  test("a bomb by sum", async () => {
    const noise = (size: number) => Uint8Array.from({ length: size }, (_, i) => (i * i * 31) >> 3);
    const pair = (size: number) =>
      buildZip([
        { name: "a", content: noise(500) },
        { name: "b", content: noise(size) },
      ]);
    expect((await unpackArchive(pair(500), small)).size).toBe(2);
    await expectRefused(pair(501), /"b": with it the files take more than 1000 bytes/, small);
  });

  test("a bomb by overlap: many entries on one piece of data", async () => {
    const kernel = { name: "kernel", method: 8, content: Buffer.alloc(90_000) };
    const echoes = Array.from({ length: 200 }, (_, i) => ({
      name: `${i}`,
      method: 8,
      content: Buffer.alloc(90_000),
      central: { offset: 0 },
    }));
    await expectRefused(buildZip([kernel, ...echoes]), /overlaps/);
  });

  test("a bomb by a lying size is stopped at the size it declares", async () => {
    const packed = deflateRawSync(Buffer.alloc(50_000_000));
    const entry = { name: "a", method: 8, content: "", packed, central: { size: 10 }, local: { size: 10 } };
    const before = process.memoryUsage().arrayBuffers;
    await expectRefused(buildZip([entry]), /"a": it does not unpack to the size/);
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(10_000_000);
  });

  test("an archive larger than a bundle may be", async () => {
    const zip = buildZip([{ name: "a" }]);
    const limits = { ...ARCHIVE_LIMITS, maxBundleBytes: zip.length };
    expect((await unpackArchive(zip, limits)).size).toBe(1);
    await expectRefused(zip, /archive of \d+ bytes; the limit is/, {
      ...limits,
      maxBundleBytes: zip.length - 1,
    });
  });
});
