// Everything vsync's formats offer, by name: bytes to values and back, for the writer and the reader alike.

export { hmacSha256, sha256 } from "#native";
export {
  ARCHIVE_LIMITS,
  type ArchiveLimits,
  checkVaultNames,
  packArchive,
  unpackArchive,
  type VaultFile,
  type VaultFiles,
} from "./archive.ts";
export {
  AUDIT_COLUMNS,
  AUDIT_HEADER,
  type AuditLog,
  type AuditRow,
  encodeAuditMeta,
  encodeAuditRow,
  MAX_META_BYTES,
  readAuditLog,
  readLastChain,
} from "./audit-csv.ts";
export {
  bundleDigest,
  type ExpectedBundle,
  type OpenBundleOptions,
  openBundle,
  sealBundle,
} from "./bundle.ts";
export {
  CONFIG_LIMITS,
  type ConfigLimits,
  decodeConfigBlob,
  encodeConfigBlob,
  locationProblem,
  type VaultConfig,
} from "./config-blob.ts";
export {
  concat,
  equalBytes,
  fromBase64,
  fromBase64url,
  fromHex,
  fromUtf8,
  toBase64,
  toBase64url,
  toHex,
  utf8,
} from "./encoding.ts";
export { canonicalName, nameProblem } from "./entry-names.ts";
export { parseEnv, scalarsFile, setEnvValue, unsetEnvValue } from "./env-file.ts";
export {
  BundleCorruptError,
  ConfigMissingError,
  ConfigUnsupportedVersionError,
  InputRefusedError,
  ManifestNotFoundError,
  S3UnreachableError,
  UnsupportedSpecVersionError,
  VSyncError,
  WrongPassphraseError,
} from "./errors.ts";
export { gunzip, wrapGzip } from "./gzip.ts";
export {
  checkKdf,
  DEFAULT_ITERATIONS,
  deriveKeys,
  deriveMaster,
  expandKeys,
  generatePassphrase,
  generateSalt,
  KEY_LIMITS,
  type KeyLimits,
  passphraseProblem,
  type VaultKeys,
  wipe,
} from "./key.ts";
export {
  type GraceBundle,
  graceBundle,
  judgeManifest,
  type ManifestFields,
  type Metadata,
  type ReceivedManifest,
  readGeneration,
  readTimestamp,
  sealGrace,
  sealManifest,
  type Verdict,
} from "./manifest.ts";
export type { RandomBytes } from "./native.ts";
export { decryptEnvelope, encryptEnvelope } from "./rqe1.ts";
export { decodePointerSeal, encodePointerSeal } from "./rqem0001.ts";
export { decodeKeyFile, encodeKeyFile, type KeyFileEnvironment } from "./slk1.ts";
export { decodeShare, encodeShare, SHARE_LIMITS, type ShareLimits, type SharePayload } from "./sls1.ts";
export { formatTimestamp, nextTimestamp, parseTimestamp } from "./timestamp.ts";
