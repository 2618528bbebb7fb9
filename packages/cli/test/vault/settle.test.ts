// The publish protocol row by row: docs/formats.md section 6, "Publishing".

import { readFileSync, writeFileSync } from "node:fs";
import { basename } from "node:path";
import { StoreError } from "@vsync/store";
import { describe, expect, it } from "vitest";
import { toCliError } from "../../src/cli-error.ts";
import { loadPending } from "../../src/vault/pending.ts";
import { recoverEarlierWork } from "../../src/vault/recover.ts";
import { watchDisk } from "./disk.ts";
import { faultyStore } from "./faulty-store.ts";
import { type MemoryStore, memoryStore } from "./memory-store.ts";
import { MANIFEST, makeWorld, manifestFaults, manifestRequests, pushAs } from "./two-writers.ts";
import { failureOf, makeWriter, PREFIX, readAudit, readHistory } from "./writer.ts";

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

    // What only reads goes on meanwhile; what is not about the outcome stops it too.
    const still = ann.restarted(manifestFaults(store, ["unavailable", "unavailable", "unavailable"]));
    expect(await recoverEarlierWork(still.environment, true)).toBeNull();
    expect(still.notes).toEqual([
      expect.stringMatching(/20260501-120100 of demo was published; this is what/),
    ]);
    const { pending } = still.environment.local.paths;
    const asPushed = readFileSync(pending, "utf8");
    for (const operation of ["rotate", "take-over"]) {
      writeFileSync(pending, asPushed.replace('"push"', `"${operation}"`));
      const again = ann.restarted(manifestFaults(store, ["unavailable", "unavailable", "unavailable"]));
      const failure = await failureOf(recoverEarlierWork(again.environment, true));
      expect(failure).toMatchObject({ code: "OUTCOME_UNKNOWN" });
    }
    writeFileSync(pending, asPushed);
    const silent = ann.restarted(faultyStore(store, () => "unavailable"));
    expect(await failureOf(recoverEarlierWork(silent.environment, true))).toMatchObject({
      code: "UNREACHABLE",
    });

    const next = ann.restarted(store);
    expect(await next.push()).toMatchObject({ published: false, generation: 2 });
    expect(next.notes).toEqual([
      "an interrupted push (version 20260501-120100) is published as generation 2",
    ]);
    expect((await readHistory(store))[0]).toMatchObject({ generation: 2, files: { ".env.demo": "A=2\n" } });
    expect((await readAudit(store)).filter(({ action }) => action === "push")).toHaveLength(2);
  });

  it("(b) is unknown when nobody can look, and is not sent again without a look", async () => {
    const { store, ann } = await makeWorld();
    const faulty = faultyStore(store, ({ operation, key }) =>
      key === MANIFEST && faulty.requests.length > 1
        ? operation === "get"
          ? "refused"
          : "unavailable"
        : null,
    );
    expect(await failureOf(ann.restarted(faulty).push())).toMatchObject({
      code: "OUTCOME_UNKNOWN",
      cause: { code: "UNREACHABLE" },
    });
    expect(manifestRequests(faulty.requests)).toEqual(["get", "putIfMatch", "get"]);
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
    expect(failure.message).toMatch(
      /^somebody else published first: .*bob@example.org \(bob@bob\) at 2026-05-01T12:01:00.000Z/,
    );
    expect(failure.hint).toContain("vsync pull demo --backup");
    expect(loadPending(ann.environment.local.paths)).toBeNull();
    expect(ann.vault()).toEqual({ ".env.demo": "A=2\n" });
  });

  it("(c) is lost to somebody whom the audit log does not name, and says that", async () => {
    const { store, ann, bob } = await makeWorld();
    bob.edit({ "bob.txt": "first" });
    const faulty = manifestFaults(store, [], async () => void (await bob.push({ audit: false })));
    expect(await failureOf(ann.restarted(faulty).push())).toMatchObject({
      code: "CONFLICT",
      message: expect.stringContaining("the audit log does not say by whom"),
    });
  });

  it("(c) is unknown when the manifest is gone; --recreate goes on above every generation seen", async () => {
    const { store, ann, clock } = await makeWorld();
    const faulty = manifestFaults(store, ["unavailable"], async () => void store.objects.delete(MANIFEST));
    expect(await failureOf(ann.restarted(faulty).push())).toMatchObject({ code: "OUTCOME_UNKNOWN" });
    clock.nowMs += 60_000;
    const next = ann.restarted(store);
    expect(await failureOf(next.push())).toMatchObject({ code: "NOT_CONFIGURED" });
    expect(next.notes).toEqual([expect.stringContaining("the manifest was deleted from the bucket")]);
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

  it("(d) is committed all the same when it is there: somebody answered for the server, and wrongly", async () => {
    const { store, ann } = await makeWorld();
    const wrong = {
      ...store,
      putIfMatch: async (...args: Parameters<MemoryStore["putIfMatch"]>) => {
        const written = await store.putIfMatch(...args);
        if (args[0] !== MANIFEST) return written;
        throw new StoreError("ACCESS_DENIED", "403", { hint: "", status: 403 });
      },
    };
    expect(await ann.restarted(wrong).push()).toMatchObject({ published: true, generation: 2 });
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

  it("(d) has not failed for certain when the error is none of the store's", async () => {
    const { store, ann } = await makeWorld();
    const odd = {
      ...store,
      async putIfMatch(...args: Parameters<MemoryStore["putIfMatch"]>): Promise<{ etag: string }> {
        const answer = await store.putIfMatch(...args);
        if (args[0] === MANIFEST) throw new TypeError("an answer that nobody could read");
        return answer;
      },
    };
    expect(await ann.restarted(odd).push()).toMatchObject({ published: true, generation: 2 });
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
    const sent: (() => Promise<unknown>)[] = [];
    const slow = {
      ...store,
      async putIfMatch(...args: Parameters<MemoryStore["putIfMatch"]>): Promise<{ etag: string }> {
        sent.push(() => store.putIfMatch(...args));
        return await new Promise(() => undefined);
      },
    };
    void ann.restarted(slow).push();
    await expect.poll(() => sent.length).toBe(1);
    const next = ann.restarted(store);
    await next.recover();
    const told = (await readHistory(store)).length;
    await sent[0]?.().catch(() => undefined);
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
    expect(next.notes).toEqual([
      `an interrupted push (version 20260501-120100) was not published; what it would have changed is still in ${ann.folder}/vault`,
    ]);
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

describe("a manifest that the next command sends again", () => {
  /** Ann's process has placed its bundle, and was killed before its manifest went out. */
  async function crashBeforeSwap() {
    const world = await makeWorld();
    const faulty = manifestFaults(world.store, ["crash-before"]);
    await Promise.race([world.ann.restarted(faulty).push(), faulty.crashed]);
    return world;
  }

  it("and that is refused now was not published, and is not pending any more", async () => {
    const { store, ann } = await crashBeforeSwap();
    const next = ann.restarted(manifestFaults(store, ["refused"]));
    await next.recover();
    expect(next.notes).toEqual([expect.stringContaining("was not published")]);
    expect(loadPending(ann.environment.local.paths)).toBeNull();
    expect(await readHistory(store)).toHaveLength(1);
  });

  it("and whose answers stay unclear remains pending until one of them is clear", async () => {
    const { store, ann } = await crashBeforeSwap();
    const next = ann.restarted(manifestFaults(store, ["unavailable", "unavailable", "unavailable"]));
    expect(await failureOf(next.recover())).toMatchObject({
      code: "OUTCOME_UNKNOWN",
      cause: { code: "UNREACHABLE" },
    });
    expect(loadPending(ann.environment.local.paths)).not.toBeNull();
    expect(await ann.restarted(store).push()).toMatchObject({ published: false, generation: 2 });
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
