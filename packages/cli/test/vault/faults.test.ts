// Whatever becomes of a push's requests: what it says is true, and the next command settles the rest.

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { loadPending } from "../../src/vault/pending.ts";
import {
  type Fault,
  type FaultyStore,
  faultyStore,
  READ_FAULTS,
  type Request,
  WRITE_FAULTS,
} from "./faulty-store.ts";
import { type MemoryStore, memoryStore } from "./memory-store.ts";
import { makeWriter, type PublishedVersion, readAudit, readHistory, type Writer } from "./writer.ts";

/** Ann and Bob are both in step with generation 2. */
interface World {
  readonly store: MemoryStore;
  readonly ann: Writer;
  readonly bob: Writer;
}

async function makeWorld(config: { singleWriter?: true } = {}): Promise<World> {
  const store = memoryStore();
  const clock = { nowMs: Date.UTC(2026, 4, 1, 12) };
  const ann = makeWriter({ store, clock, name: "ann", config });
  const bob = makeWriter({ store, clock, name: "bob", config });
  ann.edit({ ".env.demo": "A=1\n" });
  await ann.push();
  ann.edit({ ".env.demo": "A=2\n" });
  await ann.push();
  await bob.pull();
  return { store, ann, bob };
}

type Answer = "published" | "crashed" | { readonly code: string };

/** Ann pushes through a faulty connection, as a process that may die on the way. */
async function pushThrough(ann: Writer, store: FaultyStore): Promise<Answer> {
  const pushed = ann
    .restarted(store)
    .push()
    .then(
      (result): Answer => (result.published ? "published" : { code: "NOTHING" }),
      (error): Answer => ({ code: error.landed === "unknown" ? "OUTCOME_UNKNOWN" : error.code }),
    );
  return await Promise.race([pushed, store.crashed]);
}

function isIn(history: readonly PublishedVersion[], content: string): boolean {
  return history.some(({ files }) => files[".env.demo"] === content);
}

/** Runs one push with these faults, checks what it said, then lets the next command settle it. */
async function check(
  { store, ann, bob }: World,
  decide: (request: Request) => Fault | null | Promise<Fault | null>,
): Promise<{ requests: readonly Request[]; answer: Answer }> {
  ann.edit({ ".env.demo": "A=3 by ann\n" });
  const decisions: Promise<Fault | null>[] = [];
  const faulty = faultyStore(store, (request) => {
    const decision = Promise.resolve(decide(request));
    decisions.push(decision);
    return decision;
  });
  const answer = await pushThrough(ann, faulty);
  // What a rival does beside a request that nobody waited for to the end.
  await Promise.all(decisions);
  const after = await readHistory(store);
  const isThere = isIn(after, "A=3 by ann\n");
  const { code } = typeof answer === "string" ? { code: answer } : answer;
  if (code === "published") expect(isThere).toBe(true);
  else if (code !== "crashed" && code !== "OUTCOME_UNKNOWN") expect(isThere, code).toBe(false);

  const next = ann.restarted(store);
  await next.recover();
  expect(loadPending(next.environment.local.paths)).toBeNull();
  const settled = await readHistory(store);
  if (isThere) expect(isIn(settled, "A=3 by ann\n")).toBe(true);
  else if (code !== "crashed" && code !== "OUTCOME_UNKNOWN")
    expect(isIn(settled, "A=3 by ann\n")).toBe(false);
  const rows = await readAudit(store);
  const claimed = rows.filter(({ action }) => action === "push").map(({ version_ts }) => version_ts);
  expect(new Set(claimed).size, "a row twice").toBe(claimed.length);
  for (const timestamp of claimed) expect(settled.map((it) => it.timestamp)).toContain(timestamp);

  // What is committed is known to be: the ledger is in step, and there is nothing left to publish.
  if (settled[0]?.files[".env.demo"] === "A=3 by ann\n") expect((await next.push()).published).toBe(false);

  // Nobody is stuck, nothing is lost: both can go on, and Ann's edit is in the bucket or still in her folder.
  expect(isIn(settled, "A=3 by ann\n") || next.vault()?.[".env.demo"] === "A=3 by ann\n").toBe(true);
  await bob.pull({ backup: true });
  bob.edit({ "last.txt": "bob was here" });
  await bob.push();
  expect((await readHistory(store))[0]?.files).toMatchObject({ "last.txt": "bob was here" });
  return { requests: faulty.requests, answer };
}

