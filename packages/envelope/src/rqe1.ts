// The encrypted envelope: "RQE1", a 12-byte IV, AES-256-GCM ciphertext, a 16-byte tag. docs/formats.md section 2.

import { decryptAesGcm, encryptAesGcm, randomBytes as nativeRandomBytes } from "#native";
import { utf8 } from "./encoding.ts";
import { BundleCorruptError, UnsupportedSpecVersionError, WrongPassphraseError } from "./errors.ts";
import { type RandomBytes, TAG_BYTES } from "./native.ts";

const MAGIC = "RQE1";
const IV_BYTES = 12;
const HEADER_BYTES = MAGIC.length + IV_BYTES;
export const MIN_ENVELOPE_BYTES: number = HEADER_BYTES + TAG_BYTES;

/** Encrypts the parts, one after the other, under a fresh random IV. */
export async function encryptEnvelope(
  master: Uint8Array,
  parts: readonly Uint8Array[],
  randomBytes: RandomBytes = nativeRandomBytes,
): Promise<Uint8Array> {
  const length = parts.reduce((sum, part) => sum + part.length, 0);
  const envelope = new Uint8Array(MIN_ENVELOPE_BYTES + length);
  const iv = randomBytes(IV_BYTES);
  envelope.set(utf8(MAGIC));
  envelope.set(iv, MAGIC.length);
  await encryptAesGcm(master, iv, parts, envelope.subarray(HEADER_BYTES));
  return envelope;
}

/**
 * The plaintext, handed on only after the tag has verified. With `overwrite` it may take the envelope's place in memory.
 * Throws BundleCorruptError (not an envelope, cut short), UnsupportedSpecVersionError (RQE2 and later) or WrongPassphraseError
 * (the tag does not verify: another key, or damage; the envelope alone cannot tell which).
 */
export async function decryptEnvelope(
  master: Uint8Array,
  envelope: Uint8Array,
  overwrite: boolean = false,
): Promise<Uint8Array> {
  checkEnvelope(envelope);
  const iv = envelope.subarray(MAGIC.length, HEADER_BYTES);
  const plaintext = await decryptAesGcm(master, iv, envelope.subarray(HEADER_BYTES), overwrite);
  if (plaintext === null) {
    throw new WrongPassphraseError(
      "wrong passphrase, or a damaged envelope: its authentication tag does not verify",
    );
  }
  return plaintext;
}

function checkEnvelope(envelope: Uint8Array): void {
  const magic = String.fromCharCode(...envelope.subarray(0, MAGIC.length));
  if (/^RQE[02-9]$/.test(magic)) {
    throw new UnsupportedSpecVersionError(
      `envelope version ${magic} is newer than this release knows; update vsync`,
    );
  }
  if (envelope.length < MIN_ENVELOPE_BYTES) {
    throw new BundleCorruptError(
      `envelope of ${envelope.length} bytes; the shortest possible one has ${MIN_ENVELOPE_BYTES}: it was cut short`,
    );
  }
  if (magic !== MAGIC) throw new BundleCorruptError("not an encrypted envelope: it does not begin with RQE1");
}
