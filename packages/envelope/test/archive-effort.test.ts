// How much the archive asks of the platform's deflate: seen by counting what it is given.

import { randomBytes } from "node:crypto";
import { beforeEach, expect, test, vi } from "vitest";
import { packArchive, unpackArchive } from "../src/archive.ts";
import { concat } from "../src/encoding.ts";
import { BundleCorruptError } from "../src/errors.ts";
import { buildZip, bytes } from "./zip-builder.ts";

const seen = vi.hoisted(() => ({ deflated: 0, inflations: 0, running: 0, mostAtOnce: 0 }));

vi.mock("../src/native-node.ts", async (importOriginal) => {
  const native = await importOriginal<typeof import("../src/native-node.ts")>();
  const during = async <T>(work: Promise<T>): Promise<T> => {
    seen.mostAtOnce = Math.max(seen.mostAtOnce, ++seen.running);
    try {
      return await work;
    } finally {
      seen.running--;
    }
  };
  return {
    ...native,
    deflateRaw: (input: Uint8Array) => {
      seen.deflated += input.length;
      return during(native.deflateRaw(input));
    },
    inflateRaw: (input: Uint8Array, size: number) => {
      seen.inflations++;
      return during(native.inflateRaw(input, size));
    },
  };
});

beforeEach(() => {
  Object.assign(seen, { deflated: 0, inflations: 0, running: 0, mostAtOnce: 0 });
});

const vault = (...contents: Uint8Array[]) =>
  new Map(contents.map((content, i) => [`${i}`, { bytes: content, executable: false }]));
const text = (length: number) => bytes("a line that comes again and again\n".repeat(length / 34));

test("of a large file of noise only samples are deflated", async () => {
  const noise = new Uint8Array(randomBytes(8 << 20));
  await packArchive(vault(noise));
  expect(seen.deflated).toBeLessThan(noise.length / 16);
});

test("a large file that shrinks anywhere is deflated whole", async () => {
  for (const half of [0, 1]) {
    const mixed = new Uint8Array(randomBytes(2 << 20));
    mixed.set(text(1 << 20), half << 20);
    seen.deflated = 0;
    await packArchive(vault(mixed));
    expect(seen.deflated).toBeGreaterThan(mixed.length);
  }
});

test("files are deflated and inflated a few at a time", async () => {
  const files = vault(...Array.from({ length: 12 }, () => text(10_000)));
  const zip = concat(await packArchive(files));
  expect(seen.mostAtOnce).toBe(4);
  seen.mostAtOnce = 0;
  expect((await unpackArchive(zip)).size).toBe(12);
  expect(seen.mostAtOnce).toBe(4);
});

test("nothing is inflated when any header is wrong", async () => {
  const good = Array.from({ length: 5 }, (_, i) => ({ name: `${i}`, method: 8 }));
  expect((await unpackArchive(buildZip(good))).size).toBe(5);
  expect(seen.inflations).toBe(5);
  for (const bad of [
    { name: "../x" },
    { name: "x", local: { crc: 1 } },
    { name: "x", flags: 1 },
    { name: "x", packed: bytes("longer"), central: { packedSize: 3, size: 3 } },
  ]) {
    seen.inflations = 0;
    await expect(unpackArchive(buildZip([...good, bad]))).rejects.toThrow(BundleCorruptError);
    expect(seen.inflations).toBe(0);
  }
});

test("after the first damaged file no further one is inflated", async () => {
  const damaged = { name: "damaged", method: 8, packed: bytes("no deflate stream") };
  const rest = Array.from({ length: 200 }, (_, i) => ({ name: `${i}`, method: 8 }));
  await expect(unpackArchive(buildZip([damaged, ...rest]))).rejects.toThrow(/"damaged"/);
  while (seen.running > 0) await new Promise(setImmediate);
  expect(seen.inflations).toBeLessThan(100);
});
