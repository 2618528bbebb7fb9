// What a writer believes of the manifest it finds: docs/formats.md section 6.

import { openBundle, sealGrace, sealManifest } from "@vsync/envelope";
import { describe, expect, it } from "vitest";
import { toCliError } from "../../src/cli-error.ts";
import { requireCommitted } from "../../src/vault/commit.ts";
import { loadLedger } from "../../src/vault/ledger.ts";
import { publish } from "../../src/vault/publish.ts";
import { readCurrentVersion } from "../../src/vault/remote.ts";
import { faultyStore } from "./faulty-store.ts";
import { type MemoryStore, memoryStore } from "./memory-store.ts";
import { failureOf, KEYS, makeWriter, OTHER_KEYS, PREFIX, readHistory, type Writer } from "./writer.ts";

const MANIFEST = `${PREFIX}manifest`;
const START = Date.UTC(2026, 4, 1, 12);

interface World {
  readonly store: MemoryStore;
  readonly clock: { nowMs: number };
  readonly ann: Writer;
}

/** Ann has published generations 1 and 2 and has an edit to publish. */
async function makeWorld(): Promise<World> {
  const store = memoryStore();
  const clock = { nowMs: START };
  const ann = makeWriter({ store, clock });
  for (const text of ["A=1\n", "A=2\n"]) {
    ann.edit({ ".env.demo": text });
    await ann.push();
    clock.nowMs += 60_000;
  }
  ann.edit({ ".env.demo": "A=3\n" });
  return { store, clock, ann };
}

/** The code that both push and pull --force end in; neither has touched bucket or folder. */
async function refusalOf(writer: Writer, store: MemoryStore): Promise<string> {
  const objects = new Map(store.objects);
  const vault = writer.vault();
  const codes: string[] = [];
  for (const command of [writer.push(), writer.push({ force: true }), writer.pull({ force: true })]) {
    codes.push(toCliError(await failureOf(command)).code);
  }
  objects.delete(`${PREFIX}audit.csv`);
  for (const [key, kept] of objects) expect(store.objects.get(key)).toBe(kept);
  expect(writer.vault()).toEqual(vault);
  expect(new Set(codes).size).toBe(1);
  return codes[0] as string;
}

function alterManifest(store: MemoryStore, metadata: Record<string, string | undefined>): void {
  const kept = store.objects.get(MANIFEST)!;
  const entries = Object.entries({ ...kept.metadata, ...metadata }).filter(
    ([, value]) => value !== undefined,
  );
  store.objects.set(MANIFEST, { ...kept, metadata: Object.fromEntries(entries) as Record<string, string> });
}

/** Publishes the same files under other keys, as rotate-passphrase does. */
async function rotate(world: World, untilMs: number | null): Promise<void> {
  const { remote, local } = world.ann.environment;
  const trust = { sealRequired: true, highest: null, minGen: 0, acceptRollback: false };
  const current = (await readCurrentVersion(remote, trust, local.now()))!;
  const bundle = world.store.objects.get(`${PREFIX}v=${current.timestamp}`)!;
  const { timestamp, generation } = current;
  const files = await openBundle(KEYS, bundle.body, { timestamp, sealed: true });
  const until =
    untilMs === null
      ? null
      : new Date(untilMs)
          .toISOString()
          .replace(/[-:]|\.\d+Z/g, "")
          .replace("T", "-");
  const grace =
    until === null
      ? undefined
      : await sealGrace(KEYS, PREFIX, { timestamp, generation, sha256: current.seal!.sha256, until });
  const outcome = await publish({ ...remote, keys: OTHER_KEYS }, makeWriter({ ...world }).environment.local, {
    operation: "rotate",
    files,
    replaces: current,
    rotation: { rotatedAt: "2026-05-01T12:02:00Z", ...(grace !== undefined && { grace }) },
    packed: null,
    audit: null,
  });
  await requireCommitted(remote, outcome);
}

