// A current version that nobody can use, and who still has the vault publishing over it.

import { sealBundle } from "@vsync/envelope";
import { type ObjectStore, StoreError } from "@vsync/store";
import { describe, expect, it } from "vitest";
import { toCliError } from "../../src/cli-error.ts";
import { faultyStore } from "./faulty-store.ts";
import type { MemoryStore } from "./memory-store.ts";
import { MANIFEST, makeWorld } from "./two-writers.ts";
import { failureOf, KEYS, PREFIX, readHistory } from "./writer.ts";

const NEWEST = "20260501-120100";
const BUNDLE = `${PREFIX}v=${NEWEST}`;

/** Ann has published a second version, and Bob is where the first one was. */
async function makePublished() {
  const world = await makeWorld();
  await world.ann.push();
  world.clock.nowMs += 60_000;
  return world;
}

/** A bundle of the right version and passphrase, and not the one that the manifest was sealed for. */
async function exchange(store: MemoryStore, text: string): Promise<void> {
  const files = new Map([[".env.demo", { bytes: Buffer.from(text), executable: false }]]);
  await store.put(BUNDLE, (await sealBundle(KEYS, NEWEST, files)).bytes);
}

describe("push --force over a version that cannot be read", () => {
  it.each<[string, (store: MemoryStore) => Promise<unknown>]>([
    ["whose bundle is gone", async (store) => store.objects.delete(BUNDLE)],
    ["whose bundle was exchanged for one of the same files", async (store) => exchange(store, "A=2\n")],
  ])("%s publishes the same files again", async (_, damage) => {
    const { store, ann, bob } = await makePublished();
    await damage(store);
    expect(await ann.push()).toMatchObject({ published: false });
    bob.edit({ ".env.demo": "A=2\n" });
    expect(await bob.push({ force: true })).toMatchObject({ published: true, generation: 3 });
    expect(await ann.pull()).toMatchObject({ generation: 3 });
  });

  it("is not done when it merely cannot be fetched now", async () => {
    const { store, bob } = await makePublished();
    bob.edit({ ".env.demo": "A=bob\n" });
    const faulty = faultyStore(store, ({ key }) => (key === BUNDLE ? "refused" : null));
    const failure = await failureOf(bob.restarted(faulty).push({ force: true }));
    expect(toCliError(failure)).toMatchObject({ code: "ACCESS_DENIED" });
    expect(await readHistory(store)).toHaveLength(2);
  });

  it("publishes an empty vault too", async () => {
    const { store, bob } = await makePublished();
    await exchange(store, "A=2\n");
    bob.edit({ ".env.demo": null });
    expect(await bob.push({ force: true })).toMatchObject({ published: true, generation: 3, files: 0 });
  });
});

describe("what is larger than vsync ever writes", () => {
  it("is no manifest, whatever its seal", async () => {
    const { store, bob } = await makePublished();
    const kept = store.objects.get(MANIFEST)!;
    const padded = Buffer.concat([kept.body, Buffer.alloc(1025 - kept.body.length, " ")]);
    store.objects.set(MANIFEST, { ...kept, body: padded });
    expect(toCliError(await failureOf(bob.pull()))).toMatchObject({ code: "CORRUPT" });
    store.objects.set(MANIFEST, { ...kept, body: padded.subarray(0, 1024) });
    expect(await bob.pull()).toMatchObject({ generation: 2 });
  });

  it("is no bundle", async () => {
    const { store, bob } = await makePublished();
    // As a store does that has a terabyte under this key.
    const get: ObjectStore["get"] = async (key, options = {}) => {
      if (key === BUNDLE && (options.maxBytes ?? Number.POSITIVE_INFINITY) < 2 ** 40)
        throw new StoreError("TOO_LARGE", `${key} is too large`, { hint: "" });
      return await store.get(key, options);
    };
    expect(toCliError(await failureOf(bob.restarted({ ...store, get }).pull()))).toMatchObject({
      code: "CORRUPT",
    });
    expect(bob.vault()).toEqual({ ".env.demo": "A=1\n" });
    expect(await readHistory(store)).toHaveLength(2);
  });
});
