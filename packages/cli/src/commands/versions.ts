// `vsync versions <env>`: what was published, newest first, by whom and why.

import { type AuditRow, parseEnv, scalarsFile, type VaultFiles } from "@vsync/envelope";
import { PUBLISHING } from "../audit/publisher.ts";
import { describeActor, parseMeta, readSegments } from "../audit/read-log.ts";
import { CliError } from "../cli-error.ts";
import type { Context, Said } from "../context.ts";
import { formatAge, formatSize, formatTable, visible } from "../terminal.ts";
import { type Environment, withEnvironment } from "../vault/environment.ts";
import { type Version, walkHistory } from "../vault/history.ts";
import { fetchOlderVersion } from "../vault/older-version.ts";
import type { CurrentVersion } from "../vault/remote.ts";
import { missingManifest, readStanding } from "../vault/standing.ts";

export interface VersionsInput {
  readonly env: string;
  readonly limit?: number;
  readonly all?: boolean;
  /** A scalar's name: only the versions that changed it. */
  readonly key?: string;
}

export interface ListedVersion extends Version {
  readonly current: boolean;
  readonly action: string | null;
  /** From the audit log; null when it says nothing. */
  readonly who: string | null;
  readonly note: string | null;
}

export interface VersionsResult {
  readonly env: string;
  readonly versions: readonly ListedVersion[];
  /** There are older ones, or an older one changed the key. */
  readonly more: boolean;
  /** Why the history could not be followed to its beginning, or null. */
  readonly ended: string | null;
}

const DEFAULT_LIMIT = 20;

export async function versions(context: Context, input: VersionsInput): Promise<VersionsResult> {
  const { env, key } = input;
  const limit = input.all ? Number.POSITIVE_INFINITY : (input.limit ?? DEFAULT_LIMIT);
  const list = async (environment: Environment): Promise<VersionsResult> => {
    const { current, ledger } = await readStanding(environment);
    if (current === null) {
      const missing = missingManifest(environment, ledger);
      if (missing !== null) throw missing;
      return { env, versions: [], more: false, ended: null };
    }
    const found: Version[] = [];
    const walk =
      key === undefined ? walkHistory(environment.remote, current) : walkChanges(environment, current, key);
    let step = await walk.next();
    for (; !step.done && found.length < limit; step = await walk.next()) found.push(step.value);
    const rows = await publishingRows(environment, found);
    const listed = found.map((version) => ({
      ...version,
      current: version.timestamp === current.timestamp,
      ...tellWho(rows.get(version.timestamp)),
    }));
    return { env, versions: listed, more: !step.done, ended: step.done ? step.value : null };
  };
  return await withEnvironment(context, env, list, { readsOnly: true });
}

/** `key`: the scalar that was asked about. */
export function describeVersions(result: VersionsResult, nowMs: number, key?: string): Said {
  const { env, versions, more, ended } = result;
  if (versions.length === 0 && key !== undefined) {
    const far = ended === null ? "" : `, as far as the history can be followed: ${ended}`;
    return { notes: [`no version of ${env} changed ${visible(key)}${far}`] };
  }
  if (versions.length === 0 && ended !== null)
    return { notes: [`no version of ${env} can be listed: ${ended}`] };
  if (versions.length === 0) return { notes: [`${env} has no version yet: vsync push ${env}`] };
  const rows = versions.map(({ current, timestamp, generation, size, storedAt, who, action, note }) => [
    current ? "*" : "",
    timestamp,
    String(generation),
    formatSize(size),
    storedAt === null ? "" : formatAge(nowMs - Date.parse(storedAt)),
    who ?? "",
    [action === "push" ? null : action, note].filter(Boolean).join(": "),
  ]);
  const notes = [
    ...(more ? ["there are older ones: --all"] : []),
    ...(ended === null ? [] : [`the history cannot be followed further: ${ended}`]),
    `to bring one back: vsync restore ${env} <version>`,
  ];
  return { out: formatTable(["", "version", "gen", "size", "age", "by", ""], rows), notes };
}

/** The versions in which the scalar's value is another than in the one before. */
async function* walkChanges(
  environment: Environment,
  current: CurrentVersion,
  key: string,
): AsyncGenerator<Version, string | null> {
  const { remote } = environment;
  const walk = walkHistory(remote, current);
  let newer: { version: Version; value: string | null } | null = null;
  for (;;) {
    const step = await walk.next();
    if (step.done) {
      if (newer !== null && newer.value !== null) yield newer.version;
      return step.value;
    }
    const version = step.value;
    let files: VaultFiles;
    try {
      const command = `vsync diff ${remote.env} --version ${version.timestamp}`;
      ({ files } = await fetchOlderVersion(environment, version.timestamp, null, command));
    } catch (error) {
      if (!(error instanceof CliError) || error.code !== "WRONG_PASSPHRASE") throw error;
      return `versions up to ${version.timestamp} are from before a rotation and do not open any more`;
    }
    const value = scalarOf(files, remote.env, key);
    if (newer !== null && newer.value !== value) yield newer.version;
    newer = { version, value };
  }
}

function scalarOf(files: VaultFiles, env: string, key: string): string | null {
  const file = files.get(scalarsFile(files, env) ?? "");
  return file === undefined ? null : (parseEnv(file.bytes).get(key) ?? null);
}

/** The log's rows by version, read back as far as the oldest of these versions. */
async function publishingRows(
  { remote }: Environment,
  found: readonly Version[],
): Promise<ReadonlyMap<string, AuditRow>> {
  const rows = new Map<string, AuditRow>();
  const wanted = new Set(found.map(({ timestamp }) => timestamp));
  for await (const { log } of readSegments(remote)) {
    for (const row of log.rows) {
      if (PUBLISHING.has(row.action) && wanted.delete(row.version_ts)) rows.set(row.version_ts, row);
    }
    if (wanted.size === 0) break;
  }
  return rows;
}

function tellWho(row: AuditRow | undefined): Pick<ListedVersion, "action" | "who" | "note"> {
  if (row === undefined) return { action: null, who: null, note: null };
  const { note } = parseMeta(row);
  return { action: row.action, who: describeActor(row), note: typeof note === "string" ? note : null };
}
