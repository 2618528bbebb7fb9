// native.ts where there is no node: module: Web Crypto, and fflate for deflate (DecompressionStream differs between
// runtimes in what it accepts after the end of a stream).

import { deflateSync, inflateSync } from "fflate";
import { concat } from "./encoding.ts";
import { TAG_BYTES } from "./native.ts";

export { crc32 } from "./crc32.ts";

type Bytes = Uint8Array<ArrayBuffer>;

export function randomBytes(length: number): Uint8Array {
  return crypto.getRandomValues(new Uint8Array(length));
}

export async function pbkdf2Sha256(
  password: Uint8Array,
  salt: Uint8Array,
  iterations: number,
): Promise<Uint8Array> {
  const key = await crypto.subtle.importKey("raw", password as Bytes, "PBKDF2", false, ["deriveBits"]);
  const bits = { name: "PBKDF2", hash: "SHA-256", salt: salt as Bytes, iterations };
  return new Uint8Array(await crypto.subtle.deriveBits(bits, key, 256));
}

export async function hkdfSha256(ikm: Uint8Array, info: string): Promise<Uint8Array> {
  const key = await crypto.subtle.importKey("raw", ikm as Bytes, "HKDF", false, ["deriveBits"]);
  const bits = {
    name: "HKDF",
    hash: "SHA-256",
    salt: new Uint8Array(0),
    info: new TextEncoder().encode(info) as Bytes,
  };
  return new Uint8Array(await crypto.subtle.deriveBits(bits, key, 256));
}

export async function hmacSha256(key: Uint8Array, data: Uint8Array): Promise<Uint8Array> {
  const hmac = { name: "HMAC", hash: "SHA-256" };
  const imported = await crypto.subtle.importKey("raw", key as Bytes, hmac, false, ["sign"]);
  return new Uint8Array(await crypto.subtle.sign("HMAC", imported, data as Bytes));
}

export async function sha256(parts: readonly Uint8Array[]): Promise<Uint8Array> {
  return new Uint8Array(await crypto.subtle.digest("SHA-256", joined(parts)));
}

export async function encryptAesGcm(
  key: Uint8Array,
  iv: Uint8Array,
  parts: readonly Uint8Array[],
  out: Uint8Array,
): Promise<void> {
  const imported = await crypto.subtle.importKey("raw", key as Bytes, "AES-GCM", false, ["encrypt"]);
  out.set(new Uint8Array(await crypto.subtle.encrypt(aesGcm(iv), imported, joined(parts))));
}

export async function decryptAesGcm(
  key: Uint8Array,
  iv: Uint8Array,
  ciphertextAndTag: Uint8Array,
): Promise<Uint8Array | null> {
  const imported = await crypto.subtle.importKey("raw", key as Bytes, "AES-GCM", false, ["decrypt"]);
  try {
    return new Uint8Array(await crypto.subtle.decrypt(aesGcm(iv), imported, ciphertextAndTag as Bytes));
  } catch {
    return null;
  }
}

export async function deflateRaw(bytes: Uint8Array): Promise<Uint8Array> {
  return deflateSync(bytes);
}

export async function inflateRaw(bytes: Uint8Array, size: number): Promise<Uint8Array> {
  // fflate drops what does not fit into `out`, so one byte more tells a longer stream from an exact one.
  const inflated = tryInflate(bytes, new Uint8Array(size + 1));
  if (inflated?.length !== size)
    throw new RangeError("deflate stream damaged or of another size than declared");
  // It also ignores what follows the stream: then, and only then, the stream is still whole without its last byte.
  if (tryInflate(bytes.subarray(0, -1), new Uint8Array(1)) !== null) {
    throw new RangeError("data after the deflate stream");
  }
  return inflated;
}

function tryInflate(bytes: Uint8Array, out: Uint8Array): Uint8Array | null {
  if (bytes.length === 0) return null;
  try {
    return inflateSync(bytes, { out });
  } catch {
    return null;
  }
}

function aesGcm(iv: Uint8Array): { name: "AES-GCM"; iv: Bytes; tagLength: number } {
  return { name: "AES-GCM", iv: iv as Bytes, tagLength: TAG_BYTES * 8 };
}

function joined(parts: readonly Uint8Array[]): Bytes {
  return (parts.length === 1 ? parts[0] : concat(parts)) as Bytes;
}
