// What is written down of a publish, as the next command reads it: docs/formats.md section 9.

import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { loadPending } from "../../src/vault/pending.ts";
import { watchDisk } from "./disk.ts";
import { faultyStore } from "./faulty-store.ts";
import { memoryStore } from "./memory-store.ts";
import { MANIFEST, makeWorld, manifestFaults, pushAs } from "./two-writers.ts";
import { failureOf, makeWriter, readAudit, readHistory, type Writer } from "./writer.ts";

type Fields = Readonly<Record<string, unknown>>;

/** Ann's process was killed as the manifest had gone out, `after` or before it arrived. */
async function makeCrashed(when: "before" | "after" = "before") {
  const world = await makeWorld();
  const faulty = manifestFaults(world.store, [`crash-${when}`]);
  await Promise.race([world.ann.restarted(faulty).push(), faulty.crashed]);
  return world;
}

function alterPending(writer: Writer, change: (fields: Fields) => unknown): void {
  const { pending } = writer.environment.local.paths;
  writeFileSync(pending, JSON.stringify(change(JSON.parse(readFileSync(pending, "utf8")))));
}

const withField = (name: string, value: unknown) => (fields: Fields) => ({ ...fields, [name]: value });
const withoutField = (name: string) => (fields: Fields) =>
  Object.fromEntries(Object.entries(fields).filter(([field]) => field !== name));

const FIELDS = [
  "operation",
  "timestamp",
  "generation",
  "writeId",
  "baseEtag",
  "previousTimestamp",
  "manifestMetadata",
  "synced",
  "audit",
];

describe("pending.json", () => {
  it.each<[string, (fields: Fields) => unknown]>([
    ["of another version", withField("version", 2)],
    ["that is no object", () => []],
    ...FIELDS.map((name) => [`without ${name}`, withoutField(name)] as [string, (fields: Fields) => unknown]),
    ...FIELDS.map(
      (name) =>
        [`whose ${name} is a number too low`, withField(name, -1)] as [string, (fields: Fields) => unknown],
    ),
    ["whose restored version is no text", withField("restores", 1)],
    ["whose metadata is not all text", withField("manifestMetadata", { gen: 2 })],
    ["whose audit row has no action", withField("audit", { meta: { id: "x" } })],
    ["whose audit row has no id", withField("audit", { action: "push", meta: {} })],
    [
      "whose audit row says something that is not text",
      withField("audit", { action: "push", meta: { id: 1 } }),
    ],
    ["whose audit row is no object", withField("audit", "push")],
  ])("%s stops the next command before it asks the bucket, and stays", async (_, change) => {
    const { store, ann } = await makeCrashed();
    alterPending(ann, change);
    const { pending, pendingBundle } = ann.environment.local.paths;
    const damaged = readFileSync(pending, "utf8");
    const faulty = faultyStore(store, () => null);
    expect(await failureOf(ann.restarted(faulty).push())).toMatchObject({
      code: "CORRUPT",
      message: expect.stringContaining(`${pending} is damaged`),
      hint: expect.stringMatching(/^mv .*pending\.json.* then pull/),
    });
    expect(faulty.requests).toEqual([]);
    expect(readFileSync(pending, "utf8")).toBe(damaged);
    expect(existsSync(pendingBundle)).toBe(true);
  });

  it("of a first publish, whose swap has no ETag to hold, is gone on with", async () => {
    const store = memoryStore();
    const ann = makeWriter({ store, clock: { nowMs: Date.UTC(2026, 4, 1) } });
    ann.edit({ ".env.demo": "A=1\n" });
    const faulty = manifestFaults(store, ["crash-before"]);
    await Promise.race([ann.restarted(faulty).push(), faulty.crashed]);
    expect(loadPending(ann.environment.local.paths)).toMatchObject({ baseEtag: null, previousTimestamp: "" });
    expect(await ann.restarted(store).push()).toMatchObject({ published: false, generation: 1 });
    expect(store.objects.has(MANIFEST)).toBe(true);
  });

  it("that cannot be written down leaves no bundle beside it either", async () => {
    const { ann } = await makeWorld();
    const { pending, pendingBundle } = ann.environment.local.paths;
    const full = Object.assign(new Error("ENOSPC"), { code: "ENOSPC", syscall: "open" });
    const pushed = watchDisk(
      ({ operation, path }) => {
        if (operation === "open" && path.includes("pending.json")) throw full;
      },
      () => ann.push(),
    );
    expect(await failureOf(pushed)).toBe(full);
    expect([existsSync(pending), existsSync(pendingBundle)]).toEqual([false, false]);
  });

  it("of a publish that owes no audit row is gone on with, and none is written", async () => {
    const { store, ann } = await makeWorld();
    const rows = await readAudit(store);
    const faulty = manifestFaults(store, ["crash-after"]);
    await Promise.race([ann.restarted(faulty).push({ audit: false }), faulty.crashed]);
    await ann.restarted(store).recover();
    expect(await readHistory(store)).toHaveLength(2);
    expect(await readAudit(store)).toEqual(rows);
  });
});

describe("what no vault folder had a part in", () => {
  it("has left nothing in the folder when it was not published", async () => {
    const { store, ann, bob } = await makeCrashed();
    alterPending(ann, withField("operation", "rotate"));
    await pushAs(bob, "first");
    const next = ann.restarted(store);
    await next.recover();
    expect(next.notes).toEqual(["an interrupted rotate (version 20260501-120100) was not published"]);
  });

  it("does not make the folder newer: what it would have published is missing after --recreate", async () => {
    const { store, ann } = await makeCrashed();
    alterPending(ann, withField("synced", null));
    store.objects.delete(MANIFEST);
    const next = ann.restarted(store);
    expect(await failureOf(next.push({ recreate: true }))).toMatchObject({
      code: "CONFLICT",
      message: expect.stringContaining("based on generation 1 of demo, and generation 2 was there"),
    });
    expect(await next.push({ recreate: true, force: true })).toMatchObject({ generation: 3 });
  });
});

describe("the bundle beside it", () => {
  const basesOf = (writer: Writer) => readdirSync(writer.environment.local.paths.bases);

  it("becomes the base when its publish turns out to have been committed", async () => {
    const { store, ann } = await makeCrashed("after");
    const sealed = readFileSync(ann.environment.local.paths.pendingBundle);
    await ann.restarted(store).recover();
    expect(basesOf(ann)).toEqual(["20260501-120100.rqe1"]);
    expect(readFileSync(join(ann.environment.local.paths.bases, "20260501-120100.rqe1"))).toEqual(sealed);
  });

  it("does not when it is not the one that was sealed: the base then comes from the bucket", async () => {
    const { store, ann } = await makeCrashed("after");
    const { paths } = ann.environment.local;
    const sealed = readFileSync(paths.pendingBundle);
    sealed[sealed.length - 1]! ^= 1;
    writeFileSync(paths.pendingBundle, sealed);
    const next = ann.restarted(store);
    await next.recover();
    expect(basesOf(ann)).toEqual([]);
    expect(loadPending(paths)).toBeNull();
    ann.edit({ ".env.demo": "A=3\n" });
    expect(await next.push()).toMatchObject({ generation: 3, changed: [".env.demo"] });
  });
});
