// native.ts on Node, Bun and Deno: node:crypto and node:zlib. Web Crypto would do, but it copies its input, has no
// streaming cipher (three times the vault in memory instead of two) and costs some milliseconds to load.

import * as crypto from "node:crypto";
import * as zlib from "node:zlib";
import { crc32 as portableCrc32 } from "./crc32.ts";
import { TAG_BYTES } from "./native.ts";

/** Small enough that a cipher's intermediate buffers do not count beside a large vault. */
const CHUNK_BYTES = 1 << 18;
/** Deflating or inflating this much takes less time than the way to another thread and back. */
const INLINE_BYTES = 1 << 16;

export function randomBytes(length: number): Uint8Array {
  return plain(crypto.randomBytes(length));
}

export function pbkdf2Sha256(
  password: Uint8Array,
  salt: Uint8Array,
  iterations: number,
): Promise<Uint8Array> {
  return new Promise((resolve, reject) => {
    crypto.pbkdf2(password, salt, iterations, 32, "sha256", (error, key) =>
      error ? reject(error) : resolve(plain(key)),
    );
  });
}

export async function hkdfSha256(ikm: Uint8Array, info: string): Promise<Uint8Array> {
  return new Uint8Array(crypto.hkdfSync("sha256", ikm, new Uint8Array(0), info, 32));
}

export async function hmacSha256(key: Uint8Array, data: Uint8Array): Promise<Uint8Array> {
  return plain(crypto.createHmac("sha256", key).update(data).digest());
}

export async function sha256(parts: readonly Uint8Array[]): Promise<Uint8Array> {
  const hash = crypto.createHash("sha256");
  for (const part of parts) hash.update(part);
  return plain(hash.digest());
}

/** Node has it built in from 20.15 and 22.2 on. */
export const crc32: (bytes: Uint8Array) => number =
  typeof zlib.crc32 === "function" ? (bytes) => zlib.crc32(bytes) : portableCrc32;

export async function encryptAesGcm(
  key: Uint8Array,
  iv: Uint8Array,
  parts: readonly Uint8Array[],
  out: Uint8Array,
): Promise<void> {
  const cipher = crypto.createCipheriv("aes-256-gcm", key, iv, { authTagLength: TAG_BYTES });
  let at = 0;
  for (const part of parts) at = updateInto(cipher, part, out, at);
  cipher.final();
  out.set(cipher.getAuthTag(), at);
}

export async function decryptAesGcm(
  key: Uint8Array,
  iv: Uint8Array,
  ciphertextAndTag: Uint8Array,
  overwrite: boolean = false,
): Promise<Uint8Array | null> {
  const end = ciphertextAndTag.length - TAG_BYTES;
  const decipher = crypto.createDecipheriv("aes-256-gcm", key, iv, { authTagLength: TAG_BYTES });
  decipher.setAuthTag(ciphertextAndTag.subarray(end));
  const ciphertext = ciphertextAndTag.subarray(0, end);
  // A piece is read before it is written, and what is written is as long as what was read.
  const plaintext = overwrite ? ciphertext : new Uint8Array(end);
  updateInto(decipher, ciphertext, plaintext, 0);
  try {
    decipher.final();
  } catch {
    plaintext.fill(0);
    return null;
  }
  return plaintext;
}

export async function deflateRaw(bytes: Uint8Array): Promise<Uint8Array> {
  if (bytes.length <= INLINE_BYTES) return plain(zlib.deflateRawSync(bytes));
  return await new Promise((resolve, reject) => {
    zlib.deflateRaw(bytes, (error, deflated) => (error ? reject(error) : resolve(plain(deflated))));
  });
}

export async function inflateRaw(bytes: Uint8Array, size: number): Promise<Uint8Array> {
  const { buffer, engine } = await runInflate(bytes, size).catch((error: Error) => {
    throw new RangeError(`deflate stream: ${error.message}`);
  });
  if (buffer.length !== size) throw new RangeError("deflate stream of another size than declared");
  if (engine.bytesWritten !== bytes.length) throw new RangeError("data after the deflate stream");
  return plain(buffer);
}

interface Inflated {
  readonly buffer: Buffer;
  /** Counts the input that was used. */
  readonly engine: { readonly bytesWritten: number };
}

async function runInflate(bytes: Uint8Array, size: number): Promise<Inflated> {
  // One chunk of the expected size makes zlib fill a single buffer.
  const options = { info: true, chunkSize: Math.max(size, 64), maxOutputLength: Math.max(size, 1) };
  if (size <= INLINE_BYTES) return zlib.inflateRawSync(bytes, options) as unknown as Inflated;
  return new Promise((resolve, reject) => {
    zlib.inflateRaw(bytes, options, (error, result) =>
      error ? reject(error) : resolve(result as unknown as Inflated),
    );
  });
}

function updateInto(
  cipher: crypto.CipherGCM | crypto.DecipherGCM,
  input: Uint8Array,
  out: Uint8Array,
  at: number,
): number {
  for (let from = 0; from < input.length; from += CHUNK_BYTES) {
    const piece = cipher.update(input.subarray(from, from + CHUNK_BYTES));
    out.set(piece, at);
    at += piece.length;
    // It may be plaintext, in memory that nobody else would wipe.
    piece.fill(0);
  }
  return at;
}

/** The same memory as a plain Uint8Array: a Buffer prints its contents as JSON and slices without copying. */
function plain(buffer: Buffer): Uint8Array {
  return new Uint8Array(buffer.buffer, buffer.byteOffset, buffer.length);
}
