import { beforeAll, expect, test } from "vitest";
import {
  AUDIT_HEADER,
  type AuditRow,
  encodeAuditMeta,
  encodeAuditRow,
  readAuditLog,
  readLastChain,
} from "../src/audit-csv.ts";
import { concat, utf8 } from "../src/encoding.ts";
import { expandKeys, type VaultKeys } from "../src/key.ts";

const row = (change: Partial<AuditRow>): AuditRow => ({
  ts: "2026-06-01T12:00:00.000Z",
  action: "push",
  version_ts: "20260601-120000",
  gen: "1",
  hostname: "laptop",
  local_ip: "10.0.0.1",
  os_user: "alice",
  git_email: "alice@example.com",
  vsync_version: "0.9.0",
  runtime: "node v20",
  meta: '{"id":"0011223344556677"}',
  ...change,
});
let keys: VaultKeys;

beforeAll(async () => {
  keys = await expandKeys(new Uint8Array(32).fill(1));
});

async function logOf(rows: readonly AuditRow[]): Promise<Uint8Array> {
  const lines = [utf8(AUDIT_HEADER)];
  let chain = "";
  for (const each of rows) {
    const encoded = await encodeAuditRow(keys, each, chain);
    lines.push(encoded.line);
    chain = encoded.chain;
  }
  return concat(lines);
}

test("rows come back, also those that try to forge others", async () => {
  const rows = [
    row({}),
    row({ hostname: 'evil"\n2026,push' }),
    row({ os_user: "a,b" }),
    row({ git_email: "a\r\nb" }),
  ];
  const log = await readAuditLog(keys, await logOf(rows));
  expect(log?.rows).toEqual(rows);
  expect(log?.firstBadRow).toBeNull();
});

test("text that a spreadsheet would run is disarmed", async () => {
  for (const start of ["=", "+", "-", "@", "\t", "\r"]) {
    const log = await readAuditLog(keys, await logOf([row({ hostname: `${start}cmd()` })]));
    expect(log?.rows[0]?.hostname).toBe(`'${start}cmd()`);
  }
});

test("a row changed, taken out, moved or put in is found where it stands", async () => {
  const rows = ["1", "2", "3", "4"].map((gen) => row({ gen }));
  const lines = Buffer.from(await logOf(rows))
    .toString()
    .split("\n");
  const judge = async (edited: string[]) => (await readAuditLog(keys, utf8(edited.join("\n"))))?.firstBadRow;
  expect(await judge(lines)).toBeNull();
  expect(await judge(lines.with(2, lines[2]!.replace("alice", "mallory")))).toBe(1);
  expect(await judge(lines.toSpliced(2, 1))).toBe(1);
  expect(await judge([lines[0]!, lines[2]!, lines[1]!, ...lines.slice(3)])).toBe(0);
  expect(await judge(lines.toSpliced(3, 0, lines[3]!))).toBe(3);
  expect(
    await judge(
      lines.with(
        1,
        lines[1]!.replace(/[0-9a-f]{64}$/, (hex) => hex.toUpperCase()),
      ),
    ),
  ).toBe(0);
});

test("what is no audit log is told apart from an empty one", async () => {
  expect(await readLastChain(keys, utf8(AUDIT_HEADER))).toBe("");
  for (const text of [
    "",
    "ts,action\n",
    `${AUDIT_HEADER}one,two\n`,
    `${AUDIT_HEADER}a"b`,
    AUDIT_HEADER.slice(0, -1),
    `${AUDIT_HEADER}"open`,
    // Twelve fields each, but for what is wrong with one of them.
    `${AUDIT_HEADER}a"b,,,,,,,,,,,\n`,
    `${AUDIT_HEADER}"a"b,,,,,,,,,,,\n`,
    `${AUDIT_HEADER}"a"\tb,,,,,,,,,,,\n`,
    `${AUDIT_HEADER},,,,,,,,,,,"never closed\n`,
    `${AUDIT_HEADER},,,,,,,,,,,"no line feed"`,
  ]) {
    expect(await readAuditLog(keys, utf8(text)), text).toBeNull();
    expect(await readLastChain(keys, utf8(text))).toBeNull();
  }
  expect(await readAuditLog(keys, concat([utf8(AUDIT_HEADER), Uint8Array.of(0xff)]))).toBeNull();
  const log = await logOf([row({}), row({ gen: "2" }), row({ gen: "3" })]);
  expect(await readLastChain(keys, log)).toBe((await readAuditLog(keys, log))?.lastChain);
  const cut = log.subarray(0, -1);
  expect(await readLastChain(keys, cut)).toBeNull();
  expect(await readLastChain(await expandKeys(new Uint8Array(32)), log)).toBeNull();
});

test("cells are quoted when they have to be, and no others are", async () => {
  const cells = { hostname: 'a"b', os_user: "a,b", git_email: "two\nlines", runtime: "\r", meta: "plain" };
  const { line } = await encodeAuditRow(keys, row(cells), "");
  expect(Buffer.from(line).toString()).toMatch(
    /^2026-06-01T12:00:00\.000Z,push,20260601-120000,1,"a""b",10\.0\.0\.1,"a,b","two\nlines",0\.9\.0,"'\r",plain,[0-9a-f]{64}\n$/,
  );
});

test("meta of exactly 2 KiB is kept, and what is too large without an id gets none", () => {
  const empty = encodeAuditMeta({ note: "" }).text.length;
  expect(encodeAuditMeta({ note: "x".repeat(2048 - empty) }).truncated).toBe(false);
  expect(encodeAuditMeta({ note: "x".repeat(2049 - empty) }).text).toBe('{"_truncated":true}');
});

test("meta beyond 2 KiB is cut down to its id and a note", () => {
  expect(encodeAuditMeta({ id: "00", note: "x" })).toEqual({
    text: '{"id":"00","note":"x"}',
    truncated: false,
  });
  expect(encodeAuditMeta({ id: "00", note: "é".repeat(1100) })).toEqual({
    text: '{"id":"00","_truncated":true}',
    truncated: true,
  });
});
