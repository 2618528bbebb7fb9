// The audit log: read, verified against what it is part of, and appended to without losing a byte.

import { createHmac } from "node:crypto";
import { AUDIT_HEADER, encodeAuditRow, readAuditLog, readLastChain, sealManifest } from "@vsync/envelope";
import fc from "fast-check";
import { appendAudit } from "../../../src/audit/append.ts";
import { findPublisher } from "../../../src/audit/publisher.ts";
import { readSegments, type Segment } from "../../../src/audit/read-log.ts";
import { judgeLog } from "../../../src/audit/verify.ts";
import { describeAudit } from "../../../src/commands/audit.ts";
import { memoryStore } from "../../vault/memory-store.ts";
import { vectorBytes } from "../corpus.ts";
import { KEYS } from "../sealing.ts";
import { bytes, must, same, type Target, text } from "../target.ts";

const NOW = Date.UTC(2026, 4, 1, 12);
const ID = "00112233445566aa";
const VERSION = "20260102-030405";
const EVENT = { action: "push", versionTimestamp: VERSION, generation: 7, meta: { id: ID } };
const ACTOR = { hostname: "h", localIp: "", osUser: "u", gitEmail: "", vsyncVersion: "1", runtime: "node" };
const MANIFEST = await sealManifest(KEYS, "p/", {
  timestamp: VERSION,
  generation: 7,
  sha256: "0".repeat(64),
  writeId: "0".repeat(32),
});

/** Lines without their chain. */
const rows = vectorBytes("audit-chain").map((file) =>
  bytes(
    text(file)
      .split("\n")
      .slice(1, -1)
      .map((line) => line.replace(/,[^,]*$/, ""))
      .join("\n"),
  ),
);

const cell = fc.oneof(
  fc.constantFrom(
    "",
    "push",
    "2026-05-01T12:00:00.000Z",
    "+275760-09-13T00:00:00.000Z",
    VERSION,
    "7",
    '"a,b"',
    '"a""b"',
    '"two\nlines"',
    "'=x",
    "=x",
    "\u202e",
  ),
  fc.constantFrom(
    '"{""id"":""00""}"',
    '"{""prev"":""audit/20260101-000000-01234567.csv""}"',
    '"{""prev"":""audit.csv""}"',
    '"[]"',
    '"null"',
    '"{""a"":{""toString"":1}}"',
    `"{""a"":${"[".repeat(9000)}${"]".repeat(9000)}}"`,
  ),
);
const made = fc
  .array(
    fc.array(cell, { minLength: 10, maxLength: 12 }).map((cells) => cells.join(",")),
    { maxLength: 6 },
  )
  .map((lines) => bytes(lines.join("\n")));

/** Gives each line its chain, as a holder of the passphrase could to whatever they write. */
function chained(lines: Uint8Array): Uint8Array {
  let previous = "";
  const log = text(lines)
    .split("\n")
    .map((line) => {
      previous = createHmac("sha256", KEYS.chainKey).update(`${previous}\n${line}`).digest("hex");
      return `${line},${previous}\n`;
    });
  return bytes(AUDIT_HEADER + log.join(""));
}

async function readWhole(
  store: ReturnType<typeof memoryStore>,
): Promise<{ segments: Segment[]; ended: string | null }> {
  const segments: Segment[] = [];
  const reading = readSegments({ store, keys: KEYS, prefix: "p/", singleWriter: false });
  for (;;) {
    const step = await reading.next();
    if (step.done) return { segments, ended: step.value };
    segments.push(step.value);
  }
}

export const AUDIT: readonly Target[] = [
  {
    name: "audit log",
    inputs: {
      inner: rows,
      made,
      wraps: [chained],
      outer: vectorBytes("audit-chain"),
      words: [
        ",",
        "\n",
        '"',
        '""',
        '"\n"',
        "=",
        "'",
        "\r\n",
        "push",
        '"{""prev"":""audit/',
        AUDIT_HEADER,
        "0000",
        "9999-12-31",
      ],
      maxBytes: 32 * 1024,
    },
    async feed(input) {
      const log = await readAuditLog(KEYS, input);
      const lastChain = await readLastChain(KEYS, input);
      if (log === null) must(lastChain === null, "a file that is no log has a last chain");
      else if (log.firstBadRow === null) must(lastChain === log.lastChain, "two last chains");

      const store = memoryStore();
      await store.put("p/manifest", MANIFEST.body, { metadata: MANIFEST.metadata });
      await store.put("p/audit.csv", input);
      const { segments, ended } = await readWhole(store);
      const chains = new Set(segments.flatMap((segment) => segment.log.chains));
      const findings = judgeLog({ segments, ended, stored: [], versions: [], rememberedChain: null, chains });
      must(
        (findings.length === 0) === (log !== null && log.firstBadRow === null && ended === null),
        "verify misses a break, or sees one",
      );
      const shown = segments.flatMap((segment) => [...segment.log.rows]);
      describeAudit({
        enabled: true,
        env: "prod",
        rows: shown,
        more: false,
        ended,
        findings: null,
        csv: null,
      });
      await findPublisher({ store, keys: KEYS, prefix: "p/" }, VERSION);

      const options = { now: () => NOW, pause: async () => undefined };
      const { chain, warnings } = await appendAudit(
        { store, keys: KEYS, prefix: "p/", singleWriter: false },
        EVENT,
        ACTOR,
        options,
      );
      must(chain !== null && warnings.length === 0, `the row was not written: ${warnings.join()}`);
      const after = (await store.get("p/audit.csv"))?.body as Uint8Array;
      must(
        (await readLastChain(KEYS, after)) === chain && text(after).includes(ID),
        "the row does not end the log",
      );
      const bodies = [...store.objects.values()].map(({ body }) => body);
      const kept = bodies.some(
        (body) => body.length >= input.length && same(body.subarray(0, input.length), input),
      );
      must(kept, "what was in the log is lost");
      const whole = await readWhole(store);
      const continued = same(after.subarray(0, input.length), input);
      must(continued || whole.segments.length > 1 || whole.ended !== null, "the closed file is not found");
      return log === null
        ? "no log"
        : `${Math.min(log.rows.length, 3)} rows, ${log.firstBadRow === null ? "whole" : "broken"}`;
    },
  },
  {
    name: "audit row",
    inputs: {
      inner: ["plain", "=1+1", "'x", 'a"b', "a,b", "two\nlines", "\r", "\u2028"].map(bytes),
      made: fc.string({ unit: "binary", maxLength: 80 }).map(bytes),
      words: ['"', ",", "\n", "\r\n", "=", "+", "-", "@", "\t", "'"],
      maxBytes: 4096,
    },
    async feed(input) {
      const value = text(input);
      const row = {
        ts: value,
        action: "push",
        version_ts: "",
        gen: "1",
        hostname: value,
        local_ip: "",
        os_user: value,
        git_email: value,
        vsync_version: "",
        runtime: "",
        meta: value,
      };
      const { line } = await encodeAuditRow(KEYS, row, "");
      const log = await readAuditLog(KEYS, Buffer.concat([bytes(AUDIT_HEADER), line]));
      must(log?.rows.length === 1 && log.firstBadRow === null, "one row makes none or several");
      const [read] = log.rows;
      // A spreadsheet must not run it; but for that one mark it comes back.
      must(
        [value, `'${value}`].includes(read?.meta ?? "") && !/^[=+\-@\t\r]/.test(read?.meta ?? ""),
        "another value comes back",
      );
      return read?.meta === value ? "as it was" : "disarmed";
    },
  },
];
