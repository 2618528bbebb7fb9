// What `audit --verify` makes of closed files that no row names: docs/formats.md section 7.

import { createHash } from "node:crypto";
import { sealManifest } from "@vsync/envelope";
import type { ObjectStore } from "@vsync/store";
import { expect, test } from "vitest";
import { appendAudit } from "../../src/audit/append.ts";
import { isEarlierState, readSegments, type Segment } from "../../src/audit/read-log.ts";
import { judgeLog } from "../../src/audit/verify.ts";
import { faultyStore } from "../vault/faulty-store.ts";
import { type MemoryStore, memoryStore } from "../vault/memory-store.ts";
import { KEYS, OTHER_KEYS } from "../vault/writer.ts";

const NOW = Date.UTC(2026, 4, 1, 12);
const VERSION = "20260501-120000";
const actor = { hostname: "h", localIp: "", osUser: "u", gitEmail: "", vsyncVersion: "1", runtime: "node" };
let ids = 0;

async function append(store: ObjectStore, keys = KEYS, former?: typeof KEYS): Promise<void> {
  const id = (++ids).toString(16).padStart(16, "0");
  const remote = { store, keys, prefix: "p/", singleWriter: false, ...(former && { former }) };
  const event = { action: "push", versionTimestamp: VERSION, generation: 7, meta: { id } };
  const { warnings } = await appendAudit(remote, event, actor, {
    now: () => NOW,
    pause: async () => undefined,
  });
  expect(warnings).toEqual([]);
}

async function putManifest(store: MemoryStore, keys: typeof KEYS): Promise<void> {
  const { body, metadata } = await sealManifest(keys, "p/", {
    timestamp: VERSION,
    generation: 7,
    sha256: "0".repeat(64),
    writeId: "0".repeat(32),
  });
  await store.put("p/manifest", body, { metadata });
}

/** A rotator had copied the log when a teammate, who did not know yet, added a row: the longer log was closed. */
async function makeRace(): Promise<{ store: MemoryStore; copy: string; closed: string }> {
  const store = memoryStore();
  await append(store);
  await append(store);
  await putManifest(store, OTHER_KEYS);
  let isFirst = true;
  const racing = faultyStore(store, async ({ operation }) => {
    if (operation === "putIfMatch" && isFirst) {
      isFirst = false;
      await append(store);
    }
    return null;
  });
  await append(racing, OTHER_KEYS, KEYS);
  const [copy, closed] = [...store.objects.keys()].filter((key) => key.startsWith("p/audit/"));
  return { store, copy: copy!.slice(2), closed: closed!.slice(2) };
}

const remoteOf = (store: MemoryStore, keys = OTHER_KEYS) => ({
  store,
  keys,
  prefix: "p/",
  singleWriter: false,
});

async function segmentsOf(store: MemoryStore, keys = OTHER_KEYS): Promise<Segment[]> {
  const segments: Segment[] = [];
  for await (const segment of readSegments(remoteOf(store, keys))) segments.push(segment);
  return segments;
}

async function addClosed(store: MemoryStore, body: Uint8Array): Promise<string> {
  const name = `audit/20260501-120000-${createHash("sha256").update(body).digest("hex").slice(0, 8)}.csv`;
  await store.put(`p/${name}`, body);
  return name;
}

test("a copy from before another row came is an earlier state of the file that was closed", async () => {
  const { store, copy, closed } = await makeRace();
  const segments = await segmentsOf(store);
  expect(segments.map(({ name }) => name)).toEqual(["audit.csv", closed]);
  expect(await isEarlierState(remoteOf(store), copy, segments)).toBe(true);
});

test("what has another row, even under the same chain, or another name, is none", async () => {
  const { store, copy } = await makeRace();
  const segments = await segmentsOf(store);
  const bytes = store.objects.get(`p/${copy}`)!.body;
  const text = Buffer.from(bytes).toString();
  const forged = await addClosed(store, Buffer.from(text.replace(",u,", ",v,")));
  const more = await addClosed(store, Buffer.from(`${text}${text.split("\n")[1]}\n`));
  await store.put("p/audit/20200101-000000-00000000.csv", bytes);
  await store.put("p/audit/notes.txt", bytes);
  for (const name of [forged, more, "audit/20200101-000000-00000000.csv", "audit/notes.txt"]) {
    expect(await isEarlierState(remoteOf(store), name, segments), name).toBe(false);
  }
});

test("what a log that was put back is equal to is none: rows came after it", async () => {
  const { store, closed } = await makeRace();
  await store.put("p/audit.csv", store.objects.get(`p/${closed}`)!.body);
  expect(await isEarlierState(remoteOf(store), closed, await segmentsOf(store))).toBe(false);
});

test("what grew by no row of a holder of the passphrase is none, closed since or not", async () => {
  const store = memoryStore();
  await putManifest(store, KEYS);
  await append(store);
  const copy = await addClosed(store, store.objects.get("p/audit.csv")!.body);
  const junk = Buffer.from("2026-05-01T12:00:00.000Z,push,,7,h,,u,,1,node,{},00\n");
  await store.put("p/audit.csv", Buffer.concat([store.objects.get(`p/${copy}`)!.body, junk]));
  for (const length of [1, 2]) {
    const segments = await segmentsOf(store, KEYS);
    expect(segments).toHaveLength(length);
    expect(await isEarlierState(remoteOf(store, KEYS), copy, segments)).toBe(false);
    await append(store);
  }
});

test("a file too large for a log is none", async () => {
  const { store } = await makeRace();
  const name = await addClosed(store, new Uint8Array(5 * 1024 * 1024));
  expect(await isEarlierState(remoteOf(store), name, await segmentsOf(store))).toBe(false);
});

test("a closed file that cannot be read is not called one that no row names, though a row names it", async () => {
  const store = memoryStore();
  await putManifest(store, KEYS);
  await append(store);
  const { body } = store.objects.get("p/audit.csv")!;
  await store.put("p/audit.csv", Buffer.concat([body, Buffer.alloc(5 * 1024 * 1024, "x\n")]));
  await append(store);
  const stored = [...store.objects.keys()]
    .filter((key) => key.startsWith("p/audit/"))
    .map((key) => key.slice(2));
  expect(stored).toHaveLength(1);
  const segments = await segmentsOf(store, KEYS);
  const evidence = { segments, ended: "too large", versions: [], rememberedChain: null, chains: new Set("") };
  const older = "audit/20200101-000000-00000000.csv";
  expect(judgeLog({ ...evidence, stored: [...stored, older] })).toEqual([
    { file: null, row: null, problem: "too large" },
    { file: older, row: null, problem: "is a closed file that no row names, as far as the log can be read" },
  ]);
});
