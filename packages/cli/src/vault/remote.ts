// The bucket as a writer sees it: which version is current, whether it may be trusted, and its files.
// docs/formats.md section 6.

import {
  ARCHIVE_LIMITS,
  BundleCorruptError,
  judgeManifest,
  openBundle,
  type VaultFile,
  type VaultKeys,
  type Verdict,
} from "@vsync/envelope";
import type { ObjectStore, Progress, StoredObject } from "@vsync/store";
import { findPublisher } from "../audit/publisher.ts";
import { CliError, toCliError } from "../cli-error.ts";
import type { HighWater } from "./ledger.ts";
import type { ReadAhead } from "./read-ahead.ts";

export interface Remote {
  readonly store: ObjectStore;
  readonly keys: VaultKeys;
  /** Ends in `/`, or is empty. */
  readonly prefix: string;
  /** For messages. */
  readonly env: string;
  /** The server has no conditional writes, and the user has said that nobody else writes. */
  readonly singleWriter: boolean;
  /** Of bundles on their way. */
  readonly onProgress?: Progress | undefined;
  readonly readAhead?: ReadAhead;
}

/** The current version, genuine as far as this writer can know. */
export interface CurrentVersion {
  /** Of the manifest, from the same answer as everything else here. */
  readonly etag: string;
  readonly timestamp: string;
  readonly generation: number;
  /** Null when the manifest has no seal. */
  readonly seal: { readonly sha256: string; readonly writeId: string } | null;
  readonly rotatedAt?: string;
  readonly grace?: string;
}

/** What a manifest is held against. */
export interface Trust {
  /** This writer has made or verified a seal before, or its config was made by somebody who had. */
  readonly sealRequired: boolean;
  readonly highest: HighWater | null;
  readonly minGen: number;
  /** A person has looked at an older state and wants it. */
  readonly acceptRollback: boolean;
}

const MANIFEST_LIMIT = { maxBytes: 1024 };

export function manifestKey(prefix: string): string {
  return `${prefix}manifest`;
}

export function bundleKey(prefix: string, timestamp: string): string {
  return `${prefix}v=${timestamp}`;
}

/** Begins to read the manifest for readCurrentVersion. Not where something is pending: settling it may change the manifest. */
export function expectManifest(readAhead: ReadAhead, prefix: string): void {
  readAhead.expect(manifestKey(prefix), MANIFEST_LIMIT);
}

/** Body, metadata and ETag of the manifest, from one answer. */
export async function getManifest({
  store,
  prefix,
}: Pick<Remote, "store" | "prefix">): Promise<StoredObject | null> {
  return await store.get(manifestKey(prefix), MANIFEST_LIMIT);
}

export async function getBundle(
  { store, prefix, onProgress }: Remote,
  timestamp: string,
): Promise<StoredObject | null> {
  return await store.get(bundleKey(prefix, timestamp), {
    maxBytes: ARCHIVE_LIMITS.maxBundleBytes,
    onProgress,
  });
}

/**
 * Reads the manifest and judges it; null when there is none. Whatever is not genuine under these keys is an error:
 * WRONG_PASSPHRASE, CORRUPT or ROLLBACK.
 */
export async function readCurrentVersion(
  remote: Remote,
  trust: Trust,
  nowMs: number,
): Promise<CurrentVersion | null> {
  const judged = await readManifest(remote, nowMs).catch((error: unknown) => {
    throw ifCorrupt(error, (says) => foreignManifest(remote, says));
  });
  if (judged === null) return null;
  const current = await acceptVerdict(remote, trust, judged.found, judged.verdict);
  if (!trust.acceptRollback) refuseRollback(remote, trust, current);
  return current;
}

/** The current version's bundle and files. */
export async function fetchVersion(
  remote: Remote,
  current: CurrentVersion,
): Promise<{ bundle: Uint8Array; files: Map<string, VaultFile> }> {
  const { timestamp, seal } = current;
  const expected =
    seal === null ? { timestamp, sealed: false } : { timestamp, sha256: seal.sha256, sealed: true };
  try {
    const found = await getBundle(remote, timestamp);
    if (found === null) throw bundleMissing(remote, current);
    return { bundle: found.body, files: await openBundle(remote.keys, found.body, expected) };
  } catch (error) {
    throw ifCorrupt(error, (says) => unusableBundle(remote, says));
  }
}

/** Refuses a current version whose bundle cannot be had, as far as that shows without fetching it. */
export async function requireBundle(remote: Remote, current: CurrentVersion): Promise<void> {
  try {
    const found = await remote.store.head(bundleKey(remote.prefix, current.timestamp));
    if (found === null || found.size === 0) throw bundleMissing(remote, current);
  } catch (error) {
    throw ifCorrupt(error, (says) => unusableBundle(remote, says));
  }
}

