// gzip (RFC 1952), exactly one member: platform decoders take several, skip what follows them and differ in their bytes.

import { crc32, inflateRaw } from "#native";
import { concat } from "./encoding.ts";

const ID1 = 0x1f;
const ID2 = 0x8b;
const DEFLATE = 8;
const FLAG = { headerCrc: 2, extra: 4, name: 8, comment: 16, reserved: 0xe0 } as const;
const HEADER_BYTES = 10;
const TRAILER_BYTES = 8;

/** Wraps a raw deflate stream of `content`: no time, no name, operating system "unknown" (255). */
export function wrapGzip(content: Uint8Array, deflated: Uint8Array): Uint8Array {
  const header = Uint8Array.of(ID1, ID2, DEFLATE, 0, 0, 0, 0, 0, 2, 255);
  const trailer = new Uint8Array(TRAILER_BYTES);
  const view = new DataView(trailer.buffer);
  view.setUint32(0, crc32(content), true);
  view.setUint32(4, content.length, true);
  return concat([header, deflated, trailer]);
}

/** The contents of one gzip member of at most `maxBytes`, or null when the bytes are anything else. */
export async function gunzip(bytes: Uint8Array, maxBytes: number): Promise<Uint8Array | null> {
  const start = headerLength(bytes);
  const end = bytes.length - TRAILER_BYTES;
  if (start === null || end <= start) return null;
  const trailer = new DataView(bytes.buffer, bytes.byteOffset + end, TRAILER_BYTES);
  const size = trailer.getUint32(4, true);
  if (size > maxBytes) return null;
  try {
    const content = await inflateRaw(bytes.subarray(start, end), size);
    return crc32(content) === trailer.getUint32(0, true) ? content : null;
  } catch (error) {
    if (error instanceof RangeError) return null;
    throw error;
  }
}

function headerLength(bytes: Uint8Array): number | null {
  if (bytes.length < HEADER_BYTES + TRAILER_BYTES) return null;
  if (bytes[0] !== ID1 || bytes[1] !== ID2 || bytes[2] !== DEFLATE) return null;
  const flags = bytes[3] as number;
  if ((flags & FLAG.reserved) !== 0) return null;
  let at: number = HEADER_BYTES;
  if (flags & FLAG.extra) at += 2 + ((bytes[at] ?? 0) | ((bytes[at + 1] ?? 0) << 8));
  for (const text of [FLAG.name, FLAG.comment]) {
    if ((flags & text) === 0) continue;
    const end = bytes.indexOf(0, at);
    if (end < 0) return null;
    at = end + 1;
  }
  return flags & FLAG.headerCrc ? at + 2 : at;
}
