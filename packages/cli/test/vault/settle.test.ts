// The publish protocol row by row: docs/formats.md section 6, "Publishing".

import { basename } from "node:path";
import { StoreError } from "@vsync/store";
import { describe, expect, it } from "vitest";
import { toCliError } from "../../src/cli-error.ts";
import { loadPending } from "../../src/vault/pending.ts";
import { watchDisk } from "./disk.ts";
import { type Fault, type FaultyStore, faultyStore, type Request } from "./faulty-store.ts";
import { type MemoryStore, memoryStore } from "./memory-store.ts";
import { failureOf, makeWriter, PREFIX, readAudit, readHistory, type Writer } from "./writer.ts";

const MANIFEST = `${PREFIX}manifest`;

interface World {
  readonly store: MemoryStore;
  readonly clock: { nowMs: number };
  readonly ann: Writer;
  readonly bob: Writer;
}

/** Both are in step with generation 1; Ann has an edit to publish. */
async function makeWorld(): Promise<World> {
  const store = memoryStore();
  const clock = { nowMs: Date.UTC(2026, 4, 1, 12) };
  const ann = makeWriter({ store, clock, name: "ann" });
  const bob = makeWriter({ store, clock, name: "bob" });
  ann.edit({ ".env.demo": "A=1\n" });
  await ann.push();
  await bob.pull();
  clock.nowMs += 60_000;
  ann.edit({ ".env.demo": "A=2\n" });
  return { store, clock, ann, bob };
}

/** Answers the n-th sending of the manifest with the n-th fault. */
function manifestFaults(
  store: MemoryStore,
  faults: readonly (Fault | null)[],
  also?: (sending: number) => Promise<void>,
): FaultyStore {
  let sending = 0;
  return faultyStore(store, async ({ operation, key }) => {
    if (key !== MANIFEST || !operation.startsWith("put")) return null;
    const fault = faults[sending++] ?? null;
    await also?.(sending);
    return fault;
  });
}

function manifestRequests(requests: readonly Request[]): string[] {
  return requests.filter(({ key }) => key === MANIFEST).map(({ operation }) => operation);
}

async function pushAs(writer: Writer, text: string): Promise<void> {
  writer.edit({ [`${writer.name}.txt`]: text });
  await writer.push();
}