describe("a manifest under another passphrase", () => {
  it("is left alone by every command, --force included, and nothing is decrypted", async () => {
    const world = await makeWorld();
    await rotate(world, null);
    const faulty = faultyStore(world.store, () => null);
    const ann = world.ann.restarted(faulty);
    expect(await refusalOf(ann, world.store)).toBe("WRONG_PASSPHRASE");
    expect(faulty.requests.filter(({ key }) => key.includes("v="))).toEqual([]);
    const { message, hint } = toCliError(await failureOf(ann.push()));
    expect(message).toContain("rotated at 2026-05-01T12:02:00Z");
    expect(hint).toContain("vsync share import");
  });

  it("is so for a writer even while readers have grace", async () => {
    const world = await makeWorld();
    await rotate(world, START + 3600_000);
    expect(await refusalOf(world.ann, world.store)).toBe("WRONG_PASSPHRASE");
    world.clock.nowMs = START + 7200_000;
    expect(await refusalOf(world.ann, world.store)).toBe("WRONG_PASSPHRASE");
  });

  it("that was never rotated says so", async () => {
    const { store, clock } = await makeWorld();
    const stranger = makeWriter({ store, clock, keys: OTHER_KEYS });
    expect(await failureOf(stranger.pull())).toMatchObject({
      code: "WRONG_PASSPHRASE",
      message: expect.stringContaining("it was sealed with another one"),
    });
  });

  it("without a seal is told by its bundle", async () => {
    const { store, clock } = await makeWorld();
    alterManifest(store, { seal: undefined });
    const stranger = makeWriter({ store, clock, keys: OTHER_KEYS });
    stranger.edit({ x: "y" });
    expect(await refusalOf(stranger, store)).toBe("WRONG_PASSPHRASE");
  });
});

describe("a seal", () => {
  it("once made or verified is required: without it the manifest is CORRUPT", async () => {
    const { store, clock, ann } = await makeWorld();
    const bob = makeWriter({ store, clock });
    await bob.pull();
    alterManifest(store, { seal: undefined });
    expect(await refusalOf(ann, store)).toBe("CORRUPT");
    bob.edit({ x: "y" });
    expect(await refusalOf(bob, store)).toBe("CORRUPT");
  });

  it("is required where the share said so with minGen, 0 included", async () => {
    const { store, clock } = await makeWorld();
    alterManifest(store, { seal: undefined });
    const imported = makeWriter({ store, clock, config: { minGen: 0 } });
    imported.edit({ x: "y" });
    expect(await refusalOf(imported, store)).toBe("CORRUPT");
  });

  it("is not required of a vault that never had one: a push then makes one", async () => {
    const { store, clock } = await makeWorld();
    alterManifest(store, { seal: undefined, "write-id": undefined, sha256: undefined });
    const fresh = makeWriter({ store, clock });
    expect(await fresh.pull()).toMatchObject({ generation: 2 });
    expect(loadLedger(fresh.environment.local.paths).sealed).toBe(false);
    fresh.edit({ ".env.demo": "A=3\n" });
    expect(await fresh.push()).toMatchObject({ generation: 3 });
    expect(await readHistory(store)).toHaveLength(3);
    expect(loadLedger(fresh.environment.local.paths).sealed).toBe(true);
  });

  it("that is missing leaves the version in the bundle to be compared", async () => {
    const { store, clock } = await makeWorld();
    alterManifest(store, { seal: undefined });
    store.objects.set(`${PREFIX}v=20260501-120100`, store.objects.get(`${PREFIX}v=20260501-120000`)!);
    const fresh = makeWriter({ store, clock });
    expect(toCliError(await failureOf(fresh.pull()))).toMatchObject({ code: "CORRUPT" });
    expect(fresh.vault()).toBeNull();
  });

  it("that no writer makes is CORRUPT, on a machine that never saw one too", async () => {
    const { store, clock } = await makeWorld();
    alterManifest(store, { seal: "not a seal" });
    const fresh = makeWriter({ store, clock });
    fresh.edit({ x: "y" });
    expect(await refusalOf(fresh, store)).toBe("CORRUPT");
  });

  it.each([
    ["generation", { gen: "3" }],
    ["generation's form", { gen: "02" }],
    ["digest", { sha256: "0".repeat(64) }],
    ["write-id", { "write-id": "0".repeat(32) }],
    ["rotation", { "rotated-at": "2026-05-01T00:00:00Z" }],
  ])("covers the %s", async (_, change) => {
    const { store, ann } = await makeWorld();
    alterManifest(store, change);
    expect(await refusalOf(ann, store)).toBe("WRONG_PASSPHRASE");
  });

  it("binds the manifest to its prefix", async () => {
    const { store, ann } = await makeWorld();
    const { remote } = ann.environment;
    const moved = { ...remote, prefix: "elsewhere/" };
    store.objects.set("elsewhere/manifest", store.objects.get(MANIFEST)!);
    const trust = { sealRequired: true, highest: null, minGen: 0, acceptRollback: false };
    expect(await failureOf(readCurrentVersion(moved, trust, START))).toMatchObject({
      code: "WRONG_PASSPHRASE",
    });
  });
});

