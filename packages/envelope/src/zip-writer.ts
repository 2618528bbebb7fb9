// Writes a zip archive of whole files in memory, the same bytes for the same files. docs/formats.md section 4.

import { crc32, deflateRaw } from "#native";
import type { ArchiveLimits } from "./archive-limits.ts";
import { mapConcurrently } from "./concurrency.ts";
import { concat, utf8 } from "./encoding.ts";
import {
  CENTRAL_BYTES,
  CENTRAL_SIGNATURE,
  DEFLATED,
  END_BYTES,
  END_SIGNATURE,
  FLAG_UTF8,
  LOCAL_BYTES,
  LOCAL_SIGNATURE,
  MADE_BY_UNIX,
  MODE_REGULAR,
  STORED,
  type ZipFile,
} from "./zip-format.ts";

/** 2.0: what deflate asks of a reader. */
const VERSION = 20;
/** 1 January 1980, the first day that a zip can name. */
const FIRST_DAY = (1 << 5) | 1;

/** From this size on a file is tried by samples first: deflating 100 MB of noise takes seconds and gains nothing. */
const SAMPLED_FROM_BYTES = 1 << 20;
const SAMPLES = 16;
const SAMPLE_BYTES = 1 << 14;
/** Of a sample's size after deflate: what gains less is not worth the time. */
const WORTHWHILE = 0.97;

/** A file with what its headers say and the data that stands between them. */
interface Entry {
  readonly name: Uint8Array;
  readonly nameIsAscii: boolean;
  readonly executable: boolean;
  readonly method: number;
  readonly crc: number;
  readonly size: number;
  readonly data: Uint8Array;
}

/** The archive in parts, one after the other; files that are stored are among them as they came in, not copied. */
export async function writeZip(files: readonly ZipFile[], limits: ArchiveLimits): Promise<Uint8Array[]> {
  const entries = await mapConcurrently(files, (file) => makeEntry(file, limits));
  const parts: Uint8Array[] = [];
  const directory: Uint8Array[] = [];
  let offset = 0;
  for (const entry of entries) {
    const local = localHeader(entry);
    parts.push(local, entry.data);
    directory.push(centralHeader(entry, offset));
    offset += local.length + entry.data.length;
  }
  const central = concat(directory);
  parts.push(central, endRecord(entries.length, central.length, offset));
  return parts;
}

async function makeEntry({ name, bytes, executable }: ZipFile, limits: ArchiveLimits): Promise<Entry> {
  const encoded = utf8(name);
  const crc = crc32(bytes);
  const deflated = (await isWorthDeflating(bytes)) ? await deflateRaw(bytes) : bytes;
  const stored = deflated.length >= bytes.length || looksLikeBomb(bytes.length, deflated.length, limits);
  return {
    name: encoded,
    nameIsAscii: encoded.length === name.length,
    executable,
    method: stored ? STORED : DEFLATED,
    crc,
    size: bytes.length,
    data: stored ? bytes : deflated,
  };
}

/** Of a megabyte of zeros deflate leaves a thousandth, which a reader must refuse: such a file is stored. */
function looksLikeBomb(size: number, deflatedSize: number, limits: ArchiveLimits): boolean {
  return size > limits.ratioFromBytes && size > limits.maxRatio * deflatedSize;
}

async function isWorthDeflating(bytes: Uint8Array): Promise<boolean> {
  if (bytes.length < SAMPLED_FROM_BYTES) return true;
  const sample = samples(bytes);
  return (await deflateRaw(sample)).length < sample.length * WORTHWHILE;
}

/** Pieces from all over the file, its first and its last bytes among them. */
function samples(bytes: Uint8Array): Uint8Array {
  const step = (bytes.length - SAMPLE_BYTES) / (SAMPLES - 1);
  return concat(
    Array.from({ length: SAMPLES }, (_, i) => {
      const from = Math.floor(i * step);
      return bytes.subarray(from, from + SAMPLE_BYTES);
    }),
  );
}

function localHeader(entry: Entry): Uint8Array {
  const { bytes, view } = record(LOCAL_BYTES, LOCAL_SIGNATURE, entry.name);
  writeCommonFields(view, 4, entry);
  return bytes;
}

function centralHeader(entry: Entry, offset: number): Uint8Array {
  const { bytes, view } = record(CENTRAL_BYTES, CENTRAL_SIGNATURE, entry.name);
  view.setUint16(4, (MADE_BY_UNIX << 8) | VERSION, true);
  writeCommonFields(view, 6, entry);
  const mode = MODE_REGULAR | (entry.executable ? 0o700 : 0o600);
  view.setUint32(38, mode * 0x10000, true);
  view.setUint32(42, offset, true);
  return bytes;
}

/** From "version needed" to the length of the name: the same in both headers. */
function writeCommonFields(view: DataView, at: number, entry: Entry): void {
  view.setUint16(at, VERSION, true);
  // Of an ASCII name the flag says nothing, and other tools leave it out there as well.
  view.setUint16(at + 2, entry.nameIsAscii ? 0 : FLAG_UTF8, true);
  view.setUint16(at + 4, entry.method, true);
  view.setUint16(at + 8, FIRST_DAY, true);
  view.setUint32(at + 10, entry.crc, true);
  view.setUint32(at + 14, entry.data.length, true);
  view.setUint32(at + 18, entry.size, true);
  view.setUint16(at + 22, entry.name.length, true);
}

function endRecord(entries: number, size: number, offset: number): Uint8Array {
  const { bytes, view } = record(END_BYTES, END_SIGNATURE, new Uint8Array(0));
  view.setUint16(8, entries, true);
  view.setUint16(10, entries, true);
  view.setUint32(12, size, true);
  view.setUint32(16, offset, true);
  return bytes;
}

/** A record of zeros with its signature and its name. */
function record(size: number, signature: number, name: Uint8Array): { bytes: Uint8Array; view: DataView } {
  const bytes = new Uint8Array(size + name.length);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, signature, true);
  bytes.set(name, size);
  return { bytes, view };
}
