// Keys, envelope and pointer seal once more, written from the format document alone with the noble packages: nothing
// in this folder imports a line of ours, so that a mistake would have to be made twice to go unnoticed.

import { gcm } from "@noble/ciphers/aes.js";
import { hkdf } from "@noble/hashes/hkdf.js";
import { hmac } from "@noble/hashes/hmac.js";
import { pbkdf2 } from "@noble/hashes/pbkdf2.js";
import { sha256 } from "@noble/hashes/sha2.js";

const text = new TextEncoder();
const known = new Map<string, Uint8Array>();

export function masterKey(passphrase: string, salt: string, iterations: number): Uint8Array {
  const id = JSON.stringify([passphrase, salt, iterations]);
  const key =
    known.get(id) ?? pbkdf2(sha256, text.encode(passphrase), text.encode(salt), { c: iterations, dkLen: 32 });
  known.set(id, key);
  return key;
}

export function sealKey(master: Uint8Array): Uint8Array {
  return hkdf(sha256, master, undefined, text.encode("vsync manifest seal v1"), 32);
}

export function chainKey(master: Uint8Array): Uint8Array {
  return hkdf(sha256, master, undefined, text.encode("vsync audit chain v1"), 32);
}

export function mac(key: Uint8Array, message: string): Uint8Array {
  return hmac(sha256, key, text.encode(message));
}

export function digest(bytes: Uint8Array): string {
  return hexOf(sha256(bytes));
}

/** Throws when the tag does not verify. */
export function openEnvelope(master: Uint8Array, envelope: Uint8Array): Uint8Array {
  if (latin1(envelope.subarray(0, 4)) !== "RQE1") throw new Error("not RQE1");
  return gcm(master, envelope.slice(4, 16)).decrypt(envelope.slice(16));
}

export function openPointerSeal(plaintext: Uint8Array): { timestamp: string; payload: Uint8Array } {
  if (latin1(plaintext.subarray(0, 8)) !== "RQEM0001") throw new Error("not RQEM0001");
  return { timestamp: latin1(plaintext.subarray(8, 23)), payload: plaintext.subarray(23) };
}

export function hexOf(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

export function latin1(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => String.fromCharCode(byte)).join("");
}