describe("an older state of the bucket, put back", () => {
  it("is ROLLBACK, until a person accepts it", async () => {
    const store = memoryStore();
    const clock = { nowMs: START };
    const ann = makeWriter({ store, clock });
    ann.edit({ ".env.demo": "A=1\n" });
    await ann.push();
    const older = store.copy();
    ann.edit({ ".env.demo": "A=2\n" });
    await ann.push();
    for (const [key, kept] of older.objects) store.objects.set(key, kept);
    ann.edit({ ".env.demo": "A=3\n" });
    expect(await refusalOf(ann, store)).toBe("ROLLBACK");
    const { hint } = await failureOf(ann.push());
    expect(hint).toContain("vsync push demo --force --accept-rollback");
    expect(hint).not.toContain("vsync versions"); // which ends the same way

    expect(await ann.push({ force: true, acceptRollback: true })).toMatchObject({ generation: 2 });
    expect((await readHistory(store))[0]?.files).toEqual({ ".env.demo": "A=3\n" });
    ann.edit({ ".env.demo": "A=4\n" });
    expect(await ann.push()).toMatchObject({ generation: 3 });
  });

  it("is ROLLBACK at the same generation with another write-id", async () => {
    const { store, ann } = await makeWorld();
    const manifest = {
      timestamp: "20260501-120100",
      generation: 2,
      sha256: "0".repeat(64),
      writeId: "1".repeat(32),
    };
    const { body, metadata } = await sealManifest(KEYS, PREFIX, manifest);
    await store.put(MANIFEST, body, { metadata });
    expect(await refusalOf(ann, store)).toBe("ROLLBACK");
  });

  it("is noticed by whoever has only seen the newer one, in a command that failed", async () => {
    const { store, clock, ann } = await makeWorld();
    const older = store.copy();
    const bob = makeWriter({ store, clock });
    await bob.pull();
    await ann.push();
    bob.edit({ ".env.demo": "bob\n" });
    expect(await failureOf(bob.push())).toMatchObject({ code: "CONFLICT" });
    for (const [key, kept] of older.objects) store.objects.set(key, kept);
    expect(await refusalOf(bob, store)).toBe("ROLLBACK");
  });

  it("is noticed by a fresh machine from the minGen of its share", async () => {
    const { store, clock } = await makeWorld();
    const imported = makeWriter({ store, clock, config: { minGen: 3 } });
    imported.edit({ x: "y" });
    expect(await refusalOf(imported, store)).toBe("ROLLBACK");
  });
});

it.each([
  ["text", "hello\n"],
  ["something larger than a manifest", "x".repeat(2000)],
])(
  "a manifest that is %s of somebody else's is CORRUPT, and the hint brings the vault back",
  async (_, text) => {
    const { store, ann } = await makeWorld();
    await store.put(MANIFEST, Buffer.from(text));
    expect(await failureOf(ann.push({ recreate: true }))).toMatchObject({
      code: "CORRUPT",
      hint: `find out who can write to ${store.description}, and have the object ${MANIFEST} deleted at the provider; then publish the vault folder anew: vsync push demo --recreate`,
    });
    store.objects.delete(MANIFEST);
    expect(await ann.push({ recreate: true })).toMatchObject({ generation: 3 });
  },
);

