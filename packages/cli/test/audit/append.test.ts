// Rows of the audit log: docs/formats.md section 7.

import { AUDIT_COLUMNS, AUDIT_HEADER, encodeAuditRow, readAuditLog, sealManifest } from "@vsync/envelope";
import { type ObjectStore, StoreError } from "@vsync/store";
import { describe, expect, it } from "vitest";
import { type Actor, type Appended, appendAudit, SEGMENT_BYTES } from "../../src/audit/append.ts";
import { readSegments } from "../../src/audit/read-log.ts";
import { type Fault, faultyStore, READ_FAULTS, WRITE_FAULTS } from "../vault/faulty-store.ts";
import { type MemoryStore, memoryStore } from "../vault/memory-store.ts";
import { KEYS, OTHER_KEYS } from "../vault/writer.ts";

const LOG = "p/audit.csv";
const NOW = Date.UTC(2026, 4, 1, 12, 0, 0, 123);
const actor: Actor = {
  hostname: "host",
  localIp: "192.0.2.1",
  osUser: "ann",
  gitEmail: "=ann@example.org",
  vsyncVersion: "1.0.0",
  runtime: "node 20",
};

let ids = 0;
const nextId = () => (++ids).toString(16).padStart(16, "0");

function append(
  store: ObjectStore,
  {
    id = nextId(),
    meta = {},
    keys = KEYS,
    former,
    mayBeThere = false,
    singleWriter = false,
  }: {
    id?: string;
    meta?: Record<string, string>;
    keys?: typeof KEYS;
    former?: typeof KEYS;
    mayBeThere?: boolean;
    singleWriter?: boolean;
  } = {},
): Promise<Appended> {
  const event = { action: "push", versionTimestamp: "20260501-120000", generation: 7, meta: { ...meta, id } };
  const options = { now: () => NOW, pause: async () => undefined, mayBeThere };
  return appendAudit(
    { store, keys, prefix: "p/", singleWriter, ...(former && { former }) },
    event,
    actor,
    options,
  );
}

async function readLog(store: MemoryStore, keys = KEYS) {
  const log = await readAuditLog(keys, (await store.get(LOG))!.body);
  expect(log?.firstBadRow).toBeNull();
  return log!;
}

const metaOf = (row: { meta: string } | undefined) => JSON.parse(row!.meta);
const closedFiles = (store: MemoryStore) =>
  [...store.objects.keys()].filter((key) => key.startsWith("p/audit/"));

/** The keys in force are those that the manifest is sealed with. */
async function putManifest(store: MemoryStore, keys = KEYS): Promise<void> {
  const fields = {
    timestamp: "20260501-120000",
    generation: 7,
    sha256: "0".repeat(64),
    writeId: "0".repeat(32),
  };
  const { body, metadata } = await sealManifest(keys, "p/", fields);
  await store.put("p/manifest", body, { metadata });
}

/** A log that is past its limit, by one row. */
async function fillLog(store: MemoryStore): Promise<void> {
  const row = Object.fromEntries(
    AUDIT_COLUMNS.map((column) => [column, column === "meta" ? "{}" : "x".repeat(60_000)]),
  );
  row.ts = "2026-04-30T23:59:58.000Z";
  const { line } = await encodeAuditRow(KEYS, row as never, "");
  await store.put(LOG, Buffer.concat([Buffer.from(AUDIT_HEADER), line]));
  expect(store.objects.get(LOG)!.body.length).toBeGreaterThan(SEGMENT_BYTES);
}

describe("a row", () => {
  it("is one line behind the header, chained, with all that identifies the deed", async () => {
    const store = memoryStore();
    const { chain, warnings } = await append(store, {
      id: "00000000000000aa",
      meta: { note: 'a "quoted", note' },
    });
    expect(warnings).toEqual([]);
    const text = Buffer.from((await store.get(LOG))!.body).toString();
    expect(text).toBe(
      `${AUDIT_HEADER}2026-05-01T12:00:00.123Z,push,20260501-120000,7,host,192.0.2.1,ann,'=ann@example.org,1.0.0,node 20,` +
        `"{""note"":""a \\""quoted\\"", note"",""id"":""00000000000000aa""}",${chain}\n`,
    );
    const second = await append(store);
    expect((await readLog(store)).lastChain).toBe(second.chain);
    expect((await readLog(store)).rows).toHaveLength(2);
  });

  it("with too large a meta keeps its id, and a warning says so", async () => {
    const store = memoryStore();
    const { chain, warnings } = await append(store, {
      id: "00000000000000bb",
      meta: { note: "x".repeat(3000) },
    });
    expect(chain).not.toBeNull();
    expect(warnings).toEqual([expect.stringContaining("2 KiB")]);
    expect(metaOf((await readLog(store)).rows[0])).toEqual({ id: "00000000000000bb", _truncated: true });
  });
});

