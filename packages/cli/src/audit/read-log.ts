// Reading the audit log back through its closed segments. docs/formats.md section 7.

import { type AuditLog, type AuditRow, readAuditLog, sha256, toHex } from "@vsync/envelope";
import { type StoredObject, StoreError } from "@vsync/store";
import { type AuditRemote, auditKey, MAX_AUDIT_BYTES } from "./append.ts";

/** One file of the log. */
export interface Segment {
  /** Relative to the prefix. */
  readonly name: string;
  readonly body: Uint8Array;
  readonly log: AuditLog;
  /** The file's bytes are those that the next one vouches for; null for the current file, which none vouches for. */
  readonly digestHolds: boolean | null;
  /** The closed file before it, as its first row names it. */
  readonly previous: string | null;
}

/** The files of the log, newest first. Ends at the first one; a file that is named and cannot be read is an error text. */
export async function* readSegments(remote: AuditRemote): AsyncGenerator<Segment, string | null> {
  let name = auditKey("");
  let expected: string | null = null;
  const seen = new Set<string>();
  for (;;) {
    const found = await getSegment(remote, name);
    if (found === "too-large") return `${name} is larger than any log that vsync writes`;
    if (found === null) return expected === null ? null : `${name} is gone, though a later file continues it`;
    const log = await readAuditLog(remote.keys, found.body);
    if (log === null) return `${name} is no audit log of vsync`;
    const { prev, prev_sha256: digest } = parseMeta(log.rows[0]);
    const previous = isSegmentName(prev) && !seen.has(prev) ? prev : null;
    const digestHolds = expected === null ? null : toHex(await sha256([found.body])) === expected;
    yield { name, body: found.body, log, digestHolds, previous };
    if (previous === null) return null;
    seen.add(previous);
    name = previous;
    expected = typeof digest === "string" ? digest : "";
  }
}

async function getSegment(
  { store, prefix }: AuditRemote,
  name: string,
): Promise<StoredObject | "too-large" | null> {
  try {
    return await store.get(prefix + name, { maxBytes: MAX_AUDIT_BYTES });
  } catch (error) {
    if (error instanceof StoreError && error.code === "TOO_LARGE") return "too-large";
    throw error;
  }
}

/**
 * Whether the stored file is a copy, under its own name, of what one of the segments was before it grew: somebody was
 * closing it when another row came. That a row could be added shows that the copy was never the end of the log: one that a segment is
 * equal to may be what a log that was put back leads up to. Byte for byte, as the chain may be that of a former key.
 */
export async function isEarlierState(
  { store, prefix }: AuditRemote,
  name: string,
  segments: readonly Segment[],
): Promise<boolean> {
  if (!isSegmentName(name)) return false;
  const copy = (await store.get(prefix + name, { maxBytes: MAX_AUDIT_BYTES }).catch(nullIfUnfit))?.body;
  if (copy === undefined || !name.endsWith(`-${toHex(await sha256([copy])).slice(0, 8)}.csv`)) return false;
  return segments.some(
    (segment, index) =>
      copy.length < segment.body.length &&
      Buffer.compare(copy, segment.body.subarray(0, copy.length)) === 0 &&
      isVerified(segment, segments[index - 1]),
  );
}

/** Whether only holders of the passphrase wrote it: of a closed one the row that names it says so, whose key may be another. */
function isVerified({ log, digestHolds }: Segment, next: Segment | undefined): boolean {
  if (next === undefined) return log.firstBadRow === null;
  return digestHolds === true && parseMeta(next.log.rows[0]).prev_chain === undefined;
}

/** No file of a log is too large, or another than the store says: whatever else is wrong, the caller has to know. */
function nullIfUnfit(error: unknown): null {
  if (error instanceof StoreError && (error.code === "TOO_LARGE" || error.code === "CORRUPT")) return null;
  throw error;
}

/** A row's `meta`, empty when it is no JSON object. */
export function parseMeta(row: AuditRow | undefined): Readonly<Record<string, unknown>> {
  try {
    const meta: unknown = JSON.parse(row?.meta ?? "");
    return typeof meta === "object" && meta !== null && !Array.isArray(meta) ? { ...meta } : {};
  } catch {
    return {};
  }
}

/** Who acted, as one line: the git address, and the account on its machine. */
export function describeActor({ git_email: email, os_user: user, hostname }: AuditRow): string {
  return email === "" ? `${user}@${hostname}` : `${email} (${user}@${hostname})`;
}

function isSegmentName(value: unknown): value is string {
  return typeof value === "string" && /^audit\/\d{8}-\d{6}-[0-9a-f]{8}\.csv$/.test(value);
}
