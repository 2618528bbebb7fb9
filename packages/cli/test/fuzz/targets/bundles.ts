// Envelope, pointer seal, bundle and archive.

import {
  BundleCorruptError,
  decodePointerSeal,
  decryptEnvelope,
  encodePointerSeal,
  encryptEnvelope,
  openBundle,
  packArchive,
  UnsupportedSpecVersionError,
  unpackArchive,
  type VaultFile,
  WrongPassphraseError,
} from "@vsync/envelope";
import fc from "fast-check";
import { buildZip, descriptor } from "../../../../envelope/test/zip-builder.ts";
import { vectorBytes } from "../corpus.ts";
import { KEYS, pointerSeal, rqe1 } from "../sealing.ts";
import { endsIn, must, same, type Target } from "../target.ts";

const OWN = [BundleCorruptError, UnsupportedSpecVersionError, WrongPassphraseError];
const VERSION = "20260102-030405";
const seals = vectorBytes("rqem0001-manifest");
const zips = vectorBytes("vault-archive", "archive-reject");

const number = fc.oneof(fc.constantFrom(0, 1, 8, 20, 45, 0xffff), fc.nat(0xffff));
const large = fc.oneof(fc.constantFrom(0, 1, 22, 0x7fffffff, 0xffffffff), fc.nat(5000));
const name = fc.oneof(
  fc.constantFrom(
    "a",
    "A",
    "b",
    ".env",
    "a/b",
    "a/b/c",
    "../x",
    "/x",
    "C:x",
    "a\\b",
    "nul.txt",
    ".git/x",
    "e\u0301",
    "é",
    "x\0",
    "l/",
  ),
  fc.string({ unit: "binary", maxLength: 12 }),
);
const content = fc.oneof(fc.string({ maxLength: 40 }), fc.constant("a".repeat(5000)));
const maybe = <T>(arbitrary: fc.Arbitrary<T>): fc.Arbitrary<T | undefined> =>
  fc.option(arbitrary, { nil: undefined, freq: 6 });
const lies = fc.record(
  {
    flags: number,
    method: number,
    crc: large,
    packedSize: large,
    size: large,
    extra: fc.uint8Array({ maxLength: 24 }),
  },
  { requiredKeys: [] },
);
const entry = fc
  .record({
    name,
    content,
    method: fc.constantFrom(0, 0, 8, 8, 9),
    flags: fc.constantFrom(0, 0, 0, 0x800, 8, 1),
    attributes: maybe(
      fc.constantFrom(0, 0o100755 * 65536, 0o120777 * 65536, 0o40755 * 65536, 0o104755 * 65536, 16),
    ),
    local: maybe(lies),
    central: maybe(fc.oneof(lies, fc.record({ offset: large, disk: number }, { requiredKeys: [] }))),
    descriptor: maybe(fc.tuple(large, large, large, fc.boolean()).map((values) => descriptor(...values))),
    before: maybe(fc.uint8Array({ maxLength: 8 })),
  })
  .map((fields) => present(fields));
const frame = fc.record(
  {
    beforeDirectory: fc.uint8Array({ maxLength: 4 }),
    after: fc.uint8Array({ maxLength: 30 }),
    end: fc.record(
      { here: number, total: number, size: large, offset: large, comment: number },
      { requiredKeys: [] },
    ),
  },
  { requiredKeys: [] },
);
const zip = fc
  .tuple(
    fc.array(entry, { maxLength: 5 }),
    fc.oneof({ weight: 4, arbitrary: fc.constant({}) }, { weight: 1, arbitrary: frame }),
  )
  .map(([entries, frame]) => buildZip(entries, frame));

/** Without the fields that are undefined: a builder's default counts where a field is absent. */
function present<T extends object>(fields: T): { [K in keyof T]: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as never;
}

async function checkFiles(files: ReadonlyMap<string, VaultFile>): Promise<void> {
  for (const name of files.keys()) {
    const parts = name.split("/");
    must(
      !parts.some((part) => ["", ".", ".."].includes(part)) && !/[\\\p{Cc}]/u.test(name),
      `a name got through: ${name}`,
    );
  }
  // What a reader takes a writer can write, and it comes back the same.
  const packed = Buffer.concat(await packArchive(files));
  const again = await unpackArchive(new Uint8Array(packed));
  must(again.size === files.size, "files are lost in packing");
  for (const [name, { bytes, executable }] of files) {
    const other = again.get(name);
    must(
      other !== undefined && same(other.bytes, bytes) && other.executable === executable,
      `${name} differs`,
    );
  }
  must(same(Buffer.concat(await packArchive(again)), packed), "the same files pack to other bytes");
}

/** An entry may be 200 times its size when that is below 1 MiB, or above it 200 times; it is unpacked, then packed and unpacked again. */
const unpacked = (length: number): number => 3 * 200 * length + (length / 100) * 2 ** 20;

export const BUNDLES: readonly Target[] = [
  {
    name: "envelope",
    inputs: {
      inner: seals,
      wraps: [rqe1(KEYS.master)],
      outer: vectorBytes("rqe1-decrypt", "rqe1-decrypt-error"),
      words: ["RQE1", "RQE2", "rqe1", "RQE"],
    },
    feed: (input) =>
      endsIn(OWN, async () => {
        const plaintext = await decryptEnvelope(KEYS.master, input);
        const again = await encryptEnvelope(KEYS.master, [plaintext], () => input.slice(4, 16));
        must(same(again, input), "another envelope for the same plaintext");
        return "opens";
      }),
  },
  {
    name: "pointer seal",
    inputs: {
      inner: seals,
      words: ["RQEM0001", "RQEM0002", "RQEM", "20260102-030405", "20260230", "-235960"],
    },
    feed: (input) =>
      endsIn(OWN, () => {
        const { timestamp, payload } = decodePointerSeal(input);
        must(
          same(Buffer.concat([encodePointerSeal(timestamp), payload]), input),
          "two spellings of one seal",
        );
        return "opens";
      }),
  },
  {
    name: "archive",
    inputs: {
      inner: zips,
      made: zip,
      words: ["PK\x01\x02", "PK\x03\x04", "PK\x05\x06", "PK\x07\b", "PK\x06\x06", "../", ".git/", "nul"],
    },
    memory: unpacked,
    feed: (input) =>
      endsIn(OWN, async () => {
        const files = await unpackArchive(input);
        await checkFiles(files);
        return `opens ${Math.min(files.size, 3)}`;
      }),
  },
  {
    name: "bundle",
    inputs: {
      inner: zips,
      made: zip,
      wraps: [pointerSeal, rqe1(KEYS.master)],
      words: ["RQEM0001", "RQE1", VERSION],
    },
    memory: unpacked,
    feed: (input) =>
      endsIn(OWN, async () => {
        const sealed = input.length % 2 === 0;
        const expected = { timestamp: VERSION, sealed };
        // In place and beside it come to the same.
        const files = await openBundle(KEYS, input.slice(), expected);
        const overwritten = await openBundle(KEYS, input.slice(), expected, { overwrite: true });
        must(files.size === overwritten.size, "decrypting in place gives other files");
        for (const [name, { bytes }] of files)
          must(
            same(bytes, overwritten.get(name)?.bytes ?? new Uint8Array(0)),
            `${name} differs when decrypted in place`,
          );
        return `opens ${Math.min(files.size, 3)}`;
      }),
  },
];
