// The manifest as an object of the bucket: its key, its absence, and what HEAD tells of it. docs/formats.md section 6.

import {
  BundleCorruptError,
  ManifestNotFoundError,
  readGeneration,
  S3UnreachableError,
  type VaultConfig,
} from "@vsync/envelope";
import type { Bucket, ObjectHead } from "./bucket.ts";

const EXPOSE =
  "let the bucket's CORS rules expose x-amz-meta-gen, -rotated-at, -sha256, -write-id, -grace and -seal (ExposeHeaders)";

export function manifestKey(config: VaultConfig): string {
  return `${config.prefix}manifest`;
}

export function manifestNotFound(config: VaultConfig): ManifestNotFoundError {
  return new ManifestNotFoundError(
    `nothing has been pushed to this vault's prefix yet, or its manifest was deleted; push with \`vsync push ${shownEnv(config)}\``,
  );
}

/** In a browser: refuses a manifest whose seal may merely be hidden, since it would pass for one without a seal. */
export function checkExposed({ filtered, metadata }: ObjectHead): void {
  if (!filtered) return;
  const sealed = ["gen", "sha256", "write-id", "seal"].filter((name) => name in metadata);
  const withoutSeal = sealed.length === 1 && "gen" in metadata;
  if (sealed.length === 4 || withoutSeal) return;
  throw new BundleCorruptError(`the manifest's metadata cannot be read from this page; ${EXPOSE}`);
}

/** The generation that the manifest claims now. Not authenticated: a HEAD has no body to verify a seal over. */
export async function readRemoteGeneration(
  bucket: Bucket,
  config: VaultConfig,
  signal: AbortSignal,
): Promise<number> {
  const head = await bucket.head(manifestKey(config), signal);
  if (head === null) {
    throw new ManifestNotFoundError(
      `the manifest is gone, or the bucket is (HEAD cannot tell); look with \`vsync status ${shownEnv(config)}\``,
    );
  }
  if (head.filtered && !("gen" in head.metadata)) {
    throw new S3UnreachableError(`the manifest's generation cannot be read from this page; ${EXPOSE}`);
  }
  const generation = readGeneration(head.metadata);
  if (generation === null) {
    throw new S3UnreachableError("the manifest's generation is no number: something else wrote that object");
  }
  return generation;
}

/** An env's name is for the message; what is no such name stays out of it. */
export function shownEnv({ env }: VaultConfig): string {
  return /^[\w.-]{1,64}$/.test(env) ? env : "<env>";
}
