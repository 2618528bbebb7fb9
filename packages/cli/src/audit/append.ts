// Adding a row to the audit log: docs/formats.md section 7. Best effort: whatever happens here is told and never thrown,
// because what the row records has already been done.

import {
  AUDIT_HEADER,
  type AuditRow,
  concat,
  encodeAuditMeta,
  encodeAuditRow,
  formatTimestamp,
  judgeManifest,
  readAuditLog,
  readLastChain,
  sha256,
  toHex,
  utf8,
  type VaultKeys,
} from "@vsync/envelope";
import { type ObjectStore, type StoredObject, StoreError } from "@vsync/store";
import type { ReadAhead } from "../vault/read-ahead.ts";

/** The bucket, and the keys that the log's current file is chained with. */
export interface AuditRemote {
  readonly store: ObjectStore;
  readonly keys: VaultKeys;
  /** Right after a rotation: the keys before it, under which the log's current file still is. */
  readonly former?: VaultKeys;
  readonly prefix: string;
  /** The server has no conditional writes. */
  readonly singleWriter: boolean;
  readonly readAhead?: ReadAhead;
}

export interface AuditEvent {
  readonly action: string;
  readonly versionTimestamp: string;
  readonly generation: number;
  /** `id`, 16 random hex digits, makes the row findable when the answer to its writing was lost. */
  readonly meta: Readonly<Record<string, string>> & { readonly id: string };
}

/** Who acts, and with what. */
export interface Actor {
  readonly hostname: string;
  readonly localIp: string;
  readonly osUser: string;
  readonly gitEmail: string;
  readonly vsyncVersion: string;
  readonly runtime: string;
}

export interface AppendOptions {
  /** Milliseconds since 1970. */
  now(): number;
  /** Waits a random part of so many milliseconds. */
  pause(atMostMs: number): Promise<void>;
  /** An earlier process may have written this row already. */
  readonly mayBeThere?: boolean;
}

export interface Appended {
  /** The log's last chain value, or null when nothing was written or it is under other keys. */
  readonly chain: string | null;
  /** What a person should know. */
  readonly warnings: readonly string[];
}

/** Past this the file is closed, so that an append never has to carry more. */
export const SEGMENT_BYTES: number = 512 * 1024;
/** What is read at the most; a file that vsync wrote never comes near. */
export const MAX_AUDIT_BYTES: number = 4 * 1024 * 1024;
/** What an append still puts aside, so that a file which somebody has filled is not in the way for good. */
const MAX_SET_ASIDE_BYTES = 64 * 1024 * 1024;
const TRIES = 8;
const FIRST_PAUSE_MS = 25;

export function auditKey(prefix: string): string {
  return `${prefix}audit.csv`;
}

/** Begins to read the log, which a row is about to go into. Where no condition protects what comes in between, it does not. */
export function expectRow({ readAhead, prefix, singleWriter }: Omit<AuditRemote, "keys">): void {
  if (!singleWriter) readAhead?.expect(auditKey(prefix), { maxBytes: MAX_SET_ASIDE_BYTES });
}

export async function appendAudit(
  remote: AuditRemote,
  event: AuditEvent,
  actor: Actor,
  options: AppendOptions,
): Promise<Appended> {
  const row = toRow(event, actor, options.now());
  const { text, truncated } = encodeAuditMeta(event.meta);
  const warnings = truncated
    ? ["--note and --meta together are more than 2 KiB; the audit log does not hold them"]
    : [];
  try {
    const chain = await append(remote, { ...row, meta: text }, event.meta.id, options);
    return { chain, warnings };
  } catch (error) {
    // Credentials that may not write the log are a policy, not a fault.
    if (error instanceof StoreError && error.code === "ACCESS_DENIED") return { chain: null, warnings };
    const line = await pasteable(remote.keys, { ...row, meta: text });
    const why = error instanceof Error ? error.message : String(error);
    return {
      chain: null,
      warnings: [...warnings, `no audit row was written (${why}); for the record: ${line}`],
    };
  }
}

async function append(
  remote: AuditRemote,
  row: AuditRow,
  id: string,
  options: AppendOptions,
): Promise<string | null> {
  let lastError: unknown;
  for (let attempt = 0; attempt < TRIES; attempt++) {
    if (attempt > 0) await options.pause(FIRST_PAUSE_MS * 2 ** attempt);
    const current = await readLog(remote);
    if (
      current !== null &&
      (attempt > 0 || options.mayBeThere === true) &&
      (await isThere(remote, current, id))
    ) {
      return await readLastChain(remote.keys, current.body); // null: it is under keys that this machine has not
    }
    try {
      return await appendTo(remote, current, row, options.now());
    } catch (error) {
      if (!isWorthAnotherTry(error)) throw error;
      lastError = error;
    }
  }
  throw lastError;
}

/** What failed while a bundle took all of the line may do so no more. */
async function readLog({ store, readAhead, prefix }: AuditRemote): Promise<StoredObject | null> {
  const options = { maxBytes: MAX_SET_ASIDE_BYTES };
  const read = () => store.get(auditKey(prefix), options);
  return await (readAhead?.take(auditKey(prefix))?.catch(read) ?? read());
}

// Somebody else was first, or the answer was lost.
function isWorthAnotherTry(error: unknown): boolean {
  if (!(error instanceof StoreError)) return false;
  return error.code === "PRECONDITION_FAILED" || error.status === 409 || error.landed === "unknown";
}