/** The requests of a push that nothing disturbs. */
async function undisturbed(config: { singleWriter?: true } = {}): Promise<readonly Request[]> {
  const { requests, answer } = await check(await makeWorld(config), () => null);
  expect(answer).toBe("published");
  return requests;
}

async function eachRequest(config: { singleWriter?: true }, race: "alone" | "raced"): Promise<void> {
  for (const { index, operation } of await undisturbed(config)) {
    for (const fault of operation.startsWith("put") ? WRITE_FAULTS : READ_FAULTS) {
      const world = await makeWorld(config);
      let raced = race === "alone";
      await check(world, async (request) => {
        if (!raced && request.key.endsWith("manifest") && request.operation.startsWith("put")) {
          raced = true;
          world.bob.edit({ "bob.txt": "first" });
          await world.bob.push();
        }
        return request.index === index ? fault : null;
      }).catch((error: unknown) => {
        throw new Error(`${fault} at request ${index} (${operation}), ${race}`, { cause: error });
      });
    }
  }
}

describe("a push through a connection that fails", () => {
  it("sends nothing but one GET and two conditional PUTs, and the audit row, whose log it reads beside them", async () => {
    const requests = await undisturbed();
    expect(requests.map(({ operation, key }) => `${operation} ${key}`)).toEqual([
      "get shop/demo/manifest",
      "get shop/demo/audit.csv",
      "putIfAbsent shop/demo/v=20260501-120002",
      "putIfMatch shop/demo/manifest",
      "putIfMatch shop/demo/audit.csv",
    ]);
  });

  it("writes the audit row though the reading of the log beside the bundle failed", async () => {
    const world = await makeWorld();
    const before = (await readAudit(world.store)).length;
    let isFirst = true;
    const { answer } = await check(world, ({ operation, key }) => {
      if (operation !== "get" || !key.endsWith("audit.csv") || !isFirst) return null;
      isFirst = false;
      return "unavailable";
    });
    expect([answer, isFirst]).toEqual(["published", false]);
    const [row] = (await readAudit(world.store)).slice(before);
    expect(row).toMatchObject({ action: "push", version_ts: "20260501-120002" });
  });

  it("tells the truth and is settled afterwards, for every fault at every request", () =>
    eachRequest({}, "alone"));

  it("does so too while somebody else publishes", () => eachRequest({}, "raced"));

  it("does so too where there are no conditional writes and one writer", () =>
    eachRequest({ singleWriter: true }, "alone"));

  it("does so too for any combination of faults and a rival at any moment", async () => {
    const faults = fc.array(fc.option(fc.constantFrom(...WRITE_FAULTS), { freq: 2, nil: null }), {
      maxLength: 24,
    });
    const rivalAt = fc.option(fc.nat(8), { nil: -1 });
    await fc.assert(
      fc.asyncProperty(faults, rivalAt, async (script, rival) => {
        const world = await makeWorld();
        await check(world, async ({ index, operation }) => {
          if (index === rival) {
            world.bob.edit({ "bob.txt": "in between" });
            await world.bob.push().catch((error) => expect(error.code).toBe("CONFLICT"));
          }
          const fault = script[index] ?? null;
          return operation.startsWith("put") || fault === null || READ_FAULTS.includes(fault)
            ? fault
            : "unavailable";
        });
      }),
      { numRuns: 300 },
    );
  });
});
