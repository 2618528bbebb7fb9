// Reads a zip archive strictly: all headers are judged before anything is inflated. docs/formats.md section 4.
//
// A zip says most things twice, and tools differ in which they believe. Here the two must agree, and the entries, the
// directory and the end record must fill the archive without a gap or an overlap, so that there is one way to read it.

import { crc32, inflateRaw } from "#native";
import type { ArchiveLimits } from "./archive-limits.ts";
import { mapConcurrently } from "./concurrency.ts";
import { equalBytes } from "./encoding.ts";
import { NameTree, nameProblem } from "./entry-names.ts";
import {
  DEFLATED,
  DESCRIPTOR_SIGNATURE,
  DOS_FOLDER,
  DOS_VOLUME_LABEL,
  FLAG_DEFLATE_EFFORT,
  FLAG_DESCRIPTOR,
  FLAG_ENCRYPTED,
  FLAG_UTF8,
  LOCAL_BYTES,
  LOCAL_SIGNATURE,
  MODE_FOLDER,
  MODE_LINK,
  MODE_OWNER_EXECUTES,
  MODE_REGULAR,
  MODE_SPECIAL,
  MODE_TYPE,
  STORED,
  type ZipFile,
} from "./zip-format.ts";
import {
  type CentralHeader,
  corrupt,
  hasZip64Extra,
  readCommonFields,
  readDirectory,
  readEndRecord,
  refused,
  ZIP64_32,
} from "./zip-headers.ts";

/**
 * The files in the order of the directory; stored ones are views of `zip`. Throws BundleCorruptError, naming the entry,
 * for anything that is damaged, ambiguous, beyond the limits or not safe to unpack.
 */
export async function readZip(zip: Uint8Array, limits: ArchiveLimits): Promise<ZipFile[]> {
  const view = new DataView(zip.buffer, zip.byteOffset, zip.byteLength);
  const { count, start } = readEndRecord(view, limits);
  const headers = readDirectory(zip, view, start, count);
  judgeEntries(headers, limits);
  const data = locateData(zip, view, headers, start);
  return mapConcurrently(headers, async (header) => ({
    name: header.name,
    bytes: await unpack(header, data.get(header) as Uint8Array),
    executable: ((header.attributes >>> 16) & MODE_OWNER_EXECUTES) !== 0,
  }));
}

function judgeEntries(headers: readonly CentralHeader[], limits: ArchiveLimits): void {
  const tree = new NameTree();
  let unpacked = 0;
  for (const header of headers) {
    const problem =
      kindProblem(header) ??
      nameProblem(header.name) ??
      tree.add(header.name) ??
      codingProblem(header) ??
      sizeProblem(header, limits);
    if (problem !== null) throw refused(header, problem);
    unpacked += header.size;
    if (unpacked > limits.maxUnpackedBytes) {
      throw refused(header, `with it the files take more than ${limits.maxUnpackedBytes} bytes`);
    }
  }
}

/** Only regular files. The upper half is a Unix mode whoever made the entry: unpackers believe it, so it is judged. */
function kindProblem({ name, attributes }: CentralHeader): string | null {
  const mode = attributes >>> 16;
  const type = mode & MODE_TYPE;
  if (type === MODE_LINK) return "it is a symbolic link";
  if (type === MODE_FOLDER || (attributes & DOS_FOLDER) !== 0 || name.endsWith("/")) return "it is a folder";
  if ((type !== 0 && type !== MODE_REGULAR) || (attributes & DOS_VOLUME_LABEL) !== 0)
    return "it is not a regular file";
  if ((mode & MODE_SPECIAL) !== 0) return "its mode is set-uid, set-gid or sticky";
  return null;
}

function codingProblem({ flags, method, extra, packedSize, size, offset }: CentralHeader): string | null {
  if ((flags & FLAG_ENCRYPTED) !== 0) return "it is encrypted by zip";
  if ((flags & ~(FLAG_DEFLATE_EFFORT | FLAG_DESCRIPTOR | FLAG_UTF8)) !== 0)
    return "it uses a zip feature that vaults do not";
  if (method !== STORED && method !== DEFLATED) return `it is packed by the unknown method ${method}`;
  if ([packedSize, size, offset].includes(ZIP64_32) || hasZip64Extra(extra)) return "it is in zip64 form";
  if (method === STORED && packedSize !== size) return "it is stored with two sizes";
  return null;
}

