// The archive where there is no node:zlib: the same refusals, and each runtime reads what the other packs.

import { crc32, deflateRawSync } from "node:zlib";
import { expect, test, vi } from "vitest";
import { packArchive, unpackArchive } from "../src/archive.ts";
import { concat } from "../src/encoding.ts";
import { expectRefused } from "./refused-archive.ts";
import { buildZip, bytes, u16 } from "./zip-builder.ts";

vi.mock("../src/native-node.ts", () => import("../src/native-web.ts"));

const content = bytes("a line that comes again\n".repeat(5000));

test("a vault comes back", async () => {
  const noise = content.map((_, i) => (i * i * 31) >> 3);
  const files = new Map(
    [content, noise, bytes("")].map((each, i) => [`${i}`, { bytes: each, executable: i === 1 }]),
  );
  const zip = concat(await packArchive(files));
  expect(zip.length).toBeLessThan(noise.length + 2000);
  for (const [name, { bytes: unpacked, executable }] of await unpackArchive(zip)) {
    expect(Buffer.compare(unpacked, files.get(name)!.bytes)).toBe(0);
    expect(executable).toBe(files.get(name)!.executable);
    files.delete(name);
  }
  expect(files.size).toBe(0);
});

test("what node:zlib packs is read", async () => {
  const files = await unpackArchive(buildZip([{ name: "a", method: 8, content }]));
  expect(Buffer.compare(files.get("a")!.bytes, content)).toBe(0);
});

test.each([
  ["a size that is too small", { content: content.subarray(1) }],
  ["a size that is too large", { content: concat([content, content.subarray(0, 1)]) }],
  ["a stream cut short", { packed: deflateRawSync(content).subarray(0, -1) }],
  ["data after the stream", { packed: Buffer.concat([deflateRawSync(content), u16(0)]) }],
  ["no stream", { packed: new Uint8Array(0) }],
])("refused: %s", async (_name, wrong) => {
  const entry = { name: "a", method: 8, content, packed: new Uint8Array(deflateRawSync(content)), ...wrong };
  await expectRefused(buildZip([{ name: "first" }, entry]), /"a": it does not unpack to the size/);
});

test("refused: a wrong checksum", async () => {
  const crc = crc32(content) ^ 1;
  const fields = { crc: crc >>> 0 };
  await expectRefused(
    buildZip([{ name: "a", method: 8, content, local: fields, central: fields }]),
    /"a": its checksum is wrong/,
  );
});
