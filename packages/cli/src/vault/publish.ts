// Publishing a new version: docs/formats.md section 6, "Publishing". What push, restore, rotation and take-over share.
//
// The caller has read the manifest and judged its seal (step 1). From there: write everything down, place the bundle,
// swap the manifest. Until the swap is sent nothing can have been committed; from then on the pending files stay
// until it is known what became of it.

import { nextTimestamp, sealBundle, sealManifest, toHex, type VaultFiles } from "@vsync/envelope";
import { StoreError } from "@vsync/store";
import { expectRow } from "../audit/append.ts";
import { CliError } from "../cli-error.ts";
import { runningGrace } from "./grace.ts";
import type { Synced } from "./ledger.ts";
import { type AuditIntent, dropPending, type Pending, savePending } from "./pending.ts";
import { bundleKey, type Remote } from "./remote.ts";
import { isCertainFailure, isOurBundle, type SwapOutcome, swapManifest } from "./settle.ts";
import type { StatePaths } from "./state-paths.ts";

/** This machine's side of it. */
export interface Local {
  readonly paths: StatePaths;
  readonly platform: NodeJS.Platform;
  /** Milliseconds since 1970. */
  now(): number;
  random(size: number): Uint8Array<ArrayBuffer>;
}

/** The manifest that a publish replaces, from the one GET that read it. */
export interface Replaced {
  /** Null: there is none, and the swap holds only while there is none. */
  readonly etag: string | null;
  /** Null: no version came before. */
  readonly timestamp: string | null;
  readonly generation: number;
  readonly rotatedAt?: string;
  readonly grace?: string;
}

export interface Publication {
  readonly operation: "push" | "restore" | "rotate" | "take-over";
  readonly files: VaultFiles;
  readonly replaces: Replaced;
  /** What a rotation puts in place of the fields that every other publish carries over. */
  readonly rotation?: { readonly rotatedAt: string; readonly grace?: string };
  /** The version that a restore publishes again. */
  readonly restores?: string;
  /** The vault folder as packed, for the ledger; null when the folder has no part in it. */
  readonly packed: Pick<Synced, "folder" | "files" | "recordedAt"> | null;
  readonly audit: AuditIntent | null;
  /** Called as each step begins. */
  readonly onStep?: (step: "encrypt" | "upload" | "swap", size: number) => void;
}

export type Outcome = SwapOutcome & { readonly pending: Pending };

export const FIRST: Replaced = { etag: null, timestamp: null, generation: 0 };

const MAX_SEALINGS = 16;
const PLACINGS = 3;

/**
 * Publishes. After "committed" and "unknown" the pending files are left for recordCommit and for the next
 * command; after "conflict" and "failed" they are gone and nothing but an orphaned bundle can be left in the bucket.
 */
export async function publish(remote: Remote, local: Local, publication: Publication): Promise<Outcome> {
  let timestamp = nextTimestamp(local.now(), publication.replaces.timestamp);
  for (let sealing = 1; ; sealing++) {
    publication.onStep?.("encrypt", publication.files.size);
    const { pending, bundle } = await seal(remote, local, publication, timestamp);
    savePending(local.paths, pending, bundle);
    if (publication.audit !== null) expectRow(remote);
    publication.onStep?.("upload", bundle.length);
    const placement = await placeBundle(remote, pending, bundle);
    if (placement === "taken" && sealing < MAX_SEALINGS) {
      timestamp = nextTimestamp(local.now(), timestamp);
      continue;
    }
    const outcome = placement === "placed" ? await swap(remote, publication, pending) : notPlaced(placement);
    if (outcome.kind === "conflict" || outcome.kind === "failed") dropPending(local.paths);
    return { ...outcome, pending };
  }
}

async function swap(remote: Remote, publication: Publication, pending: Pending): Promise<SwapOutcome> {
  publication.onStep?.("swap", 0);
  return await swapManifest(remote, pending);
}

async function seal(
  remote: Remote,
  local: Local,
  { operation, files, replaces, rotation, restores, packed, audit }: Publication,
  timestamp: string,
): Promise<{ pending: Pending; bundle: Uint8Array }> {
  const generation = replaces.generation + 1;
  const writeId = toHex(local.random(16));
  const { bytes, sha256 } = await sealBundle(remote.keys, timestamp, files, (size) => local.random(size));
  const carried = rotation ?? carriedOver(replaces, local.now());
  const manifest = await sealManifest(remote.keys, remote.prefix, {
    timestamp,
    generation,
    sha256,
    writeId,
    ...carried,
  });
  const pending: Pending = {
    operation,
    timestamp,
    generation,
    writeId,
    baseEtag: replaces.etag,
    previousTimestamp: replaces.timestamp ?? "",
    ...(restores !== undefined && { restores }),
    manifestMetadata: manifest.metadata,
    synced: packed === null ? null : { timestamp, generation, operation, ...packed },
    audit,
  };
  return { pending, bundle: bytes };
}

/** A rotation's date for good, its grace unchanged while the period lasts. */
function carriedOver({ rotatedAt, grace }: Replaced, nowMs: number): Pick<Replaced, "rotatedAt" | "grace"> {
  const lasts = grace !== undefined && runningGrace({ grace }, nowMs) !== null;
  return { ...(rotatedAt !== undefined && { rotatedAt }), ...(lasts && { grace }) };
}

/** Puts the bundle where nothing is yet. "taken": another writer's stands there. */
async function placeBundle(
  remote: Remote,
  pending: Pending,
  bundle: Uint8Array,
): Promise<"placed" | "taken" | { readonly error: unknown }> {
  const { store, prefix, singleWriter, onProgress } = remote;
  const key = bundleKey(prefix, pending.timestamp);
  const { writeId, generation, previousTimestamp } = pending;
  const metadata = { "write-id": writeId, gen: String(generation), "prev-ts": previousTimestamp };
  const options = { metadata, onProgress };
  const look = async (): Promise<"placed" | "taken" | null> => {
    const there = await store.head(key);
    return there === null ? null : isOurBundle(there, pending) ? "placed" : "taken";
  };
  let lastError: unknown;
  try {
    const before = singleWriter ? await look() : null;
    if (before !== null) return before;
    for (let placing = 1; placing <= PLACINGS; placing++) {
      try {
        if (singleWriter) await store.put(key, bundle, options);
        else await store.putIfAbsent(key, bundle, options);
        return "placed";
      } catch (error) {
        lastError = error;
        if (isCertainFailure(error)) break;
      }
      const after = await look();
      if (after !== null) return after;
    }
  } catch (error) {
    lastError ??= error;
  }
  return { error: lastError };
}

// A bundle that may have landed is an orphan at worst: no manifest names it. So its unclear answer is no unknown outcome.
function notPlaced(placement: "taken" | { readonly error: unknown }): SwapOutcome {
  if (placement === "taken") {
    const message = `${MAX_SEALINGS} versions in a row were taken by other writers`;
    return { kind: "failed", error: new CliError("CONFLICT", message, "run the same command again") };
  }
  const { error } = placement;
  if (!(error instanceof StoreError) || error.landed === "no") return { kind: "failed", error };
  return {
    kind: "failed",
    error: new CliError("UNREACHABLE", `nothing was published: ${error.message}`, error.hint, {
      cause: error,
    }),
  };
}