describe("appending", () => {
  it("loses no row when several write at once", async () => {
    const store = memoryStore();
    // Each request waits for the others, so that every round has one winner.
    const slow = faultyStore(store, () => new Promise((resolve) => setImmediate(() => resolve(null))));
    const done = await Promise.all(Array.from({ length: 5 }, () => append(slow)));
    expect(done.every(({ chain }) => chain !== null)).toBe(true);
    expect((await readLog(store)).rows).toHaveLength(5);
  });

  it("tries eight times, then warns with the row to paste", async () => {
    const store = memoryStore();
    await append(store);
    const rival = faultyStore(store, async ({ operation }) => {
      if (operation.startsWith("put")) await append(store);
      return null;
    });
    const { chain, warnings } = await append(rival, { id: "00000000000000cc" });
    expect(chain).toBeNull();
    expect(rival.requests.filter(({ operation }) => operation === "putIfMatch")).toHaveLength(8);
    expect(warnings).toEqual([
      expect.stringMatching(/no audit row.*2026-05-01T12:00:00\.123Z,push,.*00000000000000cc/),
    ]);
  });

  it.each([...new Set([...WRITE_FAULTS, ...READ_FAULTS])].filter((it) => !it.startsWith("crash")))(
    "writes a row once or says that it did not: %s at each request",
    async (fault: Fault) => {
      for (const index of [0, 1]) {
        for (const before of [0, 1]) {
          const store = memoryStore();
          if (before) await append(store);
          const faulty = faultyStore(store, (request) =>
            request.index !== index
              ? null
              : request.operation === "get" && !READ_FAULTS.includes(fault)
                ? "unavailable"
                : fault,
          );
          const { chain, warnings } = await append(faulty);
          const rows = store.objects.has(LOG) ? (await readLog(store)).rows.length : 0;
          expect(rows).toBe(before + (chain === null ? 0 : 1));
          // A key that may not write the log is a policy, and no warning.
          expect(warnings).toHaveLength(chain === null && fault !== "refused" ? 1 : 0);
        }
      }
    },
  );

  it("finds a row that an earlier process wrote, in the file or in the one closed since", async () => {
    const store = memoryStore();
    const id = nextId();
    const { chain } = await append(store, { id });
    expect(await append(store, { id, mayBeThere: true })).toEqual({ chain, warnings: [] });
    await putManifest(store, OTHER_KEYS);
    await append(store, { keys: OTHER_KEYS });
    expect(closedFiles(store)).toHaveLength(1);
    await append(store, { id, keys: OTHER_KEYS, mayBeThere: true });
    expect((await readLog(store, OTHER_KEYS)).rows).toHaveLength(1);
  });

  it("remembers no chain where the row is there, but the log's end is another key's", async () => {
    const store = memoryStore();
    const id = nextId();
    await append(store, { id });
    expect(await append(store, { id, keys: OTHER_KEYS, mayBeThere: true })).toEqual({
      chain: null,
      warnings: [],
    });
  });

  it("uses no conditions where the server has none", async () => {
    const store = memoryStore();
    const refuse = async (): Promise<never> => {
      throw new StoreError("NOT_SUPPORTED", "501", { hint: "", status: 501 });
    };
    const b2 = { ...store, putIfAbsent: refuse, putIfMatch: refuse };
    for (let n = 0; n < 3; n++) expect((await append(b2, { singleWriter: true })).warnings).toEqual([]);
    expect((await readLog(store)).rows).toHaveLength(3);
    expect((await append(b2)).warnings).toHaveLength(1);
  });

  it("does not hold a log of a gigabyte in memory", async () => {
    const store = memoryStore();
    await store.put(LOG, new Uint8Array(65 * 1024 * 1024));
    expect((await append(store)).warnings).toEqual([expect.stringContaining("too large")]);
  });
});

