// A publish on its way, written down before anything is sent, so that the next command can find out what became of it.
// docs/formats.md sections 6 and 9.

import { existsSync } from "node:fs";
import { bundleDigest } from "@vsync/envelope";
import { readPrivateFile, removePrivateFile, writePrivateFile } from "../config/private-file.ts";
import { type Synced, syncedFromJson, syncedToJson } from "./ledger.ts";
import { isCount, isRecord, isStringRecord, readStateFile, writeStateFile } from "./state-file.ts";
import type { StatePaths } from "./state-paths.ts";

export interface Pending {
  readonly operation: string;
  /** Of the version that is being published. */
  readonly timestamp: string;
  readonly generation: number;
  readonly writeId: string;
  /** ETag of the manifest that it replaces: the condition of the swap. Null: there is none yet. */
  readonly baseEtag: string | null;
  /** Version of the manifest that it replaces, "" for the first. */
  readonly previousTimestamp: string;
  /** The version that a restore publishes again. */
  readonly restores?: string;
  /** The sealed manifest, to be sent again as it is; its body is the timestamp. */
  readonly manifestMetadata: Readonly<Record<string, string>>;
  /** What the ledger says once this is committed; null when the vault folder has no part in it. */
  readonly synced: Synced | null;
  readonly audit: AuditIntent | null;
}

/** The audit row that a command owes once it has done what the row says. `meta.id` makes the row findable. */
export interface AuditIntent {
  readonly action: string;
  readonly meta: Readonly<Record<string, string>> & { readonly id: string };
}

/** Both or, when it throws, neither. The bundle first: where there is no pending.json, nothing has been sent. */
export function savePending(paths: StatePaths, pending: Pending, bundle: Uint8Array): void {
  const isFirst = !existsSync(paths.pending); // else one that nobody could settle is there, and is to stay
  try {
    writePrivateFile(paths.pendingBundle, bundle);
    writeStateFile(paths.pending, { ...pending, synced: pending.synced && syncedToJson(pending.synced) });
  } catch (error) {
    if (isFirst) dropUnsent(paths);
    throw error;
  }
}

export function loadPending(paths: StatePaths): Pending | null {
  const damage = {
    loss: "it says what became of an interrupted publish",
    hint: "then pull: it shows whether that publish is the newest version",
  };
  return readStateFile(paths.pending, parsePending, damage);
}

/** Whether the bundle that is kept is the one that was sealed into this manifest. */
export async function isPendingBundle(paths: StatePaths, pending: Pending): Promise<boolean> {
  const bytes = readPrivateFile(paths.pendingBundle);
  return bytes !== null && (await bundleDigest(bytes)) === pending.manifestMetadata.sha256;
}

export function dropPending(paths: StatePaths): void {
  removePrivateFile(paths.pending);
  removePrivateFile(paths.pendingBundle);
}

function dropUnsent(paths: StatePaths): void {
  try {
    dropPending(paths);
  } catch {
    // The failure before this one is the one to tell; the next command drops what was never sent.
  }
}

/** Null when it is no such record. */
export function auditIntentFromJson(value: unknown): AuditIntent | null {
  if (!isRecord(value) || typeof value.action !== "string" || !isStringRecord(value.meta)) return null;
  const { id } = value.meta;
  return id === undefined ? null : { action: value.action, meta: { ...value.meta, id } };
}

function parsePending(fields: Record<string, unknown>): Pending | null {
  const {
    operation,
    timestamp,
    generation,
    writeId,
    baseEtag,
    previousTimestamp,
    restores,
    manifestMetadata,
  } = fields;
  const synced = fields.synced === null ? null : syncedFromJson(fields.synced);
  const audit = fields.audit === null ? null : auditIntentFromJson(fields.audit);
  const sound =
    typeof operation === "string" &&
    typeof timestamp === "string" &&
    isCount(generation) &&
    typeof writeId === "string" &&
    (baseEtag === null || typeof baseEtag === "string") &&
    typeof previousTimestamp === "string" &&
    (restores === undefined || typeof restores === "string") &&
    isStringRecord(manifestMetadata) &&
    (synced !== null || fields.synced === null) &&
    (audit !== null || fields.audit === null);
  if (!sound) return null;
  return {
    operation,
    timestamp,
    generation,
    writeId,
    baseEtag,
    previousTimestamp,
    ...(restores !== undefined && { restores }),
    manifestMetadata,
    synced,
    audit,
  };
}
