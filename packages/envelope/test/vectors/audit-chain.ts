// Vectors for the audit log and its chain. Section 7 of the format document.

import { type JsonObject, seededBytes, seededPassphrase, seededSalt, type Vector } from "./vector.ts";
import { DEFAULT_ITERATIONS, hmac, keysFor } from "./writer.ts";

const COLUMNS =
  "ts,action,version_ts,gen,hostname,local_ip,os_user,git_email,vsync_version,runtime,meta,chain";

const passphrase = seededPassphrase("audit-chain");
const salt = seededSalt("audit-chain");

/** The eleven cells before `chain`, as they stand in the file. */
type Cells = readonly string[];

export function auditChain(): Vector[] {
  const log = chained(EVENTS);
  const [first = "", second = "", third = "", fourth = ""] = log;
  const changed = (row: string, from: string, to: string): string => row.replace(from, to);
  return [
    vector("empty", "A header and no row", []),
    vector("one-row", "The first row of a file continues nothing", log.slice(0, 1)),
    vector("four-rows", "Four rows", log),
    vector(
      "last-row-removed",
      "A row gone at the end leaves a chain that verifies: only a ledger knows better",
      log.slice(0, 3),
    ),
    vector(
      "unicode",
      "Cells outside ASCII",
      chained([cells({ hostname: "büro-プリンタ", git_email: "zoë@example.com" })]),
    ),
    vector(
      "quoted-cells",
      "Commas and quotes inside cells",
      chained([cells({ hostname: 'a "quoted", host' }), ...EVENTS]),
    ),
    vector(
      "line-feed-in-cell",
      "A line feed inside a quoted cell is text, and starts no row",
      chained([cells({ os_user: `dana\n${COLUMNS}` }), ...EVENTS]),
    ),
    vector(
      "formulas",
      "Cells that a spreadsheet would run, with their apostrophe",
      chained([
        cells({ hostname: "'=cmd|' /C calc'!A0", os_user: "'+1", git_email: "'@dana" }),
        cells({ hostname: "'-host" }),
      ]),
    ),
    vector("unknown-action", "An action of a later release", chained([cells({ action: "share-revoke" })])),
    vector(
      "new-file-after-closing",
      "The first row of a new file names the closed one",
      chained([
        cells({
          meta: `{"id":"${id("closing")}","prev":"audit/20260101-000000-0a1b2c3d.csv","prev_sha256":"${"0a1b2c3d".repeat(8)}"}`,
        }),
      ]),
    ),
    vector(
      "first-row-changed",
      "A cell of the first row changed",
      [changed(first, "build-7", "build-8"), second, third, fourth],
      1,
    ),
    vector(
      "middle-row-changed",
      "A cell of the third row changed",
      [first, second, changed(third, "restore", "push"), fourth],
      3,
    ),
    vector(
      "last-row-changed",
      "A cell of the last row changed",
      [first, second, third, changed(fourth, "dana", "eve")],
      4,
    ),
    vector("first-row-removed", "The first row is gone", log.slice(1), 1),
    vector("middle-row-removed", "The second row is gone", [first, third, fourth], 2),
    vector("rows-swapped", "Second and third row in the other order", [first, third, second, fourth], 2),
    vector("row-twice", "The second row twice", [first, second, second, third, fourth], 3),
    vector(
      "row-inserted",
      "A row by somebody without the passphrase",
      [first, second, forged(third), third, fourth],
      3,
    ),
    vector(
      "chain-changed",
      "One digit of a chain changed",
      [first, second.slice(0, -1) + (second.endsWith("0") ? "1" : "0"), third, fourth],
      2,
    ),
    vector(
      "chain-upper-case",
      "A chain in upper case",
      [first, second.replace(/[0-9a-f]{64}$/, (chain) => chain.toUpperCase()), third, fourth],
      2,
    ),
    vector(
      "chain-empty",
      "A row without a chain",
      [first, second.replace(/[0-9a-f]{64}$/, ""), third, fourth],
      2,
    ),
    vector(
      "quoting-changed",
      "A cell quoted anew: the chain covers raw bytes",
      [first, changed(second, "build-7", '"build-7"'), third, fourth],
      2,
    ),
    vector("other-passphrase", "Another passphrase", log, 1, { passphrase: seededPassphrase("other") }),
  ];
}

const EVENTS: readonly Cells[] = [
  cells({ action: "push", gen: "1" }),
  cells({ ts: "2026-02-14T10:00:00.123Z", action: "pull", gen: "1" }),
  cells({ ts: "2026-02-14T11:00:00.000Z", action: "restore", gen: "2" }),
  cells({ ts: "2026-02-15T08:15:59.999Z", action: "rotate", gen: "3" }),
];

function cells(changes: Readonly<Record<string, string>> = {}): Cells {
  const row = {
    ts: "2026-02-14T09:30:00.000Z",
    action: "push",
    version_ts: "20260214-093000",
    gen: "1",
    hostname: "build-7",
    local_ip: "192.0.2.7",
    os_user: "dana",
    git_email: "dana@example.com",
    vsync_version: "1.0.0",
    runtime: "node 20.20.2 linux-x64",
    meta: `{"id":"${id(JSON.stringify(changes))}"}`,
    ...changes,
  };
  return Object.values(row);
}

function id(name: string): string {
  return seededBytes(`audit-chain ${name}`, "id", 8).toString("hex");
}

function chained(rows: readonly Cells[]): string[] {
  const { chainKey } = keysFor(passphrase, salt, DEFAULT_ITERATIONS);
  let previous = "";
  return rows.map((row) => {
    const text = row.map(quote).join(",");
    previous = hmac(chainKey, `${previous}\n${text}`).toString("hex");
    return `${text},${previous}`;
  });
}

/** A row like another with a chain that somebody without the key made up. */
function forged(row: string): string {
  return `${row.slice(0, row.lastIndexOf(",")).replace("restore", "push")},${seededBytes("audit-chain forged", "chain", 32).toString("hex")}`;
}

function quote(cell: string): string {
  return /[",\r\n]/.test(cell) ? `"${cell.replaceAll('"', '""')}"` : cell;
}

function unquote(row: string): string[] {
  const fields = row.matchAll(/(?:^|,)(?:"((?:[^"]|"")*)"|([^",]*))/g);
  return [...fields].map(([, quoted, plain]) => quoted?.replaceAll('""', '"') ?? plain ?? "");
}

function vector(
  name: string,
  description: string,
  rows: readonly string[],
  firstBad?: number,
  inputs: JsonObject = {},
): Vector {
  const names = COLUMNS.split(",");
  return {
    category: "audit-chain",
    name,
    description,
    inputs: { passphrase, salt, ...inputs },
    expected: {
      error: null,
      rows: rows.map((row) => Object.fromEntries(unquote(row).map((cell, at) => [names[at], cell]))),
      ...(firstBad !== undefined && { first_bad_row: firstBad }),
    },
    bin: Buffer.from([COLUMNS, ...rows].map((line) => `${line}\n`).join("")),
  };
}