describe("closing a file", () => {
  it("happens past 512 KiB: a copy named after first row and digest, and a new file that names it", async () => {
    const store = memoryStore();
    await fillLog(store);
    const full = (await store.get(LOG))!.body;
    await append(store);
    const [closed] = closedFiles(store) as [string];
    expect(closed).toMatch(/^p\/audit\/20260430-235958-[0-9a-f]{8}\.csv$/);
    expect(Buffer.compare((await store.get(closed))!.body, full)).toBe(0);
    const { rows } = await readLog(store);
    const { prev, prev_sha256: digest, prev_chain: broken } = metaOf(rows[0]);
    expect(rows).toHaveLength(1);
    expect(`p/${prev}`).toBe(closed);
    expect(digest.slice(0, 8)).toBe(closed.slice(-12, -4));
    expect(broken).toBeUndefined();
  });

  it("is the same for two who do it at once", async () => {
    const store = memoryStore();
    await fillLog(store);
    const slow = faultyStore(store, () => new Promise((resolve) => setImmediate(() => resolve(null))));
    await Promise.all([append(slow), append(slow), append(slow)]);
    expect(closedFiles(store)).toHaveLength(1);
    expect((await readLog(store)).rows).toHaveLength(3);
  });

  it("does not happen over another file of that name: a warning says so", async () => {
    const store = memoryStore();
    await fillLog(store);
    const full = store.objects.get(LOG);
    const copy = store.copy();
    await append(copy);
    const [closed] = closedFiles(copy) as [string];
    await store.put(closed, Buffer.from("something else"));
    const { chain, warnings } = await append(store);
    expect(chain).toBeNull();
    expect(warnings).toEqual([expect.stringContaining("holds something else")]);
    expect(store.objects.get(LOG)).toBe(full);
  });

  it.each([
    ["whose last row was changed", (text: string) => text.replace("push,20260501", "pull,20260501")],
    ["with a foreign header", (text: string) => text.replace("hostname", "host")],
    ["that is cut", (text: string) => text.slice(0, -10)],
    ["of something else", () => "<html></html>"],
    ["that somebody has filled", (text: string) => text + "x".repeat(5 * 1024 * 1024)],
    ["from a year of five digits", (text: string) => text.replace(/^2026/m, "+010000")],
    ["from before all time", (text: string) => text.replace(/^2026/m, "-000001")],
  ])("%s starts a new one that says so", async (_, damage) => {
    const store = memoryStore();
    await append(store);
    await putManifest(store);
    const before = damage(Buffer.from((await store.get(LOG))!.body).toString());
    await store.put(LOG, Buffer.from(before));
    const { chain } = await append(store);
    expect(chain).not.toBeNull();
    const [closed] = closedFiles(store) as [string];
    expect(closed).toMatch(/^p\/audit\/\d{8}-\d{6}-[0-9a-f]{8}\.csv$/);
    expect(Buffer.from((await store.get(closed))!.body).toString()).toBe(before);
    const { rows } = await readLog(store);
    expect(metaOf(rows[0])).toMatchObject({ prev_chain: "unverified", prev: closed.slice(2) });
  });

  it.each([
    ["is sealed with another one", (store: MemoryStore) => putManifest(store, OTHER_KEYS)],
    ["is not there", async () => undefined],
  ])("whose last chain is another key's is left alone while the manifest %s", async (_, prepare) => {
    const store = memoryStore();
    await append(store, { keys: OTHER_KEYS });
    await prepare(store);
    const before = new Map(store.objects);
    const { chain, warnings } = await append(store, { id: "00000000000000bb" });
    expect(chain).toBeNull();
    expect(warnings).toEqual([expect.stringMatching(/no audit row was written .*,push,.*00000000000000bb/)]);
    expect(store.objects).toEqual(before);
  });

  it("that somebody had filled is told by who reads the log, behind all that can be read", async () => {
    const store = memoryStore();
    await append(store);
    await putManifest(store);
    const { body } = (await store.get(LOG))!;
    await store.put(LOG, Buffer.concat([body, Buffer.alloc(5 * 1024 * 1024, "x")]));
    await append(store);
    const segments = readSegments({ store, keys: KEYS, prefix: "p/", singleWriter: false });
    expect(await segments.next()).toMatchObject({ value: { name: "audit.csv" } });
    expect(await segments.next()).toEqual({
      done: true,
      value: expect.stringMatching(/^audit\/.*is larger than any log/),
    });
  });

  it("keeps the link to the closed file even when the row's meta is too large for both", async () => {
    const store = memoryStore();
    await fillLog(store);
    await append(store, { meta: { note: "x".repeat(2000) } });
    expect(metaOf((await readLog(store)).rows[0])).toMatchObject({
      prev: expect.any(String),
      _truncated: true,
    });
  });

  it("at a rotation is no break: the old file ends under the former keys", async () => {
    const store = memoryStore();
    await append(store);
    await append(store, { keys: OTHER_KEYS, former: KEYS });
    const [row] = (await readLog(store, OTHER_KEYS)).rows;
    expect(metaOf(row)).toMatchObject({ prev: expect.any(String) });
    expect(metaOf(row).prev_chain).toBeUndefined();
  });
});
