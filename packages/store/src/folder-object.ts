// An object of a folder bucket as one file, and where that file lies (docs/formats.md section 10). Used by the reader too.

import { createHash } from "node:crypto";

/** The line before the body. */
export interface FolderHeader {
  readonly metadata: Readonly<Record<string, string>>;
  /** Bytes of the body. */
  readonly size: number;
  /** Lower-case hex, of the body. */
  readonly sha256: string;
  /** Bytes of the line, line feed included: where the body starts. */
  readonly length: number;
}

export interface FolderObject {
  readonly metadata: Readonly<Record<string, string>>;
  /** A view into the file's bytes. */
  readonly body: Uint8Array;
  /** Lower-case hex SHA-256 of the whole file. */
  readonly etag: string;
}

/** Why a file is not an object; completes "the file ...". */
export interface FolderDamage {
  readonly damage: string;
}

/** No header is longer: S3 holds 2 KiB of metadata, and a damaged file must not be searched to its end. */
export const MAX_FOLDER_HEADER: number = 64 * 1024;

/** The header of `body`: the file is these bytes and then the body's. */
export function encodeFolderHeader(body: Uint8Array, metadata: Readonly<Record<string, string>>): Uint8Array {
  const sha256 = createHash("sha256").update(body).digest("hex");
  return new TextEncoder().encode(`${JSON.stringify({ metadata, size: body.length, sha256 })}\n`);
}

/** Reads the header from the file's first bytes; `MAX_FOLDER_HEADER` of them, or the whole file, are enough. */
export function decodeFolderHeader(start: Uint8Array): FolderHeader | FolderDamage {
  const end = start.subarray(0, MAX_FOLDER_HEADER).indexOf(0x0a);
  if (end < 0) return { damage: "has no header line" };
  let value: unknown;
  try {
    value = JSON.parse(
      new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(start.subarray(0, end)),
    );
  } catch {
    return { damage: "has a header line that is not JSON" };
  }
  if (!isRecord(value)) return { damage: "has a header line that is not a JSON object" };
  const { metadata, size, sha256 } = value;
  if (!isRecord(metadata) || !Object.values(metadata).every((text) => typeof text === "string"))
    return { damage: "has no metadata in its header" };
  if (typeof size !== "number" || !Number.isSafeInteger(size) || size < 0)
    return { damage: "has no size in its header" };
  if (typeof sha256 !== "string" || !/^[0-9a-f]{64}$/.test(sha256))
    return { damage: "has no SHA-256 in its header" };
  return { metadata: metadata as Record<string, string>, size, sha256, length: end + 1 };
}

/** The whole file, checked against its own header. */
export function decodeFolderObject(file: Uint8Array): FolderObject | FolderDamage {
  const header = decodeFolderHeader(file);
  if ("damage" in header) return header;
  const body = file.subarray(header.length);
  if (body.length !== header.size)
    return { damage: `holds ${body.length} bytes where its header says ${header.size}` };
  if (createHash("sha256").update(body).digest("hex") !== header.sha256)
    return { damage: "does not have the SHA-256 its header says" };
  return { metadata: header.metadata, body, etag: createHash("sha256").update(file).digest("hex") };
}

/**
 * The names a key's file lies under, one for each part. Null when no file can have that name: an empty part
 * (`a//b` would be the file of `a/b`), a lone surrogate, or a part of more than 255 bytes when encoded.
 */
export function keyToNames(key: string): readonly string[] | null {
  const names: string[] = [];
  for (const part of key.split("/")) {
    const name = /^\.+$/.test(part) ? "%2E".repeat(part.length) : encodePart(part);
    if (name === null || name === "" || name.length > 255) return null;
    names.push(name);
  }
  return names;
}

/** Where the object `key` lies in `bucketFolder`; null as for `keyToNames`. */
export function keyToPath(bucketFolder: string, key: string): string | null {
  const names = keyToNames(key);
  return names === null ? null : `${bucketFolder}/${names.join("/")}`;
}

/** The part of a key that a file name stands for; null when no key makes this name, so that it is not ours. */
export function nameToPart(name: string): string | null {
  let part: string;
  try {
    part = decodeURIComponent(name);
  } catch {
    return null;
  }
  return keyToNames(part)?.join("/") === name ? part : null;
}

function encodePart(part: string): string | null {
  try {
    return encodeURIComponent(part);
  } catch {
    return null; // a lone surrogate
  }
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
