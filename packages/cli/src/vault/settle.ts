// The swap of the manifest, and finding out what became of it when the answer does not say: docs/formats.md section 6,
// "Publishing" steps 4 and 5. Works from pending.json alone, so that a later process can do the same.

import { parseTimestamp, readGeneration, utf8 } from "@vsync/envelope";
import { type ObjectInfo, type StoredObject, StoreError } from "@vsync/store";
import type { Pending } from "./pending.ts";
import { bundleKey, getManifest, manifestKey, type Remote } from "./remote.ts";

export type Settlement =
  /** Ours is in the history; `superseded` when somebody has published on top of it since. */
  | { readonly kind: "committed"; readonly superseded: boolean }
  /** Somebody else's version stands where ours would: certainly not committed. */
  | {
      readonly kind: "conflict";
      readonly current: { readonly timestamp: string; readonly generation: number };
    }
  /** The manifest is what it was before. */
  | { readonly kind: "unchanged" }
  /** Neither; `gone`: there was a manifest and is none, `broken`: the history does not lead back to our generation. */
  | { readonly kind: "untraceable"; readonly why: "gone" | "broken" };

export type SwapOutcome =
  | Extract<Settlement, { kind: "committed" | "conflict" }>
  /** Not committed, for certain, because of this error. */
  | { readonly kind: "failed"; readonly error: unknown }
  /** It may have landed, or may still land. */
  | { readonly kind: "unknown"; readonly cause: unknown };

const SENDINGS = 3;

/** Sends the manifest, at most three times, until an answer or a look at the bucket settles it. */
export async function swapManifest(remote: Remote, pending: Pending): Promise<SwapOutcome> {
  let sent = 0;
  let lastError: unknown;
  while (sent < SENDINGS) {
    let isRefused = false;
    try {
      if (remote.singleWriter) {
        const before = await settle(remote, pending);
        if (before.kind !== "unchanged") return toOutcome(before, lastError);
      }
      sent++;
      await sendManifest(remote, pending);
      if (!remote.singleWriter) return { kind: "committed", superseded: false };
    } catch (error) {
      if (sent === 0) return { kind: "failed", error };
      lastError = error;
      // Only a first refusal is certain: a later one says nothing about the sendings before it.
      isRefused = sent === 1 && isCertainFailure(error);
    }
    try {
      // After a refusal too: who answers for a server can be wrong, and a rotation would forget its new passphrase.
      const now = await settle(remote, pending);
      if (now.kind !== "unchanged") return toOutcome(now, lastError);
    } catch {
      return isRefused ? { kind: "failed", error: lastError } : { kind: "unknown", cause: lastError };
    }
    if (isRefused) return { kind: "failed", error: lastError };
  }
  return { kind: "unknown", cause: lastError };
}

/** Looks where a publish stands now. Sends nothing. */
export async function settle(remote: Remote, pending: Pending): Promise<Settlement> {
  const found = await getManifest(remote);
  if (found === null)
    return pending.baseEtag === null ? { kind: "unchanged" } : { kind: "untraceable", why: "gone" };
  if (found.metadata["write-id"] === pending.writeId) return { kind: "committed", superseded: false };
  if (found.etag === pending.baseEtag) return { kind: "unchanged" };
  return await followHistory(remote, pending, found);
}

/** Whether this publish's bundle is in the bucket. Another writer's may have the same timestamp. */
export async function isPlaced({ store, prefix }: Remote, pending: Pending): Promise<boolean> {
  const bundle = await store.head(bundleKey(prefix, pending.timestamp));
  return bundle !== null && isOurBundle(bundle, pending);
}

export function isOurBundle(found: ObjectInfo, pending: Pending): boolean {
  return found.metadata["write-id"] === pending.writeId;
}

/** A write that was refused, with nothing of it sent before that could still land. */
export function isCertainFailure(error: unknown): boolean {
  if (!(error instanceof StoreError)) return false;
  const lost = error.code === "PRECONDITION_FAILED" || error.status === 409;
  return error.landed === "no" && !error.retried && !lost;
}

async function sendManifest({ store, prefix, singleWriter }: Remote, pending: Pending): Promise<void> {
  const key = manifestKey(prefix);
  const body = utf8(pending.timestamp);
  const options = { metadata: pending.manifestMetadata };
  if (singleWriter) await store.put(key, body, options);
  else if (pending.baseEtag === null) await store.putIfAbsent(key, body, options);
  else await store.putIfMatch(key, body, pending.baseEtag, options);
}

/**
 * Follows `prev-ts` from the current version back to our generation. The generation falls by one and the timestamp
 * falls too at each step, so a forged history ends the walk instead of leading it in circles.
 */
async function followHistory(remote: Remote, pending: Pending, manifest: StoredObject): Promise<Settlement> {
  const broken: Settlement = { kind: "untraceable", why: "broken" };
  const current = readVersion(manifest);
  if (current === null) return broken;
  let { timestamp, generation } = current;
  while (generation > pending.generation) {
    const bundle = await remote.store.head(bundleKey(remote.prefix, timestamp));
    const previous = bundle?.metadata["prev-ts"];
    if (bundle === null || !previous || previous >= timestamp) return broken;
    if (readGeneration(bundle.metadata) !== generation) return broken;
    timestamp = previous;
    generation--;
  }
  if (generation < pending.generation) return broken;
  const isOurs = timestamp === pending.timestamp && (await isPlaced(remote, pending));
  return isOurs ? { kind: "committed", superseded: true } : { kind: "conflict", current };
}

function readVersion({ body, metadata }: StoredObject): { timestamp: string; generation: number } | null {
  const timestamp = new TextDecoder().decode(body).trim();
  const generation = readGeneration(metadata);
  return parseTimestamp(timestamp) === null || generation === null ? null : { timestamp, generation };
}

function toOutcome(settlement: Exclude<Settlement, { kind: "unchanged" }>, lastError: unknown): SwapOutcome {
  return settlement.kind === "untraceable" ? { kind: "unknown", cause: lastError } : settlement;
}
