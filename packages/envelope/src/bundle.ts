// A bundle: the archive of a vault behind its pointer seal, encrypted. docs/formats.md sections 2 to 4 and 6.

import { sha256 as hash, randomBytes as nativeRandomBytes } from "#native";
import {
  ARCHIVE_LIMITS,
  type ArchiveLimits,
  packArchive,
  unpackArchive,
  type VaultFile,
  type VaultFiles,
} from "./archive.ts";
import { toHex } from "./encoding.ts";
import { BundleCorruptError, WrongPassphraseError } from "./errors.ts";
import type { VaultKeys } from "./key.ts";
import type { RandomBytes } from "./native.ts";
import { decryptEnvelope, encryptEnvelope } from "./rqe1.ts";
import { decodePointerSeal, encodePointerSeal } from "./rqem0001.ts";

/** What the manifest says of the bundle that it names. */
export interface ExpectedBundle {
  readonly timestamp: string;
  /** Lower-case hex; absent only for a manifest without a seal. */
  readonly sha256?: string;
  /** The manifest's seal has verified under these keys: then a bad tag is damage and no wrong passphrase. */
  readonly sealed: boolean;
}

export interface OpenBundleOptions {
  readonly limits?: ArchiveLimits;
  /** Gives up the bytes of the bundle: decrypted in place, a large vault takes half the memory. Refused ones are lost too. */
  readonly overwrite?: boolean;
}

/** Encrypts a vault as the version `timestamp`. The digest is the lower-case hex that goes into the manifest. */
export async function sealBundle(
  keys: VaultKeys,
  timestamp: string,
  files: VaultFiles,
  randomBytes: RandomBytes = nativeRandomBytes,
): Promise<{ bytes: Uint8Array; sha256: string }> {
  const parts = [encodePointerSeal(timestamp), ...(await packArchive(files))];
  const bytes = await encryptEnvelope(keys.master, parts, randomBytes);
  return { bytes, sha256: await bundleDigest(bytes) };
}

/** SHA-256 of a bundle object's bytes as the manifest writes it: lower-case hex. */
export async function bundleDigest(bytes: Uint8Array): Promise<string> {
  return toHex(await hash([bytes]));
}

/**
 * The files of a bundle, none of them handed on before all of it has been checked. Throws BundleCorruptError (damage,
 * another version than expected, an unsafe archive), WrongPassphraseError (only when nothing vouched for the
 * passphrase before) or UnsupportedSpecVersionError.
 */
export async function openBundle(
  keys: VaultKeys,
  bytes: Uint8Array,
  expected: ExpectedBundle,
  { limits = ARCHIVE_LIMITS, overwrite = false }: OpenBundleOptions = {},
): Promise<Map<string, VaultFile>> {
  if (bytes.length > limits.maxBundleBytes) {
    throw new BundleCorruptError(`bundle of ${bytes.length} bytes; the limit is ${limits.maxBundleBytes}`);
  }
  if (expected.sha256 !== undefined && (await bundleDigest(bytes)) !== expected.sha256) {
    throw new BundleCorruptError(
      `bundle ${expected.timestamp} is not the one that the manifest was sealed for: its digest differs`,
    );
  }
  const plaintext = await decrypt(keys, bytes, expected, overwrite);
  let files: Map<string, VaultFile> = new Map();
  try {
    const { payload } = decodePointerSeal(plaintext, expected.timestamp);
    files = await unpackArchive(payload, limits);
    return files;
  } finally {
    wipeAllBut(plaintext, files);
  }
}

/** Overwrites the decrypted archive but for the stored entries, which are handed on as views of it. */
function wipeAllBut(plaintext: Uint8Array, files: VaultFiles): void {
  const { buffer, byteOffset: start } = plaintext;
  const end = start + plaintext.length;
  // Beside it in one buffer may lie what is not of it: Node keeps small Buffers in a pool.
  const views = [...files.values()]
    .map((file) => file.bytes)
    .filter((bytes) => bytes.buffer === buffer && bytes.byteOffset >= start && bytes.byteOffset < end);
  let at = start;
  for (const view of views.sort((a, b) => a.byteOffset - b.byteOffset)) {
    new Uint8Array(buffer, at, view.byteOffset - at).fill(0);
    at = view.byteOffset + view.length;
  }
  new Uint8Array(buffer, at, end - at).fill(0);
}

async function decrypt(
  keys: VaultKeys,
  bytes: Uint8Array,
  expected: ExpectedBundle,
  overwrite: boolean,
): Promise<Uint8Array> {
  try {
    return await decryptEnvelope(keys.master, bytes, overwrite);
  } catch (error) {
    if (expected.sealed && error instanceof WrongPassphraseError) {
      throw new BundleCorruptError(
        `bundle ${expected.timestamp} is damaged: its authentication tag does not verify, though the passphrase is right`,
      );
    }
    throw error;
  }
}
