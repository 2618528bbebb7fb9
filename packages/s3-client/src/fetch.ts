// One round of fetching: the manifest, the bundle it names, and a verdict before anything is decrypted.
// docs/formats.md section 6.

import {
  ARCHIVE_LIMITS,
  BundleCorruptError,
  type ExpectedBundle,
  judgeManifest,
  openBundle,
  readTimestamp,
  type VaultConfig,
  type VaultFiles,
  type VaultKeys,
  WrongPassphraseError,
} from "@vsync/envelope";
import type { Bucket, FetchedObject } from "./bucket.ts";
import type { Deadline } from "./deadline.ts";
import { checkExposed, manifestKey, manifestNotFound, shownEnv } from "./manifest-object.ts";
import { warn } from "./warning.ts";

export interface FetchedVault {
  readonly files: VaultFiles;
  /** Of the bundle that was opened. */
  readonly generation: number;
  /** Of the manifest as it was read. */
  readonly manifestGeneration: number;
}

/** A manifest has 15 bytes, perhaps with white space around them. */
const MAX_MANIFEST_BYTES = 1024;

/** A bundle on its way: asked for as soon as its name is known, and not looked at before the seal has been judged. */
interface ComingBundle {
  readonly object: Promise<FetchedObject | null>;
  cancel(): void;
}

/** `keys` is still being derived. A failure of either side ends the round at once. */
export async function fetchVault(
  bucket: Bucket,
  config: VaultConfig,
  keys: Promise<VaultKeys>,
  deadline: Deadline,
): Promise<FetchedVault> {
  deadline.stage = "fetching the manifest";
  const [{ manifest, bundle }, vaultKeys] = await Promise.all([
    fetchManifest(bucket, config, deadline),
    keys,
  ]);
  checkExposed(manifest);
  // The later of the two clocks: neither alone can stretch a grace period.
  const nowMs = Math.max(Date.now(), manifest.date ?? 0);
  const verdict = await judgeManifest(vaultKeys, config.prefix, manifest, nowMs);

  async function openComing(coming: ComingBundle | null, expected: ExpectedBundle): Promise<VaultFiles> {
    deadline.stage = "fetching the bundle";
    const object = await coming?.object;
    if (object == null) {
      throw new BundleCorruptError(
        `the manifest names bundle ${expected.timestamp}, which is not in the bucket; put it back, or push again with \`vsync push ${shownEnv(config)} --force\``,
      );
    }
    deadline.stage = "decrypting the bundle";
    return openBundle(vaultKeys, object.body, expected, { overwrite: true });
  }

  switch (verdict.kind) {
    case "verified": {
      const { timestamp, generation, sha256 } = verdict.manifest;
      checkGeneration(generation, config);
      const files = await openComing(bundle, { timestamp, sha256, sealed: true });
      return { files, generation, manifestGeneration: generation };
    }
    case "grace": {
      const { timestamp, generation, sha256, until } = verdict.grace;
      bundle?.cancel();
      checkGeneration(generation, config);
      const graceBundle = requestBundle(bucket, config, timestamp, deadline);
      const files = await openComing(graceBundle, { timestamp, sha256, sealed: true });
      warn(
        `vsync: the passphrase was rotated; this process runs on the last bundle of the old one until ${readable(until)}; set VSYNC_PASSPHRASE to the new one and restart before then`,
      );
      return { files, generation, manifestGeneration: verdict.generation };
    }
    case "unsealed": {
      const { timestamp, generation } = verdict;
      if (config.minGen !== undefined) throw unsealed("has no seal");
      const files = await openComing(bundle, { timestamp, sealed: false });
      return { files, generation, manifestGeneration: generation };
    }
    case "grace-over":
      throw new WrongPassphraseError(
        `the passphrase was rotated, and the grace period for the old one ended on ${readable(verdict.until)}; set VSYNC_PASSPHRASE to the new one`,
      );
    case "malformed":
      if (config.minGen !== undefined) throw unsealed("has a seal that no writer makes");
      throw wrongPassphrase();
    case "failed":
      throw wrongPassphrase();
  }
}

async function fetchManifest(
  bucket: Bucket,
  config: VaultConfig,
  deadline: Deadline,
): Promise<{ manifest: FetchedObject; bundle: ComingBundle | null }> {
  const options = { maxBytes: MAX_MANIFEST_BYTES, signal: deadline.signal };
  const manifest = await bucket.get(manifestKey(config), options);
  if (manifest === null) throw manifestNotFound(config);
  deadline.stage = "deriving the key";
  const timestamp = readTimestamp(manifest.body);
  return { manifest, bundle: timestamp === null ? null : requestBundle(bucket, config, timestamp, deadline) };
}

function requestBundle(
  bucket: Bucket,
  config: VaultConfig,
  timestamp: string,
  deadline: Deadline,
): ComingBundle {
  const controller = new AbortController();
  const cancel = () => controller.abort("not needed");
  deadline.signal.addEventListener("abort", cancel, { once: true });
  const options = { maxBytes: ARCHIVE_LIMITS.maxBundleBytes, signal: controller.signal };
  const object = bucket.get(`${config.prefix}v=${timestamp}`, options);
  // It is awaited later or, when the verdict is against it, never.
  object.catch(() => {});
  return { object, cancel };
}

function checkGeneration(generation: number, { minGen }: VaultConfig): void {
  if (minGen === undefined || generation >= minGen) return;
  throw new BundleCorruptError(
    `the bucket's generation is ${generation}, and VSYNC_CONFIG was made when it was ${minGen}: an older state was put back; find out by whom, then push again, or mint VSYNC_CONFIG again with \`vsync runtime-token\``,
  );
}

function unsealed(what: string): BundleCorruptError {
  return new BundleCorruptError(
    `the manifest ${what}, though VSYNC_CONFIG (minGen) asks for one: somebody without the passphrase wrote it; find out who can write this bucket, then push again with \`vsync push\``,
  );
}

function wrongPassphrase(): WrongPassphraseError {
  return new WrongPassphraseError(
    "wrong passphrase, or a manifest written by somebody without it; `vsync passphrase show` prints the one in force where it was last pushed or imported",
  );
}

/** "20260102-030405" as "2026-01-02 03:04:05 UTC". */
function readable(timestamp: string): string {
  return timestamp.replace(/^(\d{4})(\d\d)(\d\d)-(\d\d)(\d\d)(\d\d)$/, "$1-$2-$3 $4:$5:$6 UTC");
}
