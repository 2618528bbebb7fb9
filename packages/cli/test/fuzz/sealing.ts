// The forms that parsers take off one by one, put on with Node's own primitives: damage can lie within each of them.

import { createCipheriv, pbkdf2Sync } from "node:crypto";
import { gzipSync } from "node:zlib";
import { expandKeys, type VaultKeys } from "@vsync/envelope";
import { bytes, text } from "./target.ts";

export const KEYS: VaultKeys = await expandKeys(new Uint8Array(32).fill(7));
export const PASSPHRASE = "correct horse battery staple";

const SHARE_SALT = Buffer.alloc(16, 1).toString("base64");
let shareKey: Uint8Array | undefined;

export function rqe1(master: Uint8Array): (plaintext: Uint8Array) => Uint8Array {
  return (plaintext) => {
    const iv = Buffer.alloc(12, 3);
    const cipher = createCipheriv("aes-256-gcm", master, iv);
    return Buffer.concat([bytes("RQE1"), iv, cipher.update(plaintext), cipher.final(), cipher.getAuthTag()]);
  };
}

export const pointerSeal = (payload: Uint8Array): Uint8Array =>
  Buffer.concat([bytes("RQEM000120260102-030405"), payload]);

export const gzip = (content: Uint8Array): Uint8Array => new Uint8Array(gzipSync(content));
export const base64 = (content: Uint8Array): Uint8Array => bytes(Buffer.from(content).toString("base64"));
export const configBlob = (gzipped: Uint8Array): Uint8Array =>
  bytes(`vsync-cfg-v1:${Buffer.from(gzipped).toString("base64url")}`);

/** A share or key file around what its envelope holds; `magic` is SLS1 or SLK1. */
export function shareFile(magic: string): (content: Uint8Array) => Uint8Array {
  return (content) => {
    shareKey ??= pbkdf2Sync(PASSPHRASE, SHARE_SALT, 600_000, 32, "sha256");
    return Buffer.concat([bytes(magic), Uint8Array.of(24), bytes(SHARE_SALT), rqe1(shareKey)(content)]);
  };
}

/** JSON of a value, and what is left of one in text that is no JSON any more. */
export const json = (value: unknown): Uint8Array => bytes(JSON.stringify(value));
export function fromJson(input: Uint8Array): unknown {
  try {
    return JSON.parse(text(input));
  } catch {
    return undefined;
  }
}
