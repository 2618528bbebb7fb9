// The formats written with node:crypto and fflate alone, so that the corpus does not come out of the code it checks.

import { createCipheriv, createHmac, hkdfSync, pbkdf2Sync } from "node:crypto";
import { deflateSync } from "fflate";
import { seededBytes, sha256Hex } from "./vector.ts";

/** Enough for everything that is not about the count: the lowest a reader takes, and six times as fast. */
export const FAST_ITERATIONS = 100_000;
export const DEFAULT_ITERATIONS = 600_000;

export interface Keys {
  readonly master: Buffer;
  readonly sealKey: Buffer;
  readonly chainKey: Buffer;
}

const derived = new Map<string, Keys>();

export function keysFor(passphrase: string, salt: string, iterations: number): Keys {
  const id = JSON.stringify([passphrase, salt, iterations]);
  const known = derived.get(id);
  if (known !== undefined) return known;
  const master = pbkdf2Sync(Buffer.from(passphrase), Buffer.from(salt), iterations, 32, "sha256");
  const expand = (info: string): Buffer => Buffer.from(hkdfSync("sha256", master, "", info, 32));
  const keys = {
    master,
    sealKey: expand("vsync manifest seal v1"),
    chainKey: expand("vsync audit chain v1"),
  };
  derived.set(id, keys);
  return keys;
}

export interface EnvelopeForm {
  readonly magic?: string;
  readonly tagBytes?: number;
  readonly additionalData?: Uint8Array;
}

/** RQE1 with the IV that the vector's name gives. */
export function envelope(
  name: string,
  master: Uint8Array,
  plaintext: Uint8Array,
  form: EnvelopeForm = {},
): Buffer {
  const iv = seededBytes(name, "iv", 12);
  const cipher = createCipheriv("aes-256-gcm", master, iv, { authTagLength: form.tagBytes ?? 16 });
  if (form.additionalData !== undefined) cipher.setAAD(form.additionalData);
  const ciphertext = [cipher.update(plaintext), cipher.final()];
  return Buffer.concat([Buffer.from(form.magic ?? "RQE1"), iv, ...ciphertext, cipher.getAuthTag()]);
}

export function pointerSeal(timestamp: string, payload: Uint8Array, magic = "RQEM0001"): Buffer {
  return Buffer.concat([Buffer.from(magic + timestamp), payload]);
}

export interface SealedFields {
  readonly body: string;
  readonly gen: string;
  readonly sha256: string;
  readonly "write-id": string;
  readonly "rotated-at"?: string;
  readonly grace?: string;
}

/** Manifest metadata with its seal. The fields are strings on purpose: vectors seal what no writer would. */
export function sealedMetadata(keys: Keys, prefix: string, fields: SealedFields): Record<string, string> {
  const { body, ...metadata } = fields;
  const text = [
    "vsync-manifest-v1",
    body,
    fields.gen,
    fields["rotated-at"] ?? "",
    fields.sha256,
    fields["write-id"],
    fields.grace ?? "",
    prefix,
  ].join("\n");
  return { ...metadata, seal: hmac(keys.sealKey, text).toString("base64url") };
}

export interface Grace {
  readonly timestamp: string;
  readonly gen: string;
  readonly sha256: string;
  readonly until: string;
}

export function graceField(oldKeys: Keys, prefix: string, grace: Grace): string {
  const { timestamp, gen, sha256, until } = grace;
  const text = ["vsync-manifest-grace-v1", timestamp, gen, sha256, until, prefix].join("\n");
  return [timestamp, gen, sha256, until, hmac(oldKeys.sealKey, text).toString("base64url")].join(".");
}

export function hmac(key: Uint8Array, data: string | Uint8Array): Buffer {
  return createHmac("sha256", key).update(data).digest();
}

export interface GzipForm {
  readonly name?: string;
  readonly flags?: number;
  readonly time?: number;
  readonly os?: number;
  readonly level?: 0 | 9;
  readonly crc?: number;
  readonly size?: number;
}

/** RFC 1952, one member. Without a form it is what section 8 of the format document asks of a writer. */
export function gzip(data: Uint8Array, form: GzipForm = {}): Buffer {
  const header = Buffer.alloc(10);
  header.set([0x1f, 0x8b, 8, form.flags ?? (form.name === undefined ? 0 : 8)]);
  header.writeUInt32LE(form.time ?? 0, 4);
  header[8] = form.level === 0 ? 4 : 2;
  header[9] = form.os ?? 255;
  const trailer = Buffer.alloc(8);
  trailer.writeUInt32LE(form.crc ?? crc32(data), 0);
  trailer.writeUInt32LE(form.size ?? data.length, 4);
  const name = form.name === undefined ? [] : [Buffer.from(`${form.name}\0`)];
  return Buffer.concat([header, ...name, deflateSync(data, { level: form.level ?? 9 }), trailer]);
}

const CRC_TABLE = Uint32Array.from({ length: 256 }, (_, byte) => {
  let crc = byte;
  for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ (crc & 1 ? 0xedb88320 : 0);
  return crc >>> 0;
});

export function crc32(data: Uint8Array): number {
  let crc = 0xffffffff;
  for (const byte of data) crc = (crc >>> 8) ^ CRC_TABLE[(crc ^ byte) & 0xff]!;
  return (crc ^ 0xffffffff) >>> 0;
}

/** The metadata's `write-id` and a digest, for manifests that name no bundle of the vector. */
export function writeId(name: string): string {
  return seededBytes(name, "write-id", 16).toString("hex");
}

export function someDigest(name: string): string {
  return sha256Hex(seededBytes(name, "bundle", 32));
}
