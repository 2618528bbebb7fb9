// A zip writer that can also lie: every field of every header can be set to what no honest writer puts there.

import { deflateSync } from "fflate";
import { crc32 } from "./writer.ts";

export const STORED = 0;
export const DEFLATED = 8;
/** Unix modes with their file type, as the upper half of the external attributes has them. */
export const MODE = { file: 0o100600, executable: 0o100700, folder: 0o040700, link: 0o120777 } as const;
export const FLAG = { encrypted: 1, descriptor: 8, strongEncryption: 0x40, utf8: 0x800 } as const;

interface Header {
  readonly needed: number;
  readonly flags: number;
  readonly method: number;
  readonly crc: number;
  readonly compressedSize: number;
  readonly size: number;
  readonly name: Uint8Array;
  readonly extra: Uint8Array;
}

export interface ZipEntry {
  readonly name: string | Uint8Array;
  readonly data?: Uint8Array | string;
  readonly method?: number;
  readonly mode?: number;
  readonly madeBy?: number;
  /** The whole external attributes field, where the mode is not all of it. */
  readonly attributes?: number;
  /** Instead of what `data` and `method` give. */
  readonly compressed?: Uint8Array;
  /** Set in both headers. */
  readonly both?: Partial<Header>;
  /** Set in the local header only. */
  readonly local?: Partial<Header>;
  /** Set in the central directory only. */
  readonly central?: Partial<Header> & { readonly offset?: number; readonly disk?: number };
  /** Bytes of a data descriptor after the data. */
  readonly descriptor?: Uint8Array;
  /** Leave out the local header and data, as for an entry that points at another's. */
  readonly centralOnly?: boolean;
}

export interface ZipLayout {
  readonly before?: Uint8Array;
  /** Between the entries' data and the central directory. */
  readonly between?: Uint8Array;
  /** Between the central directory and the end record. */
  readonly beforeEnd?: Uint8Array;
  readonly after?: Uint8Array;
  readonly comment?: Uint8Array;
  /** Fields of the end record. */
  readonly end?: {
    readonly disk?: number;
    readonly entriesHere?: number;
    readonly entries?: number;
    readonly size?: number;
    readonly offset?: number;
    readonly commentLength?: number;
  };
}

const NOTHING = Buffer.alloc(0);
const NEEDED = 20;
const MADE_BY_UNIX = (3 << 8) | NEEDED;
/** 1980-01-01 00:00:00, the earliest that zip can say. */
const DOS_TIME = 0;
const DOS_DATE = (1 << 5) | 1;

export function zip(entries: readonly ZipEntry[], layout: ZipLayout = {}): Buffer {
  const { before = NOTHING, between = NOTHING, beforeEnd = NOTHING, after = NOTHING, end = {} } = layout;
  const chunks: Uint8Array[] = [before];
  const central: Buffer[] = [];
  let at = before.length;
  for (const entry of entries) {
    const header = headerOf(entry);
    const offset = entry.central?.offset ?? at;
    central.push(centralHeader(entry, { ...header, ...entry.central }, offset));
    if (entry.centralOnly) continue;
    const parts = [
      localHeader({ ...header, ...entry.local }),
      compressedOf(entry),
      entry.descriptor ?? NOTHING,
    ];
    for (const part of parts) at += part.length;
    chunks.push(...parts);
  }
  const directory = Buffer.concat(central);
  const record = endRecord(
    entries.length,
    directory.length,
    at + between.length,
    end,
    layout.comment ?? NOTHING,
  );
  return Buffer.concat([...chunks, between, directory, beforeEnd, record, after]);
}

function headerOf(entry: ZipEntry): Header {
  const data = dataOf(entry);
  const name = typeof entry.name === "string" ? Buffer.from(entry.name) : entry.name;
  return {
    needed: NEEDED,
    flags: name.some((byte) => byte > 0x7f) ? FLAG.utf8 : 0,
    method: entry.method ?? STORED,
    crc: crc32(data),
    compressedSize: compressedOf(entry).length,
    size: data.length,
    name,
    extra: NOTHING,
    ...entry.both,
  };
}

