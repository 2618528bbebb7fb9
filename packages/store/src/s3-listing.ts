// A page of ListObjectsV2, read from its XML. https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjectsV2.html
//
// Of XML it knows what S3 servers write here: elements without attributes, none in one of its own name, and text with
// entities. Whatever else comes is no listing: one that was read as shorter than it is would hide objects.

import type { ListedObject } from "./object-store.ts";

export interface Listing {
  readonly objects: readonly ListedObject[];
  /** What the next page is asked for with. */
  readonly next: string | undefined;
}

/** Comments, CDATA and definitions; attributes; an element that is empty for short. */
const OTHER_XML = /<!|<(?:Contents|Key|Size|IsTruncated|NextContinuationToken|EncodingType)[\s/]/;
const UNKNOWN_ENTITY = /&(?!(?:amp|lt|gt|quot|apos|#\d{1,7}|#x[0-9a-f]{1,6});)/i;

/** Null when it is no listing of `prefix`. */
export function readListing(body: Uint8Array, prefix: string): Listing | null {
  const xml = Buffer.from(body.buffer, body.byteOffset, body.length).toString();
  const isWhole =
    /<ListBucketResult[\s>]/.test(xml.slice(0, 1024)) && xml.trimEnd().endsWith("</ListBucketResult>");
  if (!isWhole || OTHER_XML.test(xml) || UNKNOWN_ENTITY.test(xml)) return null;
  const entries = elements(xml, "Contents");
  const [count] = elements(xml, "KeyCount") ?? [];
  if (entries === null || (count !== undefined && count !== String(entries.length))) return null;
  const isUrlEncoded = field(xml, "EncodingType") === "url";
  const objects: ListedObject[] = [];
  for (const entry of entries) {
    const written = field(entry, "Key");
    const key = isUrlEncoded && written !== null ? decodeKey(written) : written;
    const size = field(entry, "Size");
    if (!key?.startsWith(prefix) || key === "" || !/^\d{1,15}$/.test(size ?? "")) return null;
    const lastModified = Date.parse(field(entry, "LastModified") ?? "");
    objects.push({
      key,
      size: Number(size),
      lastModified: Number.isNaN(lastModified) ? null : new Date(lastModified),
    });
  }
  const isTruncated = field(xml, "IsTruncated") ?? "false";
  const next = field(xml, "NextContinuationToken") ?? undefined;
  if (isTruncated === "true") return next ? { objects, next } : null;
  return isTruncated === "false" ? { objects, next: undefined } : null;
}

/** The text between each `<name>` and the `</name>` that follows; null when one is not closed before the next. */
function elements(xml: string, name: string): string[] | null {
  const [open, close] = [`<${name}>`, `</${name}>`];
  const found: string[] = [];
  for (let at = xml.indexOf(open); at >= 0; at = xml.indexOf(open, at)) {
    const end = xml.indexOf(close, at);
    const text = xml.slice(at + open.length, end);
    if (end < 0 || text.includes(open)) return null;
    found.push(text);
    at = end + close.length;
  }
  return found;
}

/** The text of the first of that name. */
function field(xml: string, name: string): string | null {
  const [open, close] = [`<${name}>`, `</${name}>`];
  const at = xml.indexOf(open);
  const end = xml.indexOf(close, at);
  return at < 0 || end < 0 ? null : decodeEntities(xml.slice(at + open.length, end));
}

const ENTITIES: ReadonlyMap<string, string> = new Map([
  ["amp", "&"],
  ["lt", "<"],
  ["gt", ">"],
  ["quot", '"'],
  ["apos", "'"],
]);

function decodeEntities(text: string): string {
  return text.replace(/&(?:#(\d{1,7})|#x([0-9a-f]{1,6})|(\w+));/gi, (whole, decimal, hex, name) => {
    if (name !== undefined) return ENTITIES.get(name.toLowerCase()) ?? whole;
    const code = decimal === undefined ? Number.parseInt(hex, 16) : Number(decimal);
    return code <= 0x10ffff ? String.fromCodePoint(code) : whole;
  });
}

/** As forms encode: AWS writes a space as `+`, others as `%20`. */
function decodeKey(text: string): string | null {
  try {
    return decodeURIComponent(text.replaceAll("+", " "));
  } catch {
    return null;
  }
}
