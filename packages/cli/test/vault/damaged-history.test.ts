// A lost race whose history somebody has damaged or altered: nothing may be concluded from it. docs/formats.md section 6.

import { utf8 } from "@vsync/envelope";
import { describe, expect, it } from "vitest";
import { loadPending } from "../../src/vault/pending.ts";
import type { MemoryStore } from "./memory-store.ts";
import { MANIFEST, makeWorld, manifestFaults, pushAs } from "./two-writers.ts";
import { failureOf, PREFIX } from "./writer.ts";

type Damage = (store: MemoryStore) => void;

/** Bob publishes as often as `pushes` says while Ann's manifest is on its way; then the bucket is damaged. */
async function loseRace(pushes: number, damage: Damage) {
  const { store, ann, bob } = await makeWorld();
  const faulty = manifestFaults(store, [], async (sending) => {
    if (sending > 1) return;
    for (let n = 1; n <= pushes; n++) await pushAs(bob, `number ${n}`);
    damage(store);
  });
  return { store, ann, failure: await failureOf(ann.restarted(faulty).push()) };
}

function alter(store: MemoryStore, key: string, metadata: Record<string, string>, body?: string): void {
  const kept = store.objects.get(key)!;
  const altered = { ...kept.metadata, ...metadata };
  store.objects.set(key, { ...kept, metadata: altered, ...(body !== undefined && { body: utf8(body) }) });
}

const newestOf = (store: MemoryStore): string =>
  new TextDecoder().decode(store.objects.get(MANIFEST)?.body).trim();

/** Alters what the newest bundle says of itself, and of the one before it. */
const newestSays =
  (saying: (timestamp: string) => Record<string, string>): Damage =>
  (store) =>
    alter(store, `${PREFIX}v=${newestOf(store)}`, saying(newestOf(store)));

describe("a lost race", () => {
  it.each([1, 2])("against %i versions is a conflict while the history is whole", async (pushes) => {
    const { ann, failure } = await loseRace(pushes, () => undefined);
    expect(failure).toMatchObject({ code: "CONFLICT" });
    expect(loadPending(ann.environment.local.paths)).toBeNull();
  });

  it("is a conflict too where another tool has put a line end behind the version", async () => {
    const { failure } = await loseRace(1, (store) => alter(store, MANIFEST, {}, `${newestOf(store)}\r\n`));
    expect(failure).toMatchObject({ code: "CONFLICT" });
  });

  it.each<[string, number, Damage]>([
    ["a bundle on the way is gone", 2, (store) => store.objects.delete(`${PREFIX}v=${newestOf(store)}`)],
    ["a bundle names none before it, and is not the first", 2, newestSays(() => ({ "prev-ts": "" }))],
    ["a bundle names itself", 2, newestSays((timestamp) => ({ "prev-ts": timestamp }))],
    ["a bundle names a later one", 2, newestSays(() => ({ "prev-ts": "20990101-000000" }))],
    ["a bundle is of another generation than its place", 2, newestSays(() => ({ gen: "4" }))],
    ["a bundle's generation is no number", 2, newestSays(() => ({ gen: "three" }))],
    ["the manifest names no version", 1, (store) => alter(store, MANIFEST, {}, "latest")],
    ["the manifest's generation is no number", 1, (store) => alter(store, MANIFEST, { gen: "two" })],
    ["the manifest is older than what was replaced", 1, (store) => alter(store, MANIFEST, { gen: "1" })],
  ])("is an unknown outcome when %s; the next command gives up on it", async (_, pushes, damage) => {
    const { store, ann, failure } = await loseRace(pushes, damage);
    expect(failure).toMatchObject({ code: "OUTCOME_UNKNOWN" });
    expect(loadPending(ann.environment.local.paths)).not.toBeNull();
    const next = ann.restarted(store);
    await next.recover();
    expect(next.notes).toEqual([expect.stringContaining("the bucket's history does not lead back to it")]);
    expect(loadPending(ann.environment.local.paths)).toBeNull();
  });
});
