// Builds zip archives byte by byte, so that a test can make any field lie.

import { crc32, deflateRawSync } from "node:zlib";

/** The fields that both headers have. */
export interface Fields {
  needed: number;
  flags: number;
  method: number;
  crc: number;
  packedSize: number;
  size: number;
  name: Uint8Array;
  extra: Uint8Array;
}

export interface Entry {
  name: string | Uint8Array;
  content?: string | Uint8Array;
  /** 0 (the default) or 8; anything else packs nothing. */
  method?: number;
  flags?: number;
  /** Upper half: Unix mode; lower: DOS attributes. */
  attributes?: number;
  /** What stands as data, when not the content. */
  packed?: Uint8Array;
  /** Behind the data. */
  descriptor?: Uint8Array;
  /** Before the local header. */
  before?: Uint8Array;
  local?: Partial<Fields>;
  central?: Partial<Fields> & { disk?: number; comment?: Uint8Array; offset?: number; signature?: number };
}

export interface Frame {
  beforeDirectory?: Uint8Array;
  afterDirectory?: Uint8Array;
  after?: Uint8Array;
  end?: {
    disk?: number;
    startDisk?: number;
    here?: number;
    total?: number;
    size?: number;
    offset?: number;
    comment?: number;
  };
}

export const bytes = (text: string): Uint8Array => new Uint8Array(Buffer.from(text));

export function buildZip(entries: readonly Entry[], frame: Frame = {}): Uint8Array {
  const parts: Uint8Array[] = [];
  const directory: Uint8Array[] = [];
  let offset = 0;
  const push = (part: Uint8Array) => {
    parts.push(part);
    offset += part.length;
  };
  for (const entry of entries) {
    push(entry.before ?? new Uint8Array(0));
    const content =
      typeof entry.content === "string" ? bytes(entry.content) : (entry.content ?? bytes("content"));
    const method = entry.method ?? 0;
    const data = entry.packed ?? (method === 8 ? new Uint8Array(deflateRawSync(content)) : content);
    const fields: Fields = {
      needed: 20,
      flags: entry.flags ?? 0,
      method,
      crc: crc32(content),
      packedSize: data.length,
      size: content.length,
      name: typeof entry.name === "string" ? bytes(entry.name) : entry.name,
      extra: new Uint8Array(0),
    };
    const central = { ...fields, ...entry.central };
    directory.push(
      u32(central.signature ?? 0x02014b50),
      u16((3 << 8) | 20),
      common(central),
      u16(central.comment?.length ?? 0),
      u16(central.disk ?? 0),
      u16(0),
      u32(entry.attributes ?? (0o100600 << 16) >>> 0),
      u32(central.offset ?? offset),
      central.name,
      central.extra,
      central.comment ?? new Uint8Array(0),
    );
    const local = { ...fields, ...entry.local };
    for (const part of [u32(0x04034b50), common(local), local.name, local.extra, data]) push(part);
    push(entry.descriptor ?? new Uint8Array(0));
  }
  push(frame.beforeDirectory ?? new Uint8Array(0));
  const size = directory.reduce((total, part) => total + part.length, 0);
  const end = frame.end ?? {};
  return new Uint8Array(
    Buffer.concat([
      ...parts,
      ...directory,
      frame.afterDirectory ?? new Uint8Array(0),
      u32(0x06054b50),
      u16(end.disk ?? 0),
      u16(end.startDisk ?? 0),
      u16(end.here ?? entries.length),
      u16(end.total ?? entries.length),
      u32(end.size ?? size),
      u32(end.offset ?? offset),
      u16(end.comment ?? 0),
      frame.after ?? new Uint8Array(0),
    ]),
  );
}

/** A data descriptor, with its signature or without. */
export function descriptor(crc: number, packedSize: number, size: number, signature = true): Uint8Array {
  const values = [u32(crc), u32(packedSize), u32(size)];
  return new Uint8Array(Buffer.concat(signature ? [u32(0x08074b50), ...values] : values));
}

function common(fields: Fields): Uint8Array {
  return new Uint8Array(
    Buffer.concat([
      u16(fields.needed),
      u16(fields.flags),
      u16(fields.method),
      u16(0),
      u16(0x21),
      u32(fields.crc),
      u32(fields.packedSize),
      u32(fields.size),
      u16(fields.name.length),
      u16(fields.extra.length),
    ]),
  );
}

export function u16(value: number): Uint8Array {
  const out = Buffer.alloc(2);
  out.writeUInt16LE(value);
  return new Uint8Array(out);
}

export function u32(value: number): Uint8Array {
  const out = Buffer.alloc(4);
  out.writeUInt32LE(value >>> 0);
  return new Uint8Array(out);
}
