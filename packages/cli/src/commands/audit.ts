// `vsync audit <env>`: who did what to this environment; `--verify` holds the log against all that can be known.

import type { AuditRow } from "@vsync/envelope";
import { OWN_META } from "../audit/intent.ts";
import { describeActor, isEarlierState, parseMeta, readSegments, type Segment } from "../audit/read-log.ts";
import { type Finding, judgeLog } from "../audit/verify.ts";
import { CliError } from "../cli-error.ts";
import type { Context, Said } from "../context.ts";
import { formatTable } from "../terminal.ts";
import { type Environment, withEnvironment } from "../vault/environment.ts";
import { type Version, walkHistory } from "../vault/history.ts";
import { loadLedger } from "../vault/ledger.ts";
import { missingManifest, readStanding } from "../vault/standing.ts";

export interface AuditLogInput {
  readonly env: string;
  readonly limit?: number;
  readonly all?: boolean;
  /** ISO date or time: rows from then on. */
  readonly since?: string;
  readonly action?: string;
  readonly csv?: boolean;
  readonly verify?: boolean;
}

export interface AuditLogResult {
  readonly env: string;
  /** False: the environment was set up to keep no log. */
  readonly enabled: boolean;
  /** Newest first. */
  readonly rows: readonly AuditRow[];
  readonly more: boolean;
  /** Why the log could not be followed to its beginning, or to as many rows as were asked for; null: it could. */
  readonly ended: string | null;
  /** Null unless asked for; empty: nothing is wrong. */
  readonly findings: readonly Finding[] | null;
  /** As CSV, when that was asked for. */
  readonly csv: string | null;
}

const DEFAULT_LIMIT = 50;

export async function audit(context: Context, input: AuditLogInput): Promise<AuditLogResult> {
  const { env, since } = input;
  const sinceMs = since === undefined ? Number.NEGATIVE_INFINITY : Date.parse(since);
  if (Number.isNaN(sinceMs)) {
    throw new CliError(
      "USAGE",
      "--since takes a date or a time",
      "for instance --since 2026-01-31 or 2026-01-31T12:00:00Z",
    );
  }
  return await withEnvironment(context, env, async (environment) => {
    const findings = input.verify ? await verify(environment) : null;
    if (findings !== null && findings.length > 0) throw doesNotHold(env, findings);
    const limit = input.all ? Number.POSITIVE_INFINITY : (input.limit ?? DEFAULT_LIMIT);
    const wanted = (row: AuditRow): boolean =>
      !(Date.parse(row.ts) < sinceMs) && (input.action === undefined || row.action === input.action);
    const { rows, more, ended } = await newestRows(environment, wanted, limit);
    if (ended !== null) {
      environment.terminal.warn(`the audit log of ${env} cannot be followed further back: ${ended}`);
    }
    const { enabled } = environment.config.audit;
    return { env, enabled, rows, more, ended, findings, csv: input.csv ? toCsv(rows) : null };
  });
}

export function describeAudit({ env, enabled, rows, more, findings, csv }: AuditLogResult): Said {
  const held =
    findings === null ? [] : [`the audit log of ${env} holds: every row follows from the one before`];
  const isEmpty = rows.length === 0 && !enabled;
  const verified = isEmpty ? [`${env} keeps no audit log: it was set up with --no-audit`] : held;
  if (csv !== null) return { out: csv, notes: verified };
  if (rows.length === 0) return { notes: [...verified, `no rows of ${env} to show`] };
  const cells = rows.map((row) => [
    row.ts,
    row.action,
    row.gen,
    describeActor(row),
    row.local_ip,
    noteOf(row),
  ]);
  const notes = more ? ["there are older ones: --all, or --limit <n>"] : [];
  return {
    out: formatTable(["when", "what", "gen", "who", "from", "note"], cells),
    notes: [...verified, ...notes],
  };
}

