// From passphrase to keys, and what a good passphrase and salt are. docs/formats.md section 1.

import { hkdfSha256, randomBytes as nativeRandomBytes, pbkdf2Sha256 } from "#native";
import { fromBase64, toBase64, toBase64url, utf8 } from "./encoding.ts";
import { BundleCorruptError } from "./errors.ts";
import type { RandomBytes } from "./native.ts";

export const DEFAULT_ITERATIONS = 600_000;

/** Bounds on what is read: fewer iterations are a downgrade, more are a denial of service. */
export interface KeyLimits {
  readonly minSaltBytes: number;
  readonly minIterations: number;
  readonly maxIterations: number;
}

export const KEY_LIMITS: KeyLimits = { minSaltBytes: 8, minIterations: 100_000, maxIterations: 10_000_000 };

/** The keys of one environment, 32 bytes each. Whoever derives them wipes them. */
export interface VaultKeys {
  /** AES-256-GCM key of the envelope. */
  readonly master: Uint8Array;
  /** HMAC-SHA256 key of the manifest seal. */
  readonly sealKey: Uint8Array;
  /** HMAC-SHA256 key of the audit chain. */
  readonly chainKey: Uint8Array;
}

/** Refuses, before any work is done, a salt or an iteration count out of bounds: BundleCorruptError. */
export function checkKdf(salt: string, iterations: number, limits: KeyLimits = KEY_LIMITS): void {
  const saltBytes = utf8(salt).length;
  if (saltBytes < limits.minSaltBytes) {
    throw new BundleCorruptError(`salt of ${saltBytes} bytes; at least ${limits.minSaltBytes} are needed`);
  }
  const inBounds = iterations >= limits.minIterations && iterations <= limits.maxIterations;
  if (!Number.isSafeInteger(iterations) || !inBounds) {
    throw new BundleCorruptError(
      `${iterations} key derivation iterations; it takes an integer from ${limits.minIterations} to ${limits.maxIterations}`,
    );
  }
}

/**
 * PBKDF2-HMAC-SHA256 over the passphrase and the salt **string**, both as UTF-8 and verbatim: the salt looks like base64
 * and is never decoded. 32 bytes.
 */
export async function deriveMaster(
  passphrase: string,
  salt: string,
  iterations: number,
  limits: KeyLimits = KEY_LIMITS,
): Promise<Uint8Array> {
  checkKdf(salt, iterations, limits);
  const password = utf8(passphrase);
  try {
    return await pbkdf2Sha256(password, utf8(salt), iterations);
  } finally {
    password.fill(0);
  }
}

/** The seal and chain keys beside the master key, by HKDF-SHA256. */
export async function expandKeys(master: Uint8Array): Promise<VaultKeys> {
  const [sealKey, chainKey] = await Promise.all([
    hkdfSha256(master, "vsync manifest seal v1"),
    hkdfSha256(master, "vsync audit chain v1"),
  ]);
  return { master, sealKey, chainKey };
}

/** {@link deriveMaster}, then {@link expandKeys}. */
export async function deriveKeys(
  passphrase: string,
  salt: string,
  iterations: number,
  limits: KeyLimits = KEY_LIMITS,
): Promise<VaultKeys> {
  return expandKeys(await deriveMaster(passphrase, salt, iterations, limits));
}

/** 32 random bytes as standard base64: 44 characters. */
export function generatePassphrase(randomBytes: RandomBytes = nativeRandomBytes): string {
  return toBase64(randomBytes(32));
}

/** 18 random bytes as base64url: 24 characters. */
export function generateSalt(randomBytes: RandomBytes = nativeRandomBytes): string {
  return toBase64url(randomBytes(18));
}

/**
 * Why a passphrase may not be taken as a new one, or null. `chosen` says that a person gave it; below 600,000
 * iterations only generated ones are strong enough, and by its form a given one is taken for such.
 */
export function passphraseProblem(
  passphrase: string,
  rules: { readonly chosen: boolean; readonly iterations: number; readonly inForce?: string },
): string | null {
  if ([...passphrase].length < 12) return "it has fewer than 12 characters";
  // PBKDF2 pads its key with zeros, and encoders replace lone surrogates: both give one key to several passphrases.
  if (passphrase.includes("\0")) return "it holds a NUL character";
  if (/\p{Surrogate}/u.test(passphrase)) return "it holds half of a surrogate pair";
  if (passphrase.trim() !== passphrase)
    return "it begins or ends with white space, which a passphrase file would lose";
  if (passphrase === rules.inForce) return "it is the one in force";
  if (rules.chosen && rules.iterations < DEFAULT_ITERATIONS && fromBase64(passphrase)?.length !== 32) {
    return `with ${rules.iterations} iterations only a generated passphrase is strong enough`;
  }
  return null;
}

/** Overwrites secrets in place. What the runtime copied elsewhere it cannot reach. */
export function wipe(...buffers: readonly Uint8Array[]): void {
  for (const buffer of buffers) buffer.fill(0);
}
