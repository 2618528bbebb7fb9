// What the formats need of a runtime. native-node.ts and native-web.ts each provide all of it; package.json's
// "#native" import picks one, so nothing else here knows where it runs.

/** Fills a new buffer of `length` bytes from a cryptographically secure source. */
export type RandomBytes = (length: number) => Uint8Array;

export interface Native {
  readonly randomBytes: RandomBytes;
  /** PBKDF2-HMAC-SHA256, 32 bytes. */
  pbkdf2Sha256(password: Uint8Array, salt: Uint8Array, iterations: number): Promise<Uint8Array>;
  /** HKDF-SHA256 with an empty salt, 32 bytes (RFC 5869). */
  hkdfSha256(ikm: Uint8Array, info: string): Promise<Uint8Array>;
  hmacSha256(key: Uint8Array, data: Uint8Array): Promise<Uint8Array>;
  /** SHA-256 of the parts, one after the other. */
  sha256(parts: readonly Uint8Array[]): Promise<Uint8Array>;
  /** CRC-32 as zip and gzip use it (reflected 0xEDB88320), unsigned. */
  crc32(bytes: Uint8Array): number;
  /** AES-256-GCM, no additional data: writes the ciphertext of all parts and the 16-byte tag into `out`, which is exactly that long. */
  encryptAesGcm(
    key: Uint8Array,
    iv: Uint8Array,
    parts: readonly Uint8Array[],
    out: Uint8Array,
  ): Promise<void>;
  /**
   * The plaintext, or null when the 16-byte tag at the end does not verify. In a buffer of its own unless `overwrite`
   * gives the ciphertext's up: then it may be in there, and whatever was in there is gone.
   */
  decryptAesGcm(
    key: Uint8Array,
    iv: Uint8Array,
    ciphertextAndTag: Uint8Array,
    overwrite?: boolean,
  ): Promise<Uint8Array | null>;
  deflateRaw(bytes: Uint8Array): Promise<Uint8Array>;
  /** Exactly `size` bytes out of exactly these bytes in; anything else is a RangeError, and no more than `size` is ever held. */
  inflateRaw(bytes: Uint8Array, size: number): Promise<Uint8Array>;
}

export const TAG_BYTES = 16;