/** Throws where not even the current file can be read: no rows would look like a log in which there are none. */
async function newestRows(
  { remote }: Environment,
  wanted: (row: AuditRow) => boolean,
  limit: number,
): Promise<Pick<AuditLogResult, "more" | "ended"> & { rows: AuditRow[] }> {
  const rows: AuditRow[] = [];
  const walk = readSegments(remote);
  let step = await walk.next();
  if (step.done && step.value !== null) throw cannotBeRead(remote.env, step.value);
  for (; !step.done; step = await walk.next()) {
    rows.push(...step.value.log.rows.filter(wanted).reverse());
    if (rows.length > limit) return { rows: rows.slice(0, limit), more: true, ended: null };
  }
  return { rows, more: false, ended: step.value };
}

function cannotBeRead(env: string, why: string): CliError {
  return new CliError(
    "CORRUPT",
    `the audit log of ${env} cannot be read: ${why}`,
    `vsync audit ${env} --verify   tells what else is wrong; the next command that writes a row (a push, say) puts the file aside and begins a new one`,
  );
}

async function verify(environment: Environment): Promise<Finding[]> {
  const { remote, local, config } = environment;
  const rememberedChain = loadLedger(local.paths).auditChain;
  const segments: Segment[] = [];
  const walk = readSegments(remote);
  let step = await walk.next();
  for (; !step.done; step = await walk.next()) segments.push(step.value);
  const chains = new Set(segments.flatMap(({ log }) => log.chains));
  const { current, ledger } = await readStanding(environment);
  const missing = current === null ? missingManifest(environment, ledger) : null;
  const versions: Version[] = [];
  const isKept = config.audit.enabled || segments.length > 0 || step.value !== null;
  if (current !== null && isKept)
    for await (const version of walkHistory(remote, current)) versions.push(version);
  const stored = await listClosed(environment, segments);
  const findings = judgeLog({ segments, ended: step.value, stored, versions, rememberedChain, chains });
  return missing === null ? findings : [{ file: null, row: null, problem: missing.message }, ...findings];
}

/** Null where the credentials may not list: then foreign files cannot be seen. */
async function listClosed(
  { remote, terminal }: Environment,
  segments: readonly Segment[],
): Promise<string[] | null> {
  const known = new Set(segments.map(({ name }) => name));
  try {
    const names: string[] = [];
    for await (const { key } of remote.store.list(`${remote.prefix}audit/`)) {
      const name = key.slice(remote.prefix.length);
      if (known.has(name) || !(await isEarlierState(remote, name, segments))) names.push(name);
    }
    return names;
  } catch (error) {
    terminal.warn(`closed files that no row names were not looked for: ${(error as Error).message}`);
    return null;
  }
}

function doesNotHold(env: string, findings: readonly Finding[]): CliError {
  const lines = findings.map(
    ({ file, row, problem }) =>
      `${[file, row === null ? null : `row ${row}`].filter(Boolean).join(", ")}${file === null ? "" : ": "}${problem}`,
  );
  return new CliError(
    "CORRUPT",
    `the audit log of ${env} does not hold: ${lines.join("; ")}`,
    `compare with the bucket's own access log, and look at the versions: vsync versions ${env}`,
    { details: { findings } },
  );
}

function noteOf(row: AuditRow): string {
  const { note, ...rest } = parseMeta(row);
  const theirs = Object.entries(rest).filter(([name]) => !OWN_META.has(name));
  const fields = theirs.map(([name, value]) => `${name}=${shortly(value)}`);
  return [typeof note === "string" ? note : null, ...fields].filter(Boolean).join(" ");
}

/** vsync writes strings; what else a row may hold, somebody made up, and not everything can become a string. */
function shortly(value: unknown): string {
  return typeof value === "object" && value !== null ? "..." : String(value);
}

/** A row that vsync wrote is harmless in a spreadsheet already; whoever can write the bucket can add others. */
const disarmed = (text: string): string => (/^[=+\-@\t\r]/.test(text) ? `'${text}` : text);
const quoted = (text: string): string => (/[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);

/** Newest first, with a header; without the chain, which holds only in the log's own order. */
function toCsv(rows: readonly AuditRow[]): string {
  const [first] = rows;
  if (first === undefined) return "";
  const columns = Object.keys(first) as (keyof AuditRow)[];
  return [
    columns.join(","),
    ...rows.map((row) => columns.map((column) => quoted(disarmed(row[column]))).join(",")),
  ].join("\n");
}