function dataOf(entry: ZipEntry): Uint8Array {
  return Buffer.from(entry.data ?? "");
}

function compressedOf(entry: ZipEntry): Uint8Array {
  if (entry.compressed !== undefined) return entry.compressed;
  return entry.method === DEFLATED ? deflateSync(dataOf(entry), { level: 9 }) : dataOf(entry);
}

function localHeader(header: Header): Buffer {
  const fixed = Buffer.alloc(30);
  fixed.writeUInt32LE(0x04034b50, 0);
  fixed.writeUInt16LE(header.needed, 4);
  writeCommon(fixed, header, 6);
  return Buffer.concat([fixed, header.name, header.extra]);
}

function centralHeader(entry: ZipEntry, header: Header, offset: number): Buffer {
  const fixed = Buffer.alloc(46);
  fixed.writeUInt32LE(0x02014b50, 0);
  fixed.writeUInt16LE(entry.madeBy ?? MADE_BY_UNIX, 4);
  fixed.writeUInt16LE(header.needed, 6);
  writeCommon(fixed, header, 8);
  fixed.writeUInt16LE(entry.central?.disk ?? 0, 34);
  fixed.writeUInt32LE(entry.attributes ?? ((entry.mode ?? MODE.file) << 16) >>> 0, 38);
  fixed.writeUInt32LE(offset, 42);
  return Buffer.concat([fixed, header.name, header.extra]);
}

/** Flags to extra length, the run of fields that both headers have in the same order. */
function writeCommon(fixed: Buffer, header: Header, at: number): void {
  fixed.writeUInt16LE(header.flags, at);
  fixed.writeUInt16LE(header.method, at + 2);
  fixed.writeUInt16LE(DOS_TIME, at + 4);
  fixed.writeUInt16LE(DOS_DATE, at + 6);
  fixed.writeUInt32LE(header.crc, at + 8);
  fixed.writeUInt32LE(header.compressedSize, at + 12);
  fixed.writeUInt32LE(header.size, at + 16);
  fixed.writeUInt16LE(header.name.length, at + 20);
  fixed.writeUInt16LE(header.extra.length, at + 22);
}

function endRecord(
  entries: number,
  size: number,
  offset: number,
  end: NonNullable<ZipLayout["end"]>,
  comment: Uint8Array,
): Buffer {
  const fixed = Buffer.alloc(22);
  fixed.writeUInt32LE(0x06054b50, 0);
  fixed.writeUInt16LE(end.disk ?? 0, 4);
  fixed.writeUInt16LE(end.disk ?? 0, 6);
  fixed.writeUInt16LE(end.entriesHere ?? end.entries ?? entries, 8);
  fixed.writeUInt16LE(end.entries ?? entries, 10);
  fixed.writeUInt32LE(end.size ?? size, 12);
  fixed.writeUInt32LE(end.offset ?? offset, 16);
  fixed.writeUInt16LE(end.commentLength ?? comment.length, 20);
  return Buffer.concat([fixed, comment]);
}

/** A data descriptor, with or without its optional signature. */
export function descriptor(data: Uint8Array, compressedSize: number, signed = true): Buffer {
  const bytes = Buffer.alloc(12);
  bytes.writeUInt32LE(crc32(data), 0);
  bytes.writeUInt32LE(compressedSize, 4);
  bytes.writeUInt32LE(data.length, 8);
  return signed ? Buffer.concat([Buffer.from("PK\x07\x08", "latin1"), bytes]) : bytes;
}

/** An extra field of a header: its identifier and its bytes. */
export function extraField(id: number, data: Uint8Array): Buffer {
  const head = Buffer.alloc(4);
  head.writeUInt16LE(id, 0);
  head.writeUInt16LE(data.length, 2);
  return Buffer.concat([head, data]);
}
