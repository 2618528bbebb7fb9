// The bundle's way into the bucket: docs/formats.md section 6, "Publishing" step 3.

import { describe, expect, it } from "vitest";
import { toCliError } from "../../src/cli-error.ts";
import { loadPending } from "../../src/vault/pending.ts";
import { type FaultyStore, faultyStore } from "./faulty-store.ts";
import { makeWorld } from "./two-writers.ts";
import { failureOf, PREFIX, readHistory } from "./writer.ts";

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

describe("the bundle's request", () => {
  const placings = ({ requests }: FaultyStore) =>
    requests.filter(({ key }) => key.includes("v=")).map(({ operation }) => operation);

  it("is not repeated when its answer was lost and it is there", async () => {
    const { store, ann } = await makeWorld();
    const faulty = faultyStore(store, ({ operation }) =>
      operation === "putIfAbsent" ? "lost-answer" : null,
    );
    expect(await ann.restarted(faulty).push()).toMatchObject({
      published: true,
      timestamp: "20260501-120100",
    });
    expect(placings(faulty)).toEqual(["putIfAbsent", "head"]);
  });

  it("is not repeated after a refusal", async () => {
    const { store, ann } = await makeWorld();
    const faulty = faultyStore(store, ({ operation }) => (operation === "putIfAbsent" ? "refused" : null));
    const failure = toCliError(await failureOf(ann.restarted(faulty).push()));
    expect(failure).toMatchObject({ code: "ACCESS_DENIED", message: expect.stringContaining("403") });
    expect(placings(faulty)).toEqual(["putIfAbsent"]);
  });

  it("that may have arrived and cannot be looked at is a certain failure, and the first error is the one told", async () => {
    const { store, ann } = await makeWorld();
    const faulty = faultyStore(store, ({ operation }) =>
      operation === "putIfAbsent" ? "unavailable" : operation === "head" ? "refused" : null,
    );
    expect(await failureOf(ann.restarted(faulty).push())).toMatchObject({
      code: "UNREACHABLE",
      message: expect.stringMatching(/nothing was published: 503/),
      cause: { code: "UNREACHABLE" },
    });
    expect(placings(faulty)).toEqual(["putIfAbsent", "head"]);
    expect(loadPending(ann.environment.local.paths)).toBeNull();
  });

  it("gives up when sixteen seconds in a row belong to others", async () => {
    const { store, ann } = await makeWorld();
    const theirs = store.objects.get(`${PREFIX}v=20260501-120000`)!;
    const faulty = faultyStore(store, ({ operation, key }) => {
      if (operation === "putIfAbsent") store.objects.set(key, theirs);
      return null;
    });
    expect(await failureOf(ann.restarted(faulty).push())).toMatchObject({
      code: "CONFLICT",
      message: expect.stringContaining("16 versions in a row"),
    });
    expect(placings(faulty)).toHaveLength(32);
    expect(loadPending(ann.environment.local.paths)).toBeNull();
    expect(await readHistory(store)).toHaveLength(1);
  });
});
