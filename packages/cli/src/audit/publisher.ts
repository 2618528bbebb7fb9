// Who published a version, and when, as the audit log tells it: for messages, never for decisions. docs/formats.md section 7.

import { readAuditLog, type VaultKeys } from "@vsync/envelope";
import type { ObjectStore } from "@vsync/store";
import { auditKey, MAX_AUDIT_BYTES } from "./append.ts";
import { describeActor } from "./read-log.ts";

export interface Publisher {
  readonly who: string;
  /** ISO 8601. */
  readonly when: string;
}

/** Actions whose row names the version that they published. */
export const PUBLISHING: ReadonlySet<string> = new Set(["push", "restore", "rotate", "take-over"]);

/** Null when the log says nothing about the version, or cannot be read. */
export async function findPublisher(
  remote: { readonly store: ObjectStore; readonly keys: VaultKeys; readonly prefix: string },
  timestamp: string,
): Promise<Publisher | null> {
  try {
    const found = await remote.store.get(auditKey(remote.prefix), { maxBytes: MAX_AUDIT_BYTES });
    const log = found === null ? null : await readAuditLog(remote.keys, found.body);
    const row = log?.rows.findLast((row) => row.version_ts === timestamp && PUBLISHING.has(row.action));
    if (row === undefined) return null;
    return { who: describeActor(row), when: row.ts };
  } catch {
    return null; // a log that cannot be read must not hide what the message is about
  }
}