function sizeProblem({ packedSize, size }: CentralHeader, limits: ArchiveLimits): string | null {
  if (size > limits.ratioFromBytes && size > limits.maxRatio * packedSize) {
    return `it unpacks to more than ${limits.maxRatio} times its size`;
  }
  return null;
}

/** The packed data of each entry, once the local headers have agreed and the entries lie end to end. */
function locateData(
  zip: Uint8Array,
  view: DataView,
  headers: readonly CentralHeader[],
  directoryStart: number,
): Map<CentralHeader, Uint8Array> {
  const data = new Map<CentralHeader, Uint8Array>();
  const inFileOrder = headers.toSorted((a, b) => a.offset - b.offset);
  let at = 0;
  for (const [i, header] of inFileOrder.entries()) {
    // Nothing is read past the directory's start, wherever the next entry claims to be.
    const next = Math.min(inFileOrder[i + 1]?.offset ?? directoryStart, directoryStart);
    if (header.offset !== at)
      throw refused(header, "there is something before it that is no entry, or it overlaps another");
    const start = judgeLocalHeader(zip, view, header, next);
    const end = start + header.packedSize;
    const descriptor = (header.flags & FLAG_DESCRIPTOR) === 0 ? 0 : judgeDescriptor(view, header, end, next);
    if (end + descriptor !== next)
      throw refused(header, "its data ends elsewhere than the next entry begins");
    data.set(header, zip.subarray(start, end));
    at = next;
  }
  if (at !== directoryStart) throw corrupt("there is something before its directory that is no entry");
  return data;
}

/** Where the data begins. */
function judgeLocalHeader(zip: Uint8Array, view: DataView, header: CentralHeader, limit: number): number {
  // Its fixed part is always there to be read: a directory entry, which is longer, stands behind the last one.
  const named = header.offset + LOCAL_BYTES;
  if (view.getUint32(header.offset, true) !== LOCAL_SIGNATURE) {
    throw refused(header, "there is no local header where the directory says");
  }
  const local = readCommonFields(view, header.offset + 4);
  const extraStart = named + local.nameLength;
  const start = extraStart + local.extraLength;
  if (start > limit) throw refused(header, "it overlaps what comes after it");
  const sameName = equalBytes(zip.subarray(named, extraStart), header.nameBytes);
  // With a descriptor the values stand behind the data; here each is then zero, or the value already.
  const agrees = (value: number, listed: number) =>
    value === listed || (value === 0 && (header.flags & FLAG_DESCRIPTOR) !== 0);
  if (
    !sameName ||
    local.flags !== header.flags ||
    local.method !== header.method ||
    !agrees(local.crc, header.crc) ||
    !agrees(local.packedSize, header.packedSize) ||
    !agrees(local.size, header.size)
  ) {
    throw refused(header, "its local header and the directory disagree");
  }
  if (hasZip64Extra(zip.subarray(extraStart, start))) throw refused(header, "it is in zip64 form");
  return start;
}

/** The length of the data descriptor: its signature is optional. */
function judgeDescriptor(view: DataView, header: CentralHeader, at: number, next: number): number {
  const length = next - at;
  const values = length === 16 && view.getUint32(at, true) === DESCRIPTOR_SIGNATURE ? at + 4 : at;
  if (
    next - values !== 12 ||
    view.getUint32(values, true) !== header.crc ||
    view.getUint32(values + 4, true) !== header.packedSize ||
    view.getUint32(values + 8, true) !== header.size
  ) {
    throw refused(header, "its data descriptor disagrees with the directory");
  }
  return length;
}

async function unpack(header: CentralHeader, data: Uint8Array): Promise<Uint8Array> {
  const bytes = header.method === STORED ? data : await inflate(header, data);
  if (crc32(bytes) !== header.crc) throw refused(header, "its checksum is wrong");
  return bytes;
}

async function inflate(header: CentralHeader, data: Uint8Array): Promise<Uint8Array> {
  try {
    return await inflateRaw(data, header.size);
  } catch (cause) {
    throw refused(header, "it does not unpack to the size that it declares", { cause });
  }
}
