// What an archive may cost: the defaults of docs/formats.md section 4, for writers and readers alike.

export interface ArchiveLimits {
  readonly maxEntries: number;
  /** Bytes of the whole bundle object, envelope included. */
  readonly maxBundleBytes: number;
  /** Bytes of all files together. */
  readonly maxUnpackedBytes: number;
  /** Unpacked to packed size of one entry; holds for entries above `ratioFromBytes`. */
  readonly maxRatio: number;
  readonly ratioFromBytes: number;
}

export const ARCHIVE_LIMITS: ArchiveLimits = {
  maxEntries: 10_000,
  maxBundleBytes: 256 * 1024 * 1024,
  maxUnpackedBytes: 512 * 1024 * 1024,
  maxRatio: 200,
  ratioFromBytes: 1024 * 1024,
};
