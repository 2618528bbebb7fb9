// Publishing where the server has no conditional writes: docs/formats.md section 6, "Publishing", last paragraph.

import { describe, expect, it } from "vitest";
import { toCliError } from "../../src/cli-error.ts";
import { loadPending } from "../../src/vault/pending.ts";
import { type Fault, faultyStore, type Request } from "./faulty-store.ts";
import { MANIFEST, makeWorld, manifestRequests, pushAs, type World } from "./two-writers.ts";
import { failureOf, PREFIX, readHistory } from "./writer.ts";

const CONFIG = { singleWriter: true } as const;
const BUNDLE = `${PREFIX}v=20260501-120100`;

/** The same world on a store that says what was asked of it; `at` may do something, or break it, at the n-th such request. */
function watched({ store }: World, at: (request: string, nth: number) => Promise<Fault | null>) {
  const counts = new Map<string, number>();
  return faultyStore(store, async ({ operation, key }: Request) => {
    const name = `${operation} ${key}`;
    const nth = (counts.get(name) ?? 0) + 1;
    counts.set(name, nth);
    return await at(name, nth);
  });
}

describe("the only writer", () => {
  it("looks before it writes, each time, and after the manifest once more", async () => {
    const world = await makeWorld(CONFIG);
    const faulty = watched(world, async () => null);
    expect(await world.ann.restarted(faulty).push()).toMatchObject({ generation: 2, superseded: false });
    expect(faulty.requests.slice(0, 6).map(({ operation, key }) => `${operation} ${key}`)).toEqual([
      `get ${MANIFEST}`,
      `head ${BUNDLE}`,
      `put ${BUNDLE}`,
      `get ${MANIFEST}`,
      `put ${MANIFEST}`,
      `get ${MANIFEST}`,
    ]);
  });

  it("does not write over a bundle that is there already", async () => {
    const world = await makeWorld(CONFIG);
    const { store } = world;
    const theirs = store.objects.get(`${PREFIX}v=20260501-120000`)!;
    store.objects.set(BUNDLE, theirs);
    const ann = world.ann.restarted(store);
    expect(await ann.push()).toMatchObject({ timestamp: "20260501-120101", generation: 2 });
    expect(store.objects.get(BUNDLE)).toBe(theirs);
  });

  it("that is not the only one after all notices what came first, and leaves it", async () => {
    const world = await makeWorld(CONFIG);
    const faulty = watched(world, async (request, nth) => {
      if (request === `get ${MANIFEST}` && nth === 2) await pushAs(world.bob, "first");
      return null;
    });
    expect(await failureOf(world.ann.restarted(faulty).push())).toMatchObject({ code: "CONFLICT" });
    expect(manifestRequests(faulty.requests)).not.toContain("put");
    expect((await readHistory(world.store))[0]).toMatchObject({ files: { "bob.txt": "first" } });
    expect(loadPending(world.ann.environment.local.paths)).toBeNull();
  });

  it("whose manifest is overwritten at once notices that too", async () => {
    const world = await makeWorld(CONFIG);
    const { store, bob, clock } = world;
    // Bob's process has looked at the bucket before Ann's manifest came.
    const before = store.copy();
    clock.nowMs += 1000;
    await pushAs(bob.restarted(before), "at the same time");
    clock.nowMs -= 1000;
    const faulty = watched(world, async (request, nth) => {
      if (request === `get ${MANIFEST}` && nth === 3) {
        for (const [key, kept] of before.objects) store.objects.set(key, kept);
      }
      return null;
    });
    expect(await failureOf(world.ann.restarted(faulty).push())).toMatchObject({ code: "CONFLICT" });
    expect(manifestRequests(faulty.requests)).toContain("put");
  });

  it.each([
    ["the bundle", `head ${BUNDLE}`, 1],
    ["the manifest", `get ${MANIFEST}`, 2],
  ])("that cannot look before it writes %s has certainly published nothing", async (_, request, nth) => {
    const world = await makeWorld(CONFIG);
    const faulty = watched(world, async (asked, count) =>
      asked === request && count === nth ? "unavailable" : null,
    );
    const failure = await failureOf(world.ann.restarted(faulty).push());
    expect(toCliError(failure)).toMatchObject({ code: "UNREACHABLE" });
    expect(manifestRequests(faulty.requests)).not.toContain("put");
    expect(loadPending(world.ann.environment.local.paths)).toBeNull();
    expect(await world.ann.restarted(world.store).push()).toMatchObject({ published: true, generation: 2 });
  });

  it("whose manifest got no answer looks, and finds that it arrived", async () => {
    const world = await makeWorld(CONFIG);
    const faulty = watched(world, async (request) => (request === `put ${MANIFEST}` ? "lost-answer" : null));
    expect(await world.ann.restarted(faulty).push()).toMatchObject({ published: true, generation: 2 });
    expect(manifestRequests(faulty.requests)).toEqual(["get", "get", "put", "get"]);
  });
});
