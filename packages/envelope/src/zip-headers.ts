// The headers of a zip archive as they stand: its end record, its directory, and the fields that both headers of an entry
// share. PKWARE APPNOTE 6.3 section 4.3; docs/formats.md section 4.

import type { ArchiveLimits } from "./archive-limits.ts";
import { fromUtf8 } from "./encoding.ts";
import { quoteName } from "./entry-names.ts";
import { BundleCorruptError } from "./errors.ts";
import { CENTRAL_BYTES, CENTRAL_SIGNATURE, END_BYTES, END_SIGNATURE } from "./zip-format.ts";

/** Stands for "see the zip64 field" in any size or offset. */
export const ZIP64_32 = 0xffffffff;
const ZIP64_16 = 0xffff;
const ZIP64_EXTRA = 0x0001;

/** The fields that local and central header share, in their order. */
export interface CommonFields {
  readonly flags: number;
  readonly method: number;
  readonly crc: number;
  readonly packedSize: number;
  readonly size: number;
  readonly nameLength: number;
  readonly extraLength: number;
}

export interface CentralHeader extends CommonFields {
  readonly name: string;
  readonly nameBytes: Uint8Array;
  readonly extra: Uint8Array;
  readonly attributes: number;
  readonly offset: number;
}

/** The end record must be the last thing in the archive, without a comment: then no second one can be meant. */
export function readEndRecord(view: DataView, limits: ArchiveLimits): { count: number; start: number } {
  const end = view.byteLength - END_BYTES;
  if (end < 0 || view.getUint32(end, true) !== END_SIGNATURE) {
    throw corrupt("it does not end in an end record: it was cut short, or something was appended");
  }
  const count = view.getUint16(end + 10, true);
  const size = view.getUint32(end + 12, true);
  const start = view.getUint32(end + 16, true);
  if (count === ZIP64_16 || size === ZIP64_32 || start === ZIP64_32) throw corrupt("it is in zip64 form");
  if (view.getUint32(end + 4, true) !== 0 || view.getUint16(end + 8, true) !== count) {
    throw corrupt("it is one volume of several");
  }
  if (view.getUint16(end + 20, true) !== 0)
    throw corrupt("its end record announces a comment that is not there");
  if (start + size !== end) throw corrupt("its directory does not reach from its offset to the end record");
  if (count > limits.maxEntries) throw corrupt(`it has ${count} entries; the limit is ${limits.maxEntries}`);
  return { count, start };
}

export function readDirectory(
  zip: Uint8Array,
  view: DataView,
  start: number,
  count: number,
): CentralHeader[] {
  const end = zip.length - END_BYTES;
  const headers: CentralHeader[] = [];
  let at = start;
  while (headers.length < count) {
    const named = at + CENTRAL_BYTES;
    if (named > end || view.getUint32(at, true) !== CENTRAL_SIGNATURE) {
      throw corrupt(`its directory has ${headers.length} entries and announces ${count}`);
    }
    const fields = readCommonFields(view, at + 6);
    const extraStart = named + fields.nameLength;
    const next = extraStart + fields.extraLength + view.getUint16(at + 32, true);
    if (next > end)
      throw corrupt(`entry ${headers.length + 1} of its directory is longer than the directory`);
    if (view.getUint16(at + 34, true) !== 0) throw corrupt("it is one volume of several");
    const nameBytes = zip.subarray(named, extraStart);
    headers.push({
      ...fields,
      name: decodeName(nameBytes, headers.length + 1),
      nameBytes,
      extra: zip.subarray(extraStart, extraStart + fields.extraLength),
      attributes: view.getUint32(at + 38, true),
      offset: view.getUint32(at + 42, true),
    });
    at = next;
  }
  if (at !== end) throw corrupt("there is something between its directory and its end record");
  return headers;
}

/** From the flags to the length of the extra field: the same order in both kinds of header. */
export function readCommonFields(view: DataView, at: number): CommonFields {
  return {
    flags: view.getUint16(at + 2, true),
    method: view.getUint16(at + 4, true),
    crc: view.getUint32(at + 10, true),
    packedSize: view.getUint32(at + 14, true),
    size: view.getUint32(at + 18, true),
    nameLength: view.getUint16(at + 22, true),
    extraLength: view.getUint16(at + 24, true),
  };
}

/** Whatever the flag says: other tools leave it out, and a name in an older code page is not one of a vault's. */
function decodeName(bytes: Uint8Array, number: number): string {
  const name = fromUtf8(bytes);
  if (name === null) throw corrupt(`the name of its entry ${number} is not UTF-8`);
  return name;
}

export function hasZip64Extra(extra: Uint8Array): boolean {
  const view = new DataView(extra.buffer, extra.byteOffset, extra.byteLength);
  for (let at = 0; at + 4 <= extra.length; at += 4 + view.getUint16(at + 2, true)) {
    if (view.getUint16(at, true) === ZIP64_EXTRA) return true;
  }
  return false;
}

export function corrupt(problem: string): BundleCorruptError {
  return new BundleCorruptError(`the vault's archive is refused: ${problem}`);
}

export function refused(header: CentralHeader, problem: string, options?: ErrorOptions): BundleCorruptError {
  return new BundleCorruptError(
    `the vault's archive is refused for its entry ${quoteName(header.name)}: ${problem}`,
    options,
  );
}
