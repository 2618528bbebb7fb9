// The whole public surface of @muthuishere/vsync-s3-client.

export {
  BundleCorruptError,
  ConfigMissingError,
  ConfigUnsupportedVersionError,
  ManifestNotFoundError,
  S3UnreachableError,
  UnsupportedSpecVersionError,
  VSyncError,
  WrongPassphraseError,
} from "@vsync/envelope";
export { type OpenOptions, type OpenWithOptions, open, openWith } from "./open.ts";
export { getEnv } from "./process-wide.ts";
export type { EnvSource, Vault } from "./vault.ts";