describe("the swap of the manifest", () => {
  it("is done after a clean answer, without another look", async () => {
    const { store, ann } = await makeWorld();
    const faulty = manifestFaults(store, []);
    expect(await ann.restarted(faulty).push()).toMatchObject({ generation: 2, superseded: false });
    expect(manifestRequests(faulty.requests)).toEqual(["get", "putIfMatch"]);
  });

  it.each(["lost-answer", "lost-answer-412"] as const)(
    "(a) is ours when its write-id is: %s",
    async (fault) => {
      const { store, ann } = await makeWorld();
      const faulty = manifestFaults(store, [fault]);
      expect(await ann.restarted(faulty).push()).toMatchObject({
        published: true,
        generation: 2,
        superseded: false,
      });
      expect(manifestRequests(faulty.requests)).toEqual(["get", "putIfMatch", "get"]);
    },
  );

  it.each(["unavailable", "conflict", "late"] as const)(
    "(b) is sent again while the ETag is unchanged: %s",
    async (fault) => {
      const { store, ann } = await makeWorld();
      const faulty = manifestFaults(store, [fault]);
      expect(await ann.restarted(faulty).push()).toMatchObject({
        published: true,
        generation: 2,
        superseded: false,
      });
      expect((await readHistory(store))[0]).toMatchObject({ generation: 2, files: { ".env.demo": "A=2\n" } });
    },
  );

  it("(b) is sent three times at the most; then the outcome is unknown, and the next command publishes it", async () => {
    const { store, ann } = await makeWorld();
    const faulty = manifestFaults(store, ["unavailable", "unavailable", "unavailable", null]);
    expect(await failureOf(ann.restarted(faulty).push())).toMatchObject({ code: "OUTCOME_UNKNOWN" });
    expect(manifestRequests(faulty.requests)).toEqual([
      "get",
      "putIfMatch",
      "get",
      "putIfMatch",
      "get",
      "putIfMatch",
      "get",
    ]);
    expect(await readHistory(store)).toHaveLength(1);

    const next = ann.restarted(store);
    expect(await next.push()).toMatchObject({ published: false, generation: 2 });
    expect(next.notes).toEqual([
      "an interrupted push (version 20260501-120100) is published as generation 2",
    ]);
    expect((await readHistory(store))[0]).toMatchObject({ generation: 2, files: { ".env.demo": "A=2\n" } });
    expect((await readAudit(store)).filter(({ action }) => action === "push")).toHaveLength(2);
  });

  it("(b) of a first publish is sent again while there is still no manifest", async () => {
    const store = memoryStore();
    const ann = makeWriter({ store, clock: { nowMs: Date.UTC(2026, 4, 1) } });
    ann.edit({ ".env.demo": "A=1\n" });
    const faulty = manifestFaults(store, ["unavailable"]);
    expect(await ann.restarted(faulty).push()).toMatchObject({ published: true, generation: 1 });
    expect(manifestRequests(faulty.requests)).toEqual(["get", "putIfAbsent", "get", "putIfAbsent"]);
  });

  it.each([1, 3])("(c) is committed when %i others have published on top of it", async (others) => {
    const { store, ann, bob } = await makeWorld();
    let isLooking = false;
    const faulty = faultyStore(store, async ({ operation, key }) => {
      if (key !== MANIFEST) return null;
      if (operation === "putIfMatch") return "lost-answer";
      if (faulty.requests.length > 1 && !isLooking) {
        isLooking = true;
        for (let n = 1; n <= others; n++) {
          await bob.pull();
          await pushAs(bob, `on top, ${n}`);
        }
      }
      return null;
    });
    expect(await ann.restarted(faulty).push()).toMatchObject({
      published: true,
      generation: 2,
      superseded: true,
    });
    expect(await readHistory(store)).toHaveLength(2 + others);
  });

  it("(c) is lost when another version has our generation: CONFLICT, with who and when", async () => {
    const { store, ann, bob } = await makeWorld();
    const faulty = manifestFaults(store, [], async () => pushAs(bob, "first"));
    const failure = await failureOf(ann.restarted(faulty).push());
    expect(failure).toMatchObject({ code: "CONFLICT" });
    expect(failure.message).toContain("bob@example.org (bob@bob) at 2026-05-01T12:01:00.000Z");
    expect(failure.hint).toContain("vsync pull demo --backup");
    expect(loadPending(ann.environment.local.paths)).toBeNull();
    expect(ann.vault()).toEqual({ ".env.demo": "A=2\n" });
  });

  it("(c) is unknown when the history is broken; the next command gives up on it and says so", async () => {
    const { store, ann, bob } = await makeWorld();
    const faulty = manifestFaults(store, ["unavailable"], async (sending) => {
      if (sending > 1) return;
      await pushAs(bob, "one");
      await pushAs(bob, "two");
      const [newest] = await readHistory(store);
      store.objects.delete(`${PREFIX}v=${newest?.timestamp}`);
    });
    expect(await failureOf(ann.restarted(faulty).push())).toMatchObject({ code: "OUTCOME_UNKNOWN" });
    const next = ann.restarted(store);
    await next.recover();
    expect(next.notes[0]).toContain("the bucket's history does not lead back to it");
    expect(loadPending(ann.environment.local.paths)).toBeNull();
  });

  it("(c) is unknown when the manifest is gone; --recreate goes on above every generation seen", async () => {
    const { store, ann, clock } = await makeWorld();
    const faulty = manifestFaults(store, ["unavailable"], async () => void store.objects.delete(MANIFEST));
    expect(await failureOf(ann.restarted(faulty).push())).toMatchObject({ code: "OUTCOME_UNKNOWN" });
    clock.nowMs += 60_000;
    const next = ann.restarted(store);
    expect(await failureOf(next.push())).toMatchObject({ code: "NOT_CONFIGURED" });
    expect(await failureOf(next.pull())).toMatchObject({ code: "NOT_CONFIGURED" });
    expect(loadPending(next.environment.local.paths)).not.toBeNull();
    // The one that is pending had generation 2, and somebody may have seen it.
    expect(await next.push({ recreate: true })).toMatchObject({ published: true, generation: 3 });
    expect(loadPending(next.environment.local.paths)).toBeNull();
  });

  it("(d) has certainly failed when the first sending is refused", async () => {
    const { store, ann } = await makeWorld();
    const faulty = manifestFaults(store, ["refused"]);
    const failure = await failureOf(ann.restarted(faulty).push());
    expect(toCliError(failure)).toMatchObject({ code: "ACCESS_DENIED" });
    expect(loadPending(ann.environment.local.paths)).toBeNull();
    expect(await ann.restarted(store).push()).toMatchObject({ published: true, generation: 2 });
  });

  it("(d) is unknown when it is refused only the second time: the first may still arrive", async () => {
    const { store, ann } = await makeWorld();
    let arrive: () => Promise<unknown> = async () => undefined;
    const slow = {
      ...store,
      putIfMatch: async (...args: Parameters<MemoryStore["putIfMatch"]>) => {
        if (args[0] !== MANIFEST) return await store.putIfMatch(...args);
        arrive = () => store.putIfMatch(...args);
        slow.putIfMatch = async () => {
          throw new StoreError("ACCESS_DENIED", "403", { hint: "", status: 403 });
        };
        throw new StoreError("UNREACHABLE", "timeout", { hint: "", landed: "unknown" });
      },
    };
    expect(await failureOf(ann.restarted(slow).push())).toMatchObject({ code: "OUTCOME_UNKNOWN" });
    await arrive();
    const next = ann.restarted(store);
    expect(await next.push()).toMatchObject({ published: false, generation: 2 });
  });

  it("answers UNSAFE_STORE where the server does no conditional writes", async () => {
    const { store, ann } = await makeWorld();
    const b2 = {
      ...store,
      putIfAbsent: async () => {
        throw new StoreError("NOT_SUPPORTED", "501", { hint: "", status: 501 });
      },
    };
    expect(toCliError(await failureOf(ann.restarted(b2).push()))).toMatchObject({ code: "UNSAFE_STORE" });
    expect(await readHistory(store)).toHaveLength(1);
  });
});

