// Publishing through the real S3 client: against servers of every kind, with faults on the wire, and against a real one.

import { type ObjectStore, openStore, type StoreLocation } from "@vsync/store";
import { afterEach, describe, expect, it, onTestFinished } from "vitest";
import { describeWithS3 } from "../../../../test/s3-suite.ts";
import { type Fault, type Profile, startFakeS3 } from "../../../store/test/fake-s3.ts";
import { toCliError } from "../../src/cli-error.ts";
import { loadPending } from "../../src/vault/pending.ts";
import { makeWriter, PREFIX, readAudit, readHistory, type Writer } from "./writer.ts";

let stores: ObjectStore[] = [];

afterEach(async () => {
  await Promise.all(stores.map((store) => store.close()));
  stores = [];
});

/** The store at `location`, everything in it below `prefix`. */
async function open(location: StoreLocation, prefix = ""): Promise<ObjectStore> {
  const store = await openStore(location, { env: {}, silenceTimeoutMs: 500 });
  stores.push(store);
  return {
    ...store,
    description: store.description,
    get: (key, options) => store.get(prefix + key, options),
    head: (key, options) => store.head(prefix + key, options),
    put: (key, body, options) => store.put(prefix + key, body, options),
    putIfAbsent: (key, body, options) => store.putIfAbsent(prefix + key, body, options),
    putIfMatch: (key, body, etag, options) => store.putIfMatch(prefix + key, body, etag, options),
  };
}

const people = (names: readonly string[], stores: readonly ObjectStore[]): Writer[] => {
  const clock = { nowMs: Date.UTC(2026, 4, 1, 12) };
  return names.map((name, index) => makeWriter({ store: stores[index]!, clock, name }));
};

/** All push at once, again and again; each time one wins and the others are told so. */
async function race(writers: readonly Writer[], rounds: number, store: ObjectStore): Promise<void> {
  const [first] = writers as [Writer];
  first.edit({ ".env.demo": "start\n" });
  await first.push();
  const winners: string[] = ["start\n"];
  for (let round = 1; round <= rounds; round++) {
    for (const writer of writers) await writer.pull({ force: true });
    const answers = await Promise.all(
      writers.map(async (writer) => {
        const text = `round ${round} by ${writer.name}\n`;
        writer.edit({ ".env.demo": text });
        return await writer.push().then(
          ({ published, superseded }) => ({ code: published && !superseded ? "published" : "odd", text }),
          (error: unknown) => ({ code: toCliError(error).code, text }),
        );
      }),
    );
    const published = answers.filter(({ code }) => code === "published");
    expect(published, JSON.stringify(answers)).toHaveLength(1);
    expect(answers.filter(({ code }) => code === "CONFLICT")).toHaveLength(writers.length - 1);
    winners.push(published[0]!.text);
  }
  const history = await readHistory(store);
  expect(history.map(({ files }) => files[".env.demo"]).reverse()).toEqual(winners);
  const rows = (await readAudit(store)).filter(({ action }) => action === "push");
  expect(rows.map(({ version_ts }) => version_ts).sort()).toEqual(
    history.map(({ timestamp }) => timestamp).reverse(),
  );
}

const NAMES = ["ann", "bob", "cat", "dan"];

describe.each(["aws", "ceph16", "minio", "spaces"] as const)("on a server like %s", (profile: Profile) => {
  it("one of four who publish at once wins", async () => {
    const server = await startFakeS3({ profile });
    onTestFinished(() => server.close());
    const stores = await Promise.all(NAMES.map(() => open(server.location)));
    await race(people(NAMES, stores), 2, stores[0]!);
  });
});

const FAULTS: Readonly<Record<string, Fault>> = {
  "cut before": { cut: "before" },
  "cut after it was done": { cut: "after" },
  "cut in the middle of the answer": { cut: "midway" },
  "500": { answer: { status: 500 } },
  "500 after it was done": { answer: { status: 500 }, when: "after" },
  "503": { answer: { status: 503 } },
  "409": { answer: { status: 409 } },
  "412 after it was done": { answer: { status: 412 }, when: "after" },
  "403": { answer: { status: 403 } },
  "silence after it was done": { silence: "after" },
  "a stale read": { stale: true },
};

describe.each(Object.entries(FAULTS))("a push that meets %s", (_, fault) => {
  it.each([
    ["the manifest's GET", "GET", `${PREFIX}manifest`],
    ["the bundle's PUT", "PUT", /v=/],
    ["the manifest's PUT", "PUT", `${PREFIX}manifest`],
    ["the audit log's PUT", "PUT", `${PREFIX}audit.csv`],
  ])("at %s tells the truth, and the next one settles it", async (_, method, key) => {
    const server = await startFakeS3({ profile: "ceph16" });
    onTestFinished(() => server.close());
    const store = await open(server.location);
    const [ann] = people(["ann"], [store]) as [Writer];
    ann.edit({ ".env.demo": "A=1\n" });
    await ann.push();
    ann.edit({ ".env.demo": "A=2\n" });
    server.inject({ method, key, fault });
    const code = await ann.push().then(
      ({ published }) => (published ? "published" : "nothing"),
      (error: unknown) => toCliError(error).code,
    );
    const isThere = (await readHistory(store)).length === 2;
    if (code === "published") expect(isThere).toBe(true);
    else if (code !== "OUTCOME_UNKNOWN") expect(isThere, code).toBe(false);
    const next = await ann.push({ acceptRollback: true });
    expect(next).toMatchObject({ published: !isThere, generation: 2 });
    expect(loadPending(ann.environment.local.paths)).toBeNull();
    expect(await readHistory(store)).toHaveLength(2);
  });
});

it("a server that answers 501 to conditions is UNSAFE_STORE, and fine for a single writer", async () => {
  const server = await startFakeS3({ profile: "b2" });
  onTestFinished(() => server.close());
  const store = await open(server.location);
  const clock = { nowMs: Date.UTC(2026, 4, 1, 12) };
  const ann = makeWriter({ store, clock });
  ann.edit({ ".env.demo": "A=1\n" });
  await expect(ann.push().catch((error) => Promise.reject(toCliError(error)))).rejects.toMatchObject({
    code: "UNSAFE_STORE",
  });
  const alone = makeWriter({ store, clock, config: { singleWriter: true } });
  alone.edit({ ".env.demo": "A=1\n" });
  expect(await alone.push()).toMatchObject({ published: true, generation: 1 });
  alone.edit({ ".env.demo": "A=2\n" });
  expect(await alone.push()).toMatchObject({ published: true, generation: 2 });
  expect(await readAudit(store)).toHaveLength(2);
});

describeWithS3("on a real server", ({ location, prefix }) => {
  it.each([2, 4])("one of %i who publish at once wins", async (count) => {
    const names = NAMES.slice(0, count);
    const stores = await Promise.all(names.map(() => open(location, `${prefix}${count}/`)));
    await race(people(names, stores), 3, stores[0]!);
  });
});