/** The current version's files; null when they cannot be read: publishing over such a version is what mends it. */
export async function fetchIfSound(
  remote: Remote,
  current: CurrentVersion,
): Promise<ReadonlyMap<string, VaultFile> | null> {
  try {
    return (await fetchVersion(remote, current)).files;
  } catch (error) {
    if (toCliError(error).code === "CORRUPT") return null;
    throw error;
  }
}

async function readManifest(
  remote: Remote,
  nowMs: number,
): Promise<{ readonly found: StoredObject; readonly verdict: Verdict } | null> {
  const found = await (remote.readAhead?.take(manifestKey(remote.prefix)) ?? getManifest(remote));
  if (found === null) return null;
  const nowThereMs = Math.max(nowMs, found.date?.getTime() ?? 0);
  return { found, verdict: await judgeManifest(remote.keys, remote.prefix, found, nowThereMs) };
}

/** What was thrown, or in its place, where it tells of damage, what can be done about that here. */
function ifCorrupt(error: unknown, mendable: (says: string) => CliError): unknown {
  const { code, message } = toCliError(error);
  return code === "CORRUPT" ? mendable(message) : error;
}

function foreignManifest({ env, store, prefix }: Remote, says: string): CliError {
  return new CliError(
    "CORRUPT",
    says,
    `find out who can write to ${store.description}, and have the object ${manifestKey(prefix)} deleted at the provider; then publish the vault folder anew: vsync push ${env} --recreate`,
  );
}

function bundleMissing({ env }: Remote, { timestamp }: CurrentVersion): BundleCorruptError {
  return new BundleCorruptError(
    `the manifest of ${env} names version ${timestamp}, but the bucket holds no such bundle`,
  );
}

function unusableBundle({ env }: Remote, says: string): CliError {
  return new CliError(
    "CORRUPT",
    says,
    `where the vault folder is in step: vsync push ${env} --force   or, for an older one: vsync restore ${env} <version>   (vsync audit ${env} names them)`,
  );
}

async function acceptVerdict(
  remote: Remote,
  trust: Trust,
  found: StoredObject,
  verdict: Verdict,
): Promise<CurrentVersion> {
  const { etag } = found;
  switch (verdict.kind) {
    case "verified": {
      const { sha256, writeId, ...rest } = verdict.manifest;
      return { etag, ...rest, seal: { sha256, writeId } };
    }
    case "unsealed": {
      if (trust.sealRequired) throw sealMissing(remote);
      const current = { etag, timestamp: verdict.timestamp, generation: verdict.generation, seal: null };
      await fetchVersion(remote, current); // without a seal only the bundle shows whose passphrase this is
      return current;
    }
    case "malformed":
      throw sealMissing(remote);
    case "failed":
    case "grace":
    case "grace-over":
      throw await foreignSeal(remote, found);
  }
}

// Grace is for readers: a writer under the old passphrase would undo the rotation.
async function foreignSeal(remote: Remote, found: StoredObject): Promise<CliError> {
  const rotatedAt = found.metadata["rotated-at"];
  const publisher = await findPublisher(remote, new TextDecoder().decode(found.body).trim());
  const rotation =
    rotatedAt === undefined ? "it was sealed with another one" : `the passphrase was rotated at ${rotatedAt}`;
  return new CliError(
    "WRONG_PASSPHRASE",
    `this passphrase does not verify the manifest of ${remote.env}: ${rotation}${publisher === null ? "" : ` by ${publisher.who}`}, or somebody without the passphrase wrote the manifest`,
    "import the new share: vsync share import <file>   (VSYNC_PASSPHRASE and VSYNC_PASSPHRASE_FILE, where set, come before the keystore)",
  );
}

function sealMissing({ env, store }: Remote): CliError {
  return new CliError(
    "CORRUPT",
    `the manifest of ${env} has no valid seal, though this environment is sealed: somebody without the passphrase has changed it`,
    `find out who can write to ${store.description}; then publish under a new key: vsync init ${env} --overwrite --take-over`,
  );
}

function refuseRollback(
  { env }: Remote,
  trust: Trust,
  { generation, timestamp, seal }: CurrentVersion,
): void {
  const { highest, minGen: lowest } = trust;
  const hint = `look at vsync audit ${env}; to publish the vault folder over it: vsync push ${env} --force --accept-rollback   or, if the older state is wanted: vsync pull ${env} --accept-rollback`;
  if (generation < lowest) {
    throw new CliError(
      "ROLLBACK",
      `the bucket names generation ${generation} (${timestamp}) of ${env}, but generation ${lowest} was seen before`,
      hint,
    );
  }
  if (
    highest !== null &&
    generation === highest.generation &&
    seal !== null &&
    seal.writeId !== highest.writeId
  ) {
    throw new CliError(
      "ROLLBACK",
      `generation ${generation} of ${env} is ${timestamp} now, but was ${highest.timestamp} when it was seen before`,
      hint,
    );
  }
}
