// The share file: one environment's config and key for a teammate, under a passphrase of its own. docs/formats.md section 5.

import { randomBytes as nativeRandomBytes } from "#native";
import type { RandomBytes } from "./native.ts";
import {
  openShareFile,
  readSharedEnvironment,
  type SharedEnvironment,
  type ShareKind,
  sealShareFile,
} from "./share-file.ts";

export interface SharePayload extends SharedEnvironment {
  readonly version: 1;
}

export interface ShareLimits {
  /** Bytes of JSON, unpacked. */
  readonly maxJsonBytes: number;
}

export const SHARE_LIMITS: ShareLimits = { maxJsonBytes: 64 * 1024 };

const SLS1: ShareKind = { magic: "SLS1", name: "share file", command: "vsync share export <env>" };

/** Seals a share under `passphrase` with a fresh salt and 600,000 iterations. */
export async function encodeShare(
  passphrase: string,
  { repo, env, config, key }: SharePayload,
  randomBytes: RandomBytes = nativeRandomBytes,
): Promise<Uint8Array> {
  return await sealShareFile(SLS1, passphrase, { version: 1, repo, env, config, key }, randomBytes);
}

/**
 * Throws BundleCorruptError (damaged, no share), UnsupportedSpecVersionError (a later form) or WrongPassphraseError: the
 * tag does not verify, by another passphrase or by damage inside, which nothing in the file can tell apart.
 */
export async function decodeShare(
  passphrase: string,
  bytes: Uint8Array,
  limits: ShareLimits = SHARE_LIMITS,
): Promise<SharePayload> {
  const fields = await openShareFile(SLS1, passphrase, bytes, limits.maxJsonBytes);
  return { version: 1, ...readSharedEnvironment(SLS1, fields) };
}
