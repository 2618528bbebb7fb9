// A page of ListObjectsV2, read from its XML. https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjectsV2.html
//
// Of XML it knows what S3 servers write here: elements without attributes, none in one of its own name, and text with
// entities. Whatever else comes is no listing.

import type { ListedObject } from "./object-store.ts";

export interface Listing {
  readonly objects: readonly ListedObject[];
  /** What the next page is asked for with. */
  readonly next: string | undefined;
}

/** Null when it is no listing of `prefix`. */
export function readListing(body: Uint8Array, prefix: string): Listing | null {
  const xml = Buffer.from(body.buffer, body.byteOffset, body.length).toString();
  if (!/<ListBucketResult[\s>]/.test(xml.slice(0, 1024)) || !xml.trimEnd().endsWith("</ListBucketResult>"))
    return null;
  const isUrlEncoded = field(xml, "EncodingType") === "url";
  const objects: ListedObject[] = [];
  for (const entry of elements(xml, "Contents")) {
    const written = field(entry, "Key");
    const key = isUrlEncoded && written !== null ? decodeKey(written) : written;
    const size = Number(field(entry, "Size") || Number.NaN);
    if (!key?.startsWith(prefix) || key === "" || !Number.isSafeInteger(size)) return null;
    const lastModified = Date.parse(field(entry, "LastModified") ?? "");
    objects.push({ key, size, lastModified: Number.isNaN(lastModified) ? null : new Date(lastModified) });
  }
  if (field(xml, "IsTruncated") !== "true") return { objects, next: undefined };
  const next = field(xml, "NextContinuationToken");
  return next ? { objects, next } : null;
}

/** The text between each `<name>` and the `</name>` that follows. */
function* elements(xml: string, name: string): Generator<string> {
  const [open, close] = [`<${name}>`, `</${name}>`];
  for (let at = xml.indexOf(open); at >= 0; at = xml.indexOf(open, at)) {
    const end = xml.indexOf(close, at);
    if (end < 0) return;
    yield xml.slice(at + open.length, end);
    at = end + close.length;
  }
}

function field(xml: string, name: string): string | null {
  const [first] = elements(xml, name);
  return first === undefined ? null : decodeEntities(first);
}

const ENTITIES: Readonly<Record<string, string>> = { amp: "&", lt: "<", gt: ">", quot: '"', apos: "'" };

/** Null for any entity but those that every XML has: a document that defines its own is none of S3's. */
function decodeEntities(text: string): string | null {
  let isKnown = true;
  const decoded = text.replace(/&(?:#(\d{1,7})|#x([0-9a-f]{1,6})|(\w+))?;?/gi, (_, decimal, hex, name) => {
    const code = decimal === undefined ? Number.parseInt(hex, 16) : Number(decimal);
    const character = name === undefined && code <= 0x10ffff ? String.fromCodePoint(code) : ENTITIES[name];
    isKnown &&= character !== undefined;
    return character ?? "";
  });
  return isKnown ? decoded : null;
}

/** As forms encode: AWS writes a space as `+`, others as `%20`. */
function decodeKey(text: string): string | null {
  try {
    return decodeURIComponent(text.replaceAll("+", " "));
  } catch {
    return null;
  }
}
