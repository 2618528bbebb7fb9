// Vectors for a vault as a zip archive: what comes out of it, and that the same files make the same archive again.
// Section 4 of the format document.

import { hex, type JsonObject, seededBytes, sha256Hex, type Vector } from "./vector.ts";
import {
  DEFLATED,
  descriptor,
  extraField,
  FLAG,
  MODE,
  type ZipEntry,
  type ZipLayout,
  zip,
} from "./zip-writer.ts";

const ENV = "prod";

interface Archive {
  readonly entries: readonly ZipEntry[];
  readonly scalars?: JsonObject;
  readonly layout?: ZipLayout;
  /** Not as a writer of ours would make it: no `zip_hex`. */
  readonly foreign?: boolean;
}

export function vaultArchive(): Vector[] {
  return [...canonical(), ...foreign()];
}

/** Stored entries in the order and with the attributes of section 4: packing the files gives these bytes. */
function canonical(): Vector[] {
  const noise = (length: number): Buffer => seededBytes("vault-archive", "noise", length);
  const deep = `${"d/".repeat(63)}file`;
  const longPart = "n".repeat(255);
  const longName = `${`${"p".repeat(200)}/`.repeat(5)}${"q".repeat(19)}`;
  const at = (name: string, data: Uint8Array | string = "x", mode: number = MODE.file): ZipEntry => ({
    name,
    data,
    mode,
  });
  return [
    archive("empty", "No file", { entries: [] }),
    archive("one-file", "One file of one byte", { entries: [at("a")] }),
    archive("empty-file", "A file of no bytes", { entries: [at("empty", "")] }),
    archive("binary", "5,000 bytes that do not shrink", { entries: [at("blob.bin", noise(5000))] }),
    archive("executable", "The owner's execute bit", {
      entries: [at("bin/run", "#!", MODE.executable), at("bin/run.txt", "x")],
    }),
    archive(
      "byte-order",
      "Entries in byte order of their names, which is neither a locale's nor that of UTF-16",
      {
        entries: ["A", "Z", "b-", "b.txt", "b/c", "b0", "c", "ä", "豆", "\uff5e", "\u{1f511}"].map((name) =>
          at(name),
        ),
      },
    ),
    archive("env-file", "The scalars of .env.prod", {
      entries: [at(".env.prod", "A=1\nB='2 3'\n")],
      scalars: { A: "1", B: "2 3" },
    }),
    archive("plain-env", "Without .env.prod, those of .env", {
      entries: [at(".env", "A=1\n")],
      scalars: { A: "1" },
    }),
    archive("env-before-plain", "With both, those of .env.prod alone", {
      entries: [at(".env", "A=1\nB=1\n"), at(".env.prod", "A=2\n")],
      scalars: { A: "2" },
    }),
    archive("empty-env-before-plain", "An empty .env.prod counts", {
      entries: [at(".env", "A=1\n"), at(".env.prod", "")],
    }),
    archive("other-env", "The files of other environments are contents", {
      entries: [at(".env.production", "A=1\n"), at(".env.staging", "A=2\n")],
    }),
    archive("nested-env", "So are those in folders", {
      entries: [at("app/.env", "A=1\n"), at("app/.env.prod", "A=2\n")],
    }),
    archive("hidden", "Names that begin with a dot", {
      entries: [at("...a"), at(".a"), at(".gitignore"), at(".hidden/..b")],
    }),
    archive("spaces", "Blanks inside names", { entries: [at(" leading"), at("a b/c  d.txt")] }),
    archive("punctuation", "What Windows can hold", { entries: [at("!#$%&'()+,-;=@[]^_`{}~.txt")] }),
    archive("unicode", "Names outside ASCII, in NFC", {
      entries: [at("caf\u00e9"), at("schl\u00fcssel/\u043a\u043b\u044e\u0447.pem"), at("\u{1f511}.key")],
    }),
    archive("almost-devices", "Names that only begin like a Windows device", {
      entries: [at("COM"), at("COM10"), at("auxiliary"), at("con_"), at("console"), at("nul-1")],
    }),
    archive("long-part", "A part of 255 bytes", { entries: [at(longPart)] }),
    archive("long-name", "A name of 1,024 bytes", { entries: [at(longName)] }),
    archive("deep", "64 parts", { entries: [at(deep)] }),
    archive("similar-names", "A file and a folder whose names share their beginning", {
      entries: [at("a.b"), at("a/b"), at("ab")],
    }),
  ];
}

/** Made by other writers, and legal. */
function foreign(): Vector[] {
  const text = "the same line again\n".repeat(200);
  const data = Buffer.from(text);
  const stored: ZipEntry = { name: "a", data };
  const timestamp = extraField(0x5455, Buffer.from([1, 0, 0, 0, 0]));
  const one = (name: string, description: string, entry: ZipEntry): Vector =>
    archive(name, description, { entries: [entry], foreign: true });
  return [
    one("deflated", "A deflated file", { name: "a.txt", data, method: DEFLATED }),
    one("deflated-empty", "No bytes, deflated", { name: "empty", data: "", method: DEFLATED }),
    one("deflated-and-executable", "A deflated script", {
      name: "run.sh",
      data,
      method: DEFLATED,
      mode: MODE.executable,
    }),
    one("ratio-below-1-mib", "Above 200 to 1, in a file of 1 MiB: the ratio counts beyond that", {
      name: "zeros",
      data: Buffer.alloc(1 << 20),
      method: DEFLATED,
    }),
    one("mode-0644", "Modes for others are dropped", { name: "a", data, mode: 0o100644 }),
    one("mode-0755", "And the owner's execute bit kept", { name: "a", data, mode: 0o100755 }),
    one("made-by-dos", "No Unix mode at all", { name: "a", data, madeBy: 20, attributes: 0x20 }),
    one("extra-field", "An extra field with a time", { name: "a", data, both: { extra: timestamp } }),
    one("descriptor", "A data descriptor that agrees", {
      name: "a",
      data,
      both: { flags: FLAG.descriptor },
      local: { crc: 0, compressedSize: 0, size: 0 },
      descriptor: descriptor(data, data.length),
    }),
    one("needs-1.0", "A stored file that asks for version 1.0", { ...stored, both: { needed: 10 } }),
    one("zip-inside", "An archive as a file of another: its records are nobody's but its own", {
      name: "inner.zip",
      data: zip([stored]),
    }),
    one("end-record-inside", "A file that looks like the end of an archive", { name: "trap", data: zip([]) }),
    archive("order", "Readers do not mind the order", {
      entries: [
        { name: "b", data: "2" },
        { name: "a", data: "1" },
      ],
      foreign: true,
    }),
  ];
}

function archive(
  name: string,
  description: string,
  { entries, scalars = {}, layout, foreign }: Archive,
): Vector {
  const bytes = zip(entries, layout);
  const digests = entries.map((entry) => [entry.name, sha256Hex(Buffer.from(entry.data ?? ""))]);
  return {
    category: "vault-archive",
    name,
    description,
    inputs: { env: ENV },
    expected: {
      error: null,
      scalars,
      contents_sha256: Object.fromEntries(digests),
      ...(!foreign && { zip_hex: hex(bytes) }),
    },
    bin: bytes,
  };
}