describe("a manifest that is gone", () => {
  it("is never made anew by itself; --recreate goes on after the highest generation seen", async () => {
    const { store, ann } = await makeWorld();
    store.objects.delete(MANIFEST);
    expect(await failureOf(ann.push({ force: true }))).toMatchObject({ code: "NOT_CONFIGURED" });
    expect(await failureOf(ann.pull({ force: true }))).toMatchObject({ code: "NOT_CONFIGURED" });
    expect(store.objects.has(MANIFEST)).toBe(false);
    expect(await ann.push({ recreate: true })).toMatchObject({ generation: 3 });
    expect(await readHistory(store)).toHaveLength(3);
  });

  it("is not made anew from a folder that is behind what was seen, unless forced", async () => {
    const { store, clock, ann } = await makeWorld();
    const bob = makeWriter({ store, clock, name: "bob" });
    await bob.pull();
    await ann.push();
    bob.edit({ ".env.demo": "A=bob\n" });
    expect(await failureOf(bob.push())).toMatchObject({ code: "CONFLICT" });
    store.objects.delete(MANIFEST);
    expect(await failureOf(bob.push({ recreate: true }))).toMatchObject({
      code: "CONFLICT",
      message: expect.stringContaining("based on generation 2 of demo, and generation 3 was there"),
      hint: expect.stringMatching(/vsync audit demo .*vsync push demo --recreate --force/),
    });
    expect(store.objects.has(MANIFEST)).toBe(false);
    expect(await bob.push({ recreate: true, force: true })).toMatchObject({ generation: 4 });
    expect(bob.warnings.join()).toContain("what came in between would be missing");
  });

  it("is missed by a fresh machine too when its share has a minGen", async () => {
    const { store, clock } = await makeWorld();
    store.objects.delete(MANIFEST);
    const imported = makeWriter({ store, clock, config: { minGen: 2 } });
    imported.edit({ x: "y" });
    expect(await failureOf(imported.push())).toMatchObject({ code: "NOT_CONFIGURED" });
    expect(await failureOf(imported.push({ recreate: true }))).toMatchObject({
      code: "CONFLICT",
      message: expect.stringContaining("based on no version of demo"),
    });
    expect(await imported.push({ recreate: true, force: true })).toMatchObject({ generation: 3 });
  });

  it("is a first push where nothing was ever seen", async () => {
    const { store, clock } = await makeWorld();
    store.objects.delete(MANIFEST);
    const imported = makeWriter({ store, clock, config: { minGen: 0 } });
    imported.edit({ x: "y" });
    expect(await imported.push()).toMatchObject({ generation: 1 });
  });
});

describe("a version from the future", () => {
  it("is warned about and taken: the generation is what counts", async () => {
    const { store, clock } = await makeWorld();
    clock.nowMs = START - 48 * 3600_000;
    const bob = makeWriter({ store, clock });
    expect(await bob.pull()).toMatchObject({ generation: 2 });
    expect(bob.warnings).toEqual([expect.stringContaining("20260501-120100 is dated ahead")]);
    bob.edit({ ".env.demo": "A=bob\n" });
    expect(await bob.push()).toMatchObject({ generation: 3, timestamp: "20260501-120101" });
  });
});

describe("a rotation's grace", () => {
  const graceOf = (store: MemoryStore) => store.objects.get(MANIFEST)?.metadata.grace;

  it("is copied unchanged by every publish before its end and dropped by later ones; the date of the rotation stays", async () => {
    const world = await makeWorld();
    await rotate(world, START + 3600_000);
    const { store, clock } = world;
    const grace = graceOf(store);
    expect(grace).toMatch(/^20260501-120100\.2\.[0-9a-f]{64}\.20260501-130000\.[\w-]{43}$/);
    const bob = makeWriter({ store, clock, keys: OTHER_KEYS });
    await bob.pull();
    clock.nowMs = START + 3599_000;
    bob.edit({ ".env.demo": "B=1\n" });
    await bob.push();
    expect(graceOf(store)).toBe(grace);
    clock.nowMs = START + 3600_000;
    bob.edit({ ".env.demo": "B=2\n" });
    await bob.push();
    expect(graceOf(store)).toBeUndefined();
    expect(store.objects.get(MANIFEST)?.metadata["rotated-at"]).toBe("2026-05-01T12:02:00Z");
  });
});