describe("what the next command makes of a crash", () => {
  it("sends the manifest again: a first sending that arrives late then changes nothing", async () => {
    const { store, ann } = await makeWorld();
    let arrive: () => Promise<unknown> = async () => undefined;
    const slow = {
      ...store,
      async putIfMatch(...args: Parameters<MemoryStore["putIfMatch"]>): Promise<{ etag: string }> {
        arrive = () => store.putIfMatch(...args);
        return await new Promise(() => undefined);
      },
    };
    void ann.restarted(slow).push();
    await expect.poll(() => loadPending(ann.environment.local.paths)).not.toBeNull();
    await expect.poll(() => store.objects.size).toBe(4);
    const next = ann.restarted(store);
    await next.recover();
    const told = (await readHistory(store)).length;
    await arrive().catch(() => undefined);
    expect(await readHistory(store)).toHaveLength(told);
  });

  it("drops a publish whose bundle was never placed", async () => {
    const { store, ann } = await makeWorld();
    const faulty = faultyStore(store, ({ operation }) =>
      operation === "putIfAbsent" ? "crash-before" : null,
    );
    await Promise.race([ann.restarted(faulty).push(), faulty.crashed]);
    const next = ann.restarted(store);
    await next.recover();
    expect(next.notes[0]).toContain("was not published");
    expect(await readHistory(store)).toHaveLength(1);
    expect(next.vault()).toEqual({ ".env.demo": "A=2\n" });
  });

  it("does not take another writer's version with the same timestamp for its own", async () => {
    const { store, ann, bob } = await makeWorld();
    const faulty = faultyStore(store, ({ operation }) =>
      operation === "putIfAbsent" ? "crash-before" : null,
    );
    await Promise.race([ann.restarted(faulty).push(), faulty.crashed]);
    await pushAs(bob, "same second");
    const next = ann.restarted(store);
    await next.recover();
    expect(next.notes[0]).toContain("was not published");
    expect(await readAudit(store)).toHaveLength(3);
  });
});

describe("the bundle", () => {
  it("goes one second later when another writer's has the timestamp", async () => {
    const { store, ann, bob } = await makeWorld();
    const faulty = faultyStore(store, async ({ operation }) => {
      if (operation === "putIfAbsent")
        store.objects.set(`${PREFIX}v=20260501-120100`, store.objects.get(`${PREFIX}v=20260501-120000`)!);
      return null;
    });
    expect(await ann.restarted(faulty).push()).toMatchObject({ timestamp: "20260501-120101", generation: 2 });
    await bob.pull();
    expect(bob.vault()).toEqual({ ".env.demo": "A=2\n" });
  });

  it("is named later than the manifest's even when the clock has jumped back", async () => {
    const { ann, clock } = await makeWorld();
    clock.nowMs -= 365 * 24 * 3600 * 1000;
    expect(await ann.push()).toMatchObject({ timestamp: "20260501-120001" });
  });

  it("that cannot be placed is a certain failure, however unclear its answers", async () => {
    const { store, ann } = await makeWorld();
    const faulty = faultyStore(store, ({ operation }) =>
      operation === "putIfAbsent" ? "unavailable" : null,
    );
    const failure = await failureOf(ann.restarted(faulty).push());
    expect(failure).toMatchObject({ code: "UNREACHABLE" });
    expect(failure.message).toContain("nothing was published");
    expect(faulty.requests.filter(({ operation }) => operation === "putIfAbsent")).toHaveLength(3);
    expect(loadPending(ann.environment.local.paths)).toBeNull();
  });
});

describe("what is written down before anything is sent", () => {
  it("is on the disk: bundle, then pending.json, each synced with its folder", async () => {
    const { store, ann } = await makeWorld();
    const events: string[] = [];
    const faulty = faultyStore(store, ({ operation, key }) => {
      events.push(`${operation} ${key.replace(PREFIX, "").replace(/=.*/, "")}`);
      return null;
    });
    const name = (path: string): string => basename(path).replace(/^\.(.*)\.[0-9a-f-]{36}\.tmp$/, "new $1");
    await watchDisk(
      ({ operation, path }) => {
        if (/fsync|rename/.test(operation)) events.push(`${operation} ${name(path)}`);
      },
      () => ann.restarted(faulty).push(),
    );
    const first = events.indexOf("putIfAbsent v");
    expect(events.slice(0, first)).toEqual([
      "get manifest",
      "fsync new pending.rqe1",
      "rename new pending.rqe1",
      "fsync state",
      "fsync new pending.json",
      "rename new pending.json",
      "fsync state",
      "get audit.csv", // which only reads
    ]);
  });
});
