// A bundle as writer and reader exchange it: what has to fit together before a file is handed on.

import { createHash } from "node:crypto";
import { expect, test } from "vitest";
import { ARCHIVE_LIMITS } from "../src/archive.ts";
import { type ExpectedBundle, openBundle, sealBundle } from "../src/bundle.ts";
import { toHex, utf8 } from "../src/encoding.ts";
import { BundleCorruptError, WrongPassphraseError } from "../src/errors.ts";
import { expandKeys } from "../src/key.ts";
import { encryptEnvelope } from "../src/rqe1.ts";
import { encodePointerSeal } from "../src/rqem0001.ts";
import { buildZip } from "./zip-builder.ts";

const VERSION = "20260102-030405";
const keys = await expandKeys(new Uint8Array(32).fill(1));
const otherKeys = await expandKeys(new Uint8Array(32).fill(2));
const files = new Map([
  [".env.prod", { bytes: utf8("A=1\n".repeat(100)), executable: false }],
  ["noise", { bytes: crypto.getRandomValues(new Uint8Array(3000)), executable: true }],
  ["more", { bytes: crypto.getRandomValues(new Uint8Array(50)), executable: false }],
]);
const { bytes, sha256 } = await sealBundle(keys, VERSION, files);
const expected: ExpectedBundle = { timestamp: VERSION, sha256, sealed: true };

/** What it says besides its class. */
async function refusal(
  bundle: Uint8Array,
  kind: typeof BundleCorruptError | typeof WrongPassphraseError,
  change: Partial<ExpectedBundle> = {},
  by = keys,
): Promise<string> {
  const error = await openBundle(by, bundle, { ...expected, ...change }).catch((thrown: unknown) => thrown);
  expect(error).toBeInstanceOf(kind);
  return (error as Error).message;
}

test("its digest is that of the bytes, and its files come back in the order of their names", async () => {
  expect(sha256).toBe(createHash("sha256").update(bytes).digest("hex"));
  const opened = await openBundle(keys, bytes, expected);
  expect([...opened.keys()]).toEqual([".env.prod", "more", "noise"]);
  expect(opened).toEqual(files);
});

test("it is left as it was unless it may be overwritten, and then the same comes out", async () => {
  const received = bytes.slice();
  await openBundle(keys, received, expected);
  expect(received).toEqual(bytes);
  expect(await openBundle(keys, received, expected, { overwrite: true })).toEqual(files);
  expect(received).not.toEqual(bytes);
});

test("of the decrypted archive nothing but the files is left in memory", async () => {
  const received = bytes.slice();
  const opened = await openBundle(keys, received, expected, { overwrite: true });
  const memory = Buffer.from((opened.get("noise") as { bytes: Uint8Array }).bytes.buffer);
  // Magic and IV of the envelope are not secret, and lie before what was decrypted.
  const rest = toHex(memory.subarray(16, -16));
  expect(rest).toContain(toHex((files.get("noise") as { bytes: Uint8Array }).bytes));
  // Whole signatures of the archive's parts: two bytes are in noise of 3000 once in twenty times.
  for (const trace of ["RQEM0001", "noise", "PK\x01\x02", "PK\x03\x04", "PK\x05\x06", VERSION].map(utf8))
    expect(memory.includes(Buffer.from(trace))).toBe(false);
});

test("files that lie in another order than the directory has them are not overwritten with the rest", async () => {
  const [first, second] = ["a file of another tool's", "and one more"];
  const zip = buildZip([
    { name: "b", content: first },
    { name: "a", content: second },
  ]);
  const view = new DataView(zip.buffer);
  const directory = view.getUint32(zip.length - 6, true);
  const half = (zip.length - 22 - directory) / 2;
  const entries = [
    zip.slice(directory, directory + half),
    zip.slice(directory + half, zip.length - 22),
  ] as const;
  zip.set(entries[1], directory);
  zip.set(entries[0], directory + half);
  const bundle = await encryptEnvelope(keys.master, [encodePointerSeal(VERSION), zip]);
  const opened = await openBundle(keys, bundle, { timestamp: VERSION, sealed: true }, { overwrite: true });
  expect([...opened].map(([name, { bytes }]) => [name, Buffer.from(bytes).toString()])).toEqual([
    ["a", second],
    ["b", first],
  ]);
});

test("memory that it shares with others, as small Buffers do, is wiped no further than it goes", async () => {
  const small = new Map([[".env", { bytes: utf8("A=1\n".repeat(100)), executable: false }]]);
  const { bytes } = await sealBundle(keys, VERSION, small);
  // What is inflated comes from the same pool, behind the two.
  const received = Buffer.from(bytes);
  const neighbour = Buffer.from("somebody else's");
  expect(neighbour.buffer).toBe(received.buffer);
  const opened = await openBundle(keys, received, { timestamp: VERSION, sealed: true }, { overwrite: true });
  expect(opened).toEqual(small);
  expect(neighbour.toString()).toBe("somebody else's");
  expect(received.subarray(16, -16).some((byte) => byte !== 0)).toBe(false);
});

test("another digest, timestamp or size is corrupt and says which", async () => {
  expect(await refusal(bytes, BundleCorruptError, { sha256: "0".repeat(64) })).toContain("digest differs");
  const moved = await refusal(bytes, BundleCorruptError, { timestamp: "20260102-030406" });
  expect(moved).toContain("20260102-030406");
  expect(moved).toContain(VERSION);
  const limits = { ...ARCHIVE_LIMITS, maxBundleBytes: bytes.length };
  expect(await openBundle(keys, bytes, expected, { limits })).toEqual(files);
  const smaller = { ...limits, maxBundleBytes: bytes.length - 1 };
  await expect(openBundle(keys, bytes, expected, { limits: smaller })).rejects.toThrow(
    new BundleCorruptError(`bundle of ${bytes.length} bytes; the limit is ${bytes.length - 1}`),
  );
});

test("a tag that does not verify is damage under a verified seal, and perhaps a wrong passphrase without one", async () => {
  const { sha256: _, ...unsealed } = { ...expected, sealed: false };
  const open = openBundle(otherKeys, bytes, unsealed);
  await expect(open).rejects.toThrow(WrongPassphraseError);
  expect(await refusal(bytes, BundleCorruptError, {}, otherKeys)).toContain("though the passphrase is right");
  expect(await openBundle(keys, bytes, unsealed)).toEqual(files);
  const broken = { ...unsealed, sealed: true };
  await expect(openBundle(keys, bytes.slice(0, 20), broken)).rejects.toThrow(/cut short/);
});
