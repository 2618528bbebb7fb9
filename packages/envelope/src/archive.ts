// The payload of a bundle: a vault's files as a deterministic zip archive, read back strictly. docs/formats.md section 4.

import { ARCHIVE_LIMITS, type ArchiveLimits } from "./archive-limits.ts";
import { utf8 } from "./encoding.ts";
import { canonicalName, checkVaultNames, quoteName } from "./entry-names.ts";
import { BundleCorruptError, InputRefusedError } from "./errors.ts";
import type { ZipFile } from "./zip-format.ts";
import { readZip } from "./zip-reader.ts";
import { writeZip } from "./zip-writer.ts";

export { ARCHIVE_LIMITS, type ArchiveLimits } from "./archive-limits.ts";
export { checkVaultNames } from "./entry-names.ts";

/** One file of a vault: its bytes, and the only bit of its mode that travels. */
export interface VaultFile {
  readonly bytes: Uint8Array;
  readonly executable: boolean;
}

/** By name: relative to the vault folder, parts separated by `/`, Unicode NFC. */
export type VaultFiles = ReadonlyMap<string, VaultFile>;

/** RQE1 (32) and the pointer seal (23) around the archive. */
const ENVELOPE_BYTES = 55;
/** What the two-byte counter of the end record holds, short of the value that means zip64. */
const ZIP_MAX_ENTRIES = 0xfffe;

/**
 * The archive in parts, to be read one after the other; contents that do not deflate are among them as they are, not
 * copied. The same files give the same bytes. Throws InputRefusedError, naming the file, for a name that some machine
 * could not hold and for a vault that readers would refuse for its size.
 */
export async function packArchive(
  files: VaultFiles,
  limits: ArchiveLimits = ARCHIVE_LIMITS,
): Promise<readonly Uint8Array[]> {
  checkVaultNames(files.keys());
  const sorted = inByteOrder([...files].map(([name, file]) => ({ ...file, name: canonicalName(name) })));
  checkSize(sorted, limits);
  const parts = await writeZip(sorted, limits);
  const packed = parts.reduce((total, part) => total + part.length, ENVELOPE_BYTES);
  if (packed > limits.maxBundleBytes)
    throw tooLarge(`packs to ${packed} bytes`, limits.maxBundleBytes, sorted);
  return parts;
}

/**
 * The files of an archive, in its order; stored ones are views of `zip`. Nothing is handed on before all of it has been
 * checked. Throws BundleCorruptError, naming the entry, for what is damaged, ambiguous, beyond the limits or not safe.
 */
export async function unpackArchive(
  zip: Uint8Array,
  limits: ArchiveLimits = ARCHIVE_LIMITS,
): Promise<Map<string, VaultFile>> {
  if (zip.length > limits.maxBundleBytes) {
    throw new BundleCorruptError(`archive of ${zip.length} bytes; the limit is ${limits.maxBundleBytes}`);
  }
  const files = await readZip(zip, limits);
  return new Map(files.map(({ name, bytes, executable }) => [name, { bytes, executable }]));
}

function checkSize(files: readonly ZipFile[], limits: ArchiveLimits): void {
  const maxEntries = Math.min(limits.maxEntries, ZIP_MAX_ENTRIES);
  if (files.length > maxEntries) {
    throw new InputRefusedError(`the vault has ${files.length} files; the limit is ${maxEntries}`);
  }
  const unpacked = files.reduce((total, file) => total + file.bytes.length, 0);
  if (unpacked > limits.maxUnpackedBytes)
    throw tooLarge(`has ${unpacked} bytes`, limits.maxUnpackedBytes, files);
}

function tooLarge(what: string, limit: number, files: readonly ZipFile[]): InputRefusedError {
  const largest = files.reduce((a, b) => (b.bytes.length > a.bytes.length ? b : a));
  return new InputRefusedError(
    `the vault ${what}; the limit is ${limit}. Its largest file is ${quoteName(largest.name)} (${largest.bytes.length} bytes)`,
  );
}

/** By the UTF-8 of their names: JavaScript's own order of strings is that of UTF-16. */
function inByteOrder(files: readonly ZipFile[]): ZipFile[] {
  return files
    .map((file) => ({ file, key: utf8(file.name) }))
    .sort((a, b) => compareBytes(a.key, b.key))
    .map(({ file }) => file);
}

function compareBytes(a: Uint8Array, b: Uint8Array): number {
  const length = Math.min(a.length, b.length);
  for (let i = 0; i < length; i++) {
    const difference = (a[i] as number) - (b[i] as number);
    if (difference !== 0) return difference;
  }
  return a.length - b.length;
}
