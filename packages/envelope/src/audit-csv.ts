// The audit log: CSV whose last column chains each row to the one before. docs/formats.md section 7.

import { hmacSha256 } from "#native";
import { concat, equalBytes, fromHex, fromUtf8, toHex, utf8 } from "./encoding.ts";
import type { VaultKeys } from "./key.ts";

/** Order of the columns. The last one, `chain`, is computed. */
export const AUDIT_COLUMNS = [
  "ts",
  "action",
  "version_ts",
  "gen",
  "hostname",
  "local_ip",
  "os_user",
  "git_email",
  "vsync_version",
  "runtime",
  "meta",
] as const;

/**
 * One event, each field as text. `ts` is ISO 8601 with milliseconds, `meta` a JSON object. A row that was read keeps the
 * apostrophe that a writer put before text a spreadsheet would run.
 */
export type AuditRow = Readonly<Record<(typeof AUDIT_COLUMNS)[number], string>>;

export interface AuditLog {
  readonly rows: readonly AuditRow[];
  /** The chain of each row. */
  readonly chains: readonly string[];
  /** The last row's chain, "" when there is none: what the next row continues. */
  readonly lastChain: string;
  /** Index of the first row whose chain does not verify, or null. */
  readonly firstBadRow: number | null;
}

export const AUDIT_HEADER: string = `${[...AUDIT_COLUMNS, "chain"].join(",")}\n`;
export const MAX_META_BYTES = 2048;

interface RawRecord {
  readonly fields: readonly string[];
  /** The record's bytes up to, not including, the comma before its last field. */
  readonly chained: Uint8Array;
}

/** `meta` as it goes into a row: JSON of at most 2 KiB, else a note that it was too large (`truncated`). */
export function encodeAuditMeta(meta: Readonly<Record<string, unknown>>): {
  text: string;
  truncated: boolean;
} {
  const text = JSON.stringify(meta);
  if (utf8(text).length <= MAX_META_BYTES) return { text, truncated: false };
  const { id } = meta;
  return { text: JSON.stringify({ ...(id !== undefined && { id }), _truncated: true }), truncated: true };
}

/** The row's line, line feed included, chained to the row before (`previousChain`, "" for the first of a file). */
export async function encodeAuditRow(
  keys: VaultKeys,
  row: AuditRow,
  previousChain: string,
): Promise<{ line: Uint8Array; chain: string }> {
  const chained = utf8(AUDIT_COLUMNS.map((column) => quote(disarm(row[column]))).join(","));
  const chain = await chainOf(keys, previousChain, chained);
  return { line: concat([chained, utf8(`,${chain}\n`)]), chain };
}

/** All rows with the verdict on their chain, or null when the bytes are no audit log (foreign header, broken CSV). */
export async function readAuditLog(keys: VaultKeys, bytes: Uint8Array): Promise<AuditLog | null> {
  const records = parseRecords(bytes);
  if (records === null) return null;
  const rows: AuditRow[] = [];
  const chains: string[] = [];
  let lastChain = "";
  let firstBadRow: number | null = null;
  for (const { fields, chained } of records) {
    const chain = fields[AUDIT_COLUMNS.length] as string;
    if (firstBadRow === null && !sameChain(chain, await chainOf(keys, lastChain, chained)))
      firstBadRow = rows.length;
    rows.push(toRow(fields));
    chains.push(chain);
    lastChain = chain;
  }
  return { rows, chains, lastChain, firstBadRow };
}

/** The last row's chain checked against the row before it only, for an append: null when it does not verify or the file is no audit log. */
export async function readLastChain(keys: VaultKeys, bytes: Uint8Array): Promise<string | null> {
  const records = parseRecords(bytes);
  if (records === null) return null;
  const last = records.at(-1);
  if (last === undefined) return "";
  const chain = last.fields[AUDIT_COLUMNS.length] as string;
  const previous = records.at(-2)?.fields[AUDIT_COLUMNS.length] ?? "";
  return sameChain(chain, await chainOf(keys, previous, last.chained)) ? chain : null;
}

async function chainOf(keys: VaultKeys, previousChain: string, chained: Uint8Array): Promise<string> {
  return toHex(await hmacSha256(keys.chainKey, concat([utf8(`${previousChain}\n`), chained])));
}

function sameChain(claimed: string, computed: string): boolean {
  const bytes = fromHex(claimed);
  return bytes !== null && equalBytes(bytes, fromHex(computed) as Uint8Array);
}

function toRow(fields: readonly string[]): AuditRow {
  const entries = AUDIT_COLUMNS.map((column, index) => [column, fields[index]]);
  return Object.fromEntries(entries) as AuditRow;
}

/** Text that a spreadsheet would run gets an apostrophe in front. */
function disarm(text: string): string {
  return /^[=+\-@\t\r]/.test(text) ? `'${text}` : text;
}

function quote(text: string): string {
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

/** The records below the header, each of twelve fields, or null. RFC 4180 with LF; a line feed inside quotes is text. */
function parseRecords(bytes: Uint8Array): RawRecord[] | null {
  const text = fromUtf8(bytes);
  if (text === null || !text.startsWith(AUDIT_HEADER)) return null;
  const records: RawRecord[] = [];
  let at = AUDIT_HEADER.length;
  while (at < text.length) {
    const fields: string[] = [];
    const start = at;
    let lastField = at;
    for (;;) {
      lastField = at;
      const field = readField(text, at);
      if (field === null) return null;
      fields.push(field.text);
      at = field.end + 1;
      if (text[field.end] === "\n") break;
    }
    if (fields.length !== AUDIT_COLUMNS.length + 1) return null;
    records.push({ fields, chained: utf8(text.slice(start, lastField - 1)) });
  }
  return records;
}

/** The field that begins at `at`; `end` is where its comma or line feed stands. */
function readField(text: string, at: number): { text: string; end: number } | null {
  if (text[at] !== '"') {
    let end = at;
    while (end < text.length && text[end] !== "," && text[end] !== "\n") {
      if (text[end] === '"') return null;
      end++;
    }
    return end < text.length ? { text: text.slice(at, end), end } : null;
  }
  let value = "";
  for (let from = at + 1; ; ) {
    const close = text.indexOf('"', from);
    if (close < 0) return null;
    value += text.slice(from, close);
    if (text[close + 1] === '"') {
      value += '"';
      from = close + 2;
      continue;
    }
    const end = close + 1;
    return text[end] === "," || text[end] === "\n" ? { text: value, end } : null;
  }
}