/** Writes the row after what `current` holds, or as the first of a new file. Returns its chain value. */
async function appendTo(
  remote: AuditRemote,
  current: StoredObject | null,
  row: AuditRow,
  nowMs: number,
): Promise<string> {
  const { keys } = remote;
  const lastChain = current === null ? "" : await readLastChain(keys, current.body);
  if (current !== null && lastChain !== null && current.body.length <= SEGMENT_BYTES) {
    const { line, chain } = await encodeAuditRow(keys, row, lastChain);
    await writeLog(remote, current, concat([current.body, line]));
    return chain;
  }
  const verified = lastChain !== null || (await endsUnderFormerKeys(remote, current));
  if (!verified) await requireKeysInForce(remote, nowMs);
  const closed = current === null ? {} : await closeSegment(remote, current, nowMs);
  const restart = { ...closed, ...(!verified && { prev_chain: "unverified" }) };
  const { line, chain } = await encodeAuditRow(keys, { ...row, meta: withRestart(row.meta, restart) }, "");
  await writeLog(remote, current, concat([utf8(AUDIT_HEADER), line]));
  return chain;
}

async function endsUnderFormerKeys({ former }: AuditRemote, current: StoredObject | null): Promise<boolean> {
  return former !== undefined && current !== null && (await readLastChain(former, current.body)) !== null;
}

/** A log under other keys is damaged, or under those that came after ours: then it is not ours to close. */
async function requireKeysInForce({ store, keys, prefix }: AuditRemote, nowMs: number): Promise<void> {
  const manifest = await store.get(`${prefix}manifest`, { maxBytes: MAX_AUDIT_BYTES });
  const verdict = manifest === null ? null : await judgeManifest(keys, prefix, manifest, nowMs);
  if (verdict?.kind !== "verified") throw new Error("the passphrase in use is not the one in force any more");
}

async function writeLog(
  { store, prefix, singleWriter }: AuditRemote,
  current: StoredObject | null,
  body: Uint8Array,
): Promise<void> {
  const key = auditKey(prefix);
  if (singleWriter) await store.put(key, body);
  else if (current === null) await store.putIfAbsent(key, body);
  else await store.putIfMatch(key, body, current.etag);
}

/** What ties the new file to the old one stays, whatever else was too much. */
function withRestart(meta: string, restart: Readonly<Record<string, string>>): string {
  const fields = JSON.parse(meta);
  const { text, truncated } = encodeAuditMeta({ ...fields, ...restart });
  return truncated ? encodeAuditMeta({ id: fields.id, ...restart, _truncated: true }).text : text;
}

/** Copies the file to where closed ones are. Its name comes from its content: two that close it at once make one copy. */
async function closeSegment(
  remote: AuditRemote,
  current: StoredObject,
  nowMs: number,
): Promise<{ prev: string; prev_sha256: string }> {
  const digest = await digestOf(current.body);
  const first = (await readAuditLog(remote.keys, current.body))?.rows[0];
  const starts = [Date.parse(first?.ts ?? ""), current.lastModified?.getTime() ?? Number.NaN];
  const startMs = starts.find(hasTimestamp) ?? nowMs;
  const prev = `audit/${formatTimestamp(startMs)}-${digest.slice(0, 8)}.csv`;
  const key = remote.prefix + prev;
  try {
    if (remote.singleWriter) await remote.store.put(key, current.body);
    else await remote.store.putIfAbsent(key, current.body);
  } catch (error) {
    const there = await remote.store.get(key, { maxBytes: MAX_SET_ASIDE_BYTES });
    if (there === null) throw error;
    if ((await digestOf(there.body)) !== digest) {
      throw new Error(`${key} holds something else than the log that was to be closed`);
    }
  }
  return { prev, prev_sha256: digest };
}

/** In the years 1970 to 9999: a row, or a server, that says another one would name a file that nobody finds again. */
function hasTimestamp(ms: number): boolean {
  return ms >= 0 && ms < Date.UTC(10_000, 0);
}

/** Whether the row with this id is in the file, or in the one that was closed before it. */
async function isThere(remote: AuditRemote, current: StoredObject, id: string): Promise<boolean> {
  if (includes(current.body, id)) return true;
  const first = (await readAuditLog(remote.keys, current.body))?.rows[0];
  const previous = /"prev":"(audit\/[0-9a-f-]+\.csv)"/.exec(first?.meta ?? "")?.[1];
  if (previous === undefined) return false;
  const closed = await remote.store.get(remote.prefix + previous, { maxBytes: MAX_SET_ASIDE_BYTES });
  return closed !== null && includes(closed.body, id);
}

async function digestOf(bytes: Uint8Array): Promise<string> {
  return toHex(await sha256([bytes]));
}

function includes(bytes: Uint8Array, id: string): boolean {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).includes(id);
}

function toRow(
  { action, versionTimestamp, generation }: AuditEvent,
  actor: Actor,
  nowMs: number,
): Omit<AuditRow, "meta"> {
  return {
    ts: new Date(nowMs).toISOString(),
    action,
    version_ts: versionTimestamp,
    gen: String(generation),
    hostname: actor.hostname,
    local_ip: actor.localIp,
    os_user: actor.osUser,
    git_email: actor.gitEmail,
    vsync_version: actor.vsyncVersion,
    runtime: actor.runtime,
  };
}

async function pasteable(keys: VaultKeys, row: AuditRow): Promise<string> {
  const { line } = await encodeAuditRow(keys, row, "");
  return new TextDecoder().decode(line).trimEnd();
}
