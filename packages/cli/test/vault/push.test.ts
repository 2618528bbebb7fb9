import { chmodSync, existsSync, readFileSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { openStore } from "@vsync/store";
import { describe, expect, it } from "vitest";
import { init } from "../../src/commands/init.ts";
import { describePull, pull } from "../../src/commands/pull.ts";
import { describePush, push } from "../../src/commands/push.ts";
import { makeWorkplace, type Workplace } from "../workplace.ts";
import { watchDisk } from "./disk.ts";
import { faultyStore } from "./faulty-store.ts";
import { memoryStore } from "./memory-store.ts";
import { failureOf, makeWriter, PREFIX, readHistory } from "./writer.ts";

const START = Date.UTC(2026, 4, 1, 12);

describe("push", () => {
  it("publishes generation after generation, each linked to the one before", async () => {
    const store = memoryStore();
    const clock = { nowMs: START };
    const ann = makeWriter({ store, clock });
    ann.edit({ ".env.demo": "A=1\n", "tls/key": "k" });
    expect(await ann.push()).toEqual({
      env: "demo",
      published: true,
      generation: 1,
      timestamp: "20260501-120000",
      files: 2,
      bytes: 5,
      added: [".env.demo", "tls/key"],
      changed: [],
      removed: [],
      superseded: false,
    });
    clock.nowMs += 60_000;
    ann.edit({ ".env.demo": "A=2\n", "tls/key": null, "new.txt": "n" });
    expect(await ann.push()).toMatchObject({
      generation: 2,
      added: ["new.txt"],
      changed: [".env.demo"],
      removed: ["tls/key"],
    });
    expect(await readHistory(store)).toEqual([
      { generation: 2, timestamp: "20260501-120100", files: { ".env.demo": "A=2\n", "new.txt": "n" } },
      { generation: 1, timestamp: "20260501-120000", files: { ".env.demo": "A=1\n", "tls/key": "k" } },
    ]);
    const { metadata } = store.objects.get(`${PREFIX}v=20260501-120100`)!;
    expect(metadata).toEqual({
      gen: "2",
      "prev-ts": "20260501-120000",
      "write-id": expect.stringMatching(/^[0-9a-f]{32}$/),
    });
  });

  it("of a first vault that is empty is stopped before anything is published, unless forced", async () => {
    const store = memoryStore();
    const ann = makeWriter({ store, clock: { nowMs: START } });
    ann.edit({ x: "1" });
    ann.edit({ x: null });
    expect(await failureOf(ann.push())).toMatchObject({
      code: "INPUT",
      message: expect.stringContaining("nothing to publish yet"),
      hint: expect.stringContaining("vsync set demo"),
    });
    expect(store.objects.size).toBe(0);
    expect(await ann.push({ force: true })).toMatchObject({ published: true, generation: 1, files: 0 });
  });

  it("of what has not changed publishes nothing, and looks at no file it need not read", async () => {
    const store = memoryStore();
    const clock = { nowMs: Date.now() + 60_000 }; // long after the files are written
    const ann = makeWriter({ store, clock });
    ann.edit({ ".env.demo": "A=1\n" });
    await ann.push();
    const faulty = faultyStore(store, () => null);
    const changes: string[] = [];
    const again = await watchDisk(
      ({ operation, path }) => void (operation === "open" && changes.push(path)),
      () => ann.restarted(faulty).push(),
    );
    expect(again).toMatchObject({ published: false, generation: 1, superseded: false });
    expect(faulty.requests).toHaveLength(1);
    expect(changes).toEqual([]);
  });

  it("of a file that was only touched publishes nothing, and from then on its stats are enough", async () => {
    const store = memoryStore();
    const clock = { nowMs: Date.now() + 60_000 };
    const ann = makeWriter({ store, clock });
    ann.edit({ ".env.demo": "A=1\n" });
    await ann.push();
    utimesSync(join(ann.folder, "vault/.env.demo"), 1, 1);
    expect(await ann.push()).toMatchObject({ published: false });
    const { ledger } = ann.environment.local.paths;
    const noted = readFileSync(ledger, "utf8");
    expect(noted).toContain('"mtimeNs":"1000000000"');
    expect(await ann.push()).toMatchObject({ published: false });
    expect(readFileSync(ledger, "utf8")).toBe(noted);
  });

  it("sees that only the execute bit changed", async () => {
    const ann = makeWriter({ store: memoryStore(), clock: { nowMs: START } });
    ann.edit({ "run.sh": "#!/bin/sh\n" });
    await ann.push();
    chmodSync(join(ann.folder, "vault/run.sh"), 0o700);
    expect(await ann.push()).toMatchObject({ published: true, changed: ["run.sh"] });
  });

  it("without a vault folder says what to do, and does not publish an emptied one by mistake", async () => {
    const store = memoryStore();
    const ann = makeWriter({ store, clock: { nowMs: START } });
    expect(await failureOf(ann.push())).toMatchObject({
      code: "INPUT",
      hint: expect.stringContaining("vsync pull demo"),
    });
    ann.edit({ ".env.demo": "A=1\n" });
    await ann.push();
    ann.edit({ ".env.demo": null });
    expect(await failureOf(ann.push())).toMatchObject({
      code: "INPUT",
      message: expect.stringContaining("is empty, the last version is not"),
      hint: expect.stringMatching(/vsync pull demo --force.*vsync push demo --force/),
    });
    expect(await ann.push({ force: true })).toMatchObject({
      published: true,
      files: 0,
      removed: [".env.demo"],
    });
    expect((await readHistory(store))[0]?.files).toEqual({});
  });

  /** Ann's folder is at generation 1 and has no edits, and Bob has published generation 2. */
  async function makeBobAhead() {
    const store = memoryStore();
    const clock = { nowMs: START };
    const ann = makeWriter({ store, clock, name: "ann" });
    const bob = makeWriter({ store, clock, name: "bob" });
    ann.edit({ ".env.demo": "A=1\n" });
    await ann.push();
    await bob.pull();
    bob.edit({ ".env.demo": "A=bob\n" });
    await bob.push();
    return { store, clock, ann };
  }

  it("over what somebody else published is a conflict; --force keeps both in the history", async () => {
    const { store, clock, ann } = await makeBobAhead();
    ann.edit({ ".env.demo": "A=ann\n" });
    const failure = await failureOf(ann.push());
    expect(failure).toMatchObject({ code: "CONFLICT" });
    expect(failure.message).toContain(
      "the vault folder is based on version 20260501-120000, and the bucket has another: demo is at generation 2 (20260501-120001), by bob@example.org (bob@bob) at 2026-05-01T12:00:00.000Z",
    );
    const carol = makeWriter({ store, clock, name: "carol" });
    carol.edit({ ".env.demo": "A=carol\n" });
    expect(await failureOf(carol.push())).toMatchObject({
      code: "CONFLICT",
      message: expect.stringContaining("the vault folder is based on no version of this bucket"),
    });
    expect(await ann.push({ force: true })).toMatchObject({ generation: 3, changed: [".env.demo"] });
    expect((await readHistory(store)).map(({ files }) => files[".env.demo"])).toEqual([
      "A=ann\n",
      "A=bob\n",
      "A=1\n",
    ]);
  });

  it("from a folder without edits that the bucket left behind says to pull, and nothing of edits", async () => {
    const { ann } = await makeBobAhead();
    expect(await failureOf(ann.push())).toMatchObject({
      code: "CONFLICT",
      hint: "the vault folder has no edits: vsync pull demo",
    });
    expect(await ann.pull()).toMatchObject({ updated: true, generation: 2 });
  });

  it("after which the audit log cannot be written is published all the same", async () => {
    const store = memoryStore();
    const ann = makeWriter({ store, clock: { nowMs: START } });
    ann.edit({ ".env.demo": "A=1\n" });
    const broken = faultyStore(store, ({ key }) => (key.endsWith("audit.csv") ? "unavailable" : null));
    const process = ann.restarted(broken);
    expect(await process.push()).toMatchObject({ published: true });
    expect(process.warnings).toEqual([expect.stringMatching(/no audit row.*,push,20260501-120000,1,/)]);
    expect(existsSync(ann.environment.local.paths.pending)).toBe(false);
  });
});

/** An environment in a folder bucket, set up by `init`. */
async function setUp(): Promise<Workplace & { readonly vault: string }> {
  const place = makeWorkplace();
  await init(place.context(), { env: "demo", ...place.bucket, iterations: 100_000 });
  return { ...place, vault: join(place.root, "infra/vault/demo") };
}

const auditOf = async ({ bucket }: Workplace) => {
  const store = await openStore({ ...bucket, region: "", accessKeyId: "", secretAccessKey: "" });
  const found = await store.get("acme_shop/demo/audit.csv");
  return found === null ? "" : new TextDecoder().decode(found.body);
};

describe("the commands", () => {
  it("say what they did", async () => {
    const { vault, ...place } = await setUp();
    writeFileSync(join(vault, ".env.demo"), "A=1\n");
    const first = await push(place.context(), { env: "demo" });
    expect(describePush(first).notes).toEqual([
      `published demo as generation 1 (${first.timestamp}): 1 file, 4 bytes`,
      "+ .env.demo",
    ]);
    const second = await push(place.context(), { env: "demo" });
    expect(describePush(second).notes).toEqual([
      `nothing changed since generation 1 (${first.timestamp}); nothing was published`,
    ]);
    const third = await pull(place.context(), { env: "demo" });
    expect(describePull(third).notes).toEqual([`demo is at generation 1 (${first.timestamp}) already`]);
    writeFileSync(join(vault, ".env.demo"), "A=2\n");
    const fourth = await pull(place.context(), { env: "demo", backup: true });
    expect(describePull(fourth).notes).toEqual([
      `demo is at generation 1 (${first.timestamp}): 1 file, 4 bytes`,
      "~ .env.demo",
      `what was there before is kept, encrypted, in ${fourth.backup}; to look into it: vsync backup diff demo`,
    ]);
  });

  it("with --dry-run say what they would do, and change nothing", async () => {
    const { vault, ...place } = await setUp();
    writeFileSync(join(vault, ".env.demo"), "A=1\n");
    const dry = () => place.context({ flags: { dryRun: true } });
    const wouldPush = await push(dry(), { env: "demo" });
    expect(describePush(wouldPush).notes).toEqual(["would publish demo as generation 1: + .env.demo"]);
    expect(existsSync(join(place.folder, "bucket/acme_shop/demo/manifest"))).toBe(false);
    await push(place.context(), { env: "demo" });
    writeFileSync(join(vault, ".env.demo"), "A=2\n");
    const wouldPull = await pull(dry(), { env: "demo", force: true });
    expect(describePull(wouldPull).notes).toEqual([
      expect.stringMatching(/^would bring demo to generation 1 .*: ~ \.env\.demo$/),
    ]);
    expect(readFileSync(join(vault, ".env.demo"), "utf8")).toBe("A=2\n");
  });

  it("with --dry-run note nothing down either, of files that were only touched", async () => {
    const { vault, ...place } = await setUp();
    writeFileSync(join(vault, ".env.demo"), "A=1\n");
    await push(place.context(), { env: "demo" });
    const ledger = join(place.home, ".local/state/vsync/acme_shop/demo/ledger.json");
    const noted = readFileSync(ledger, "utf8");
    utimesSync(join(vault, ".env.demo"), 1, 1);
    for (const command of [push, pull]) {
      const dry = place.context({ flags: { dryRun: true } });
      expect(await command(dry, { env: "demo" })).toMatchObject({ changed: [] });
      expect(readFileSync(ledger, "utf8")).toBe(noted);
    }
    await pull(place.context(), { env: "demo" });
    expect(readFileSync(ledger, "utf8")).not.toBe(noted);
  });

  it("leave the audit row that is asked for, and none with --no-audit", async () => {
    const { vault, ...place } = await setUp();
    writeFileSync(join(vault, ".env.demo"), "A=1\n");
    await push(place.context(), { env: "demo", audit: false });
    expect(await auditOf(place)).toBe("");
    writeFileSync(join(vault, ".env.demo"), "A=2\n");
    await push(place.context(), { env: "demo", note: "why", meta: { ticket: "42" } });
    expect(await auditOf(place)).toContain('""note"":""why"",""ticket"":""42""');
    for (const key of ["id", "note", "prev", "prev_chain"]) {
      await expect(push(place.context(), { env: "demo", meta: { [key]: "x" } })).rejects.toMatchObject({
        code: "USAGE",
      });
    }
  });

  it("refuse flags that contradict each other", async () => {
    const place = await setUp();
    for (const input of [{ version: "yesterday" }, { oldPassphraseFile: "x" }]) {
      await expect(pull(place.context(), { env: "demo", ...input })).rejects.toMatchObject({ code: "USAGE" });
    }
  });

  it("keep out of each other's way on one machine", async () => {
    const { vault, ...place } = await setUp();
    writeFileSync(join(vault, ".env.demo"), "A=1\n");
    const answers = await Promise.allSettled([1, 2, 3].map(() => push(place.context(), { env: "demo" })));
    const codes = answers.map((it) => (it.status === "fulfilled" ? "done" : it.reason.code)).sort();
    expect(codes).toEqual(["CONFLICT", "CONFLICT", "done"]);
    expect(await push(place.context(), { env: "demo" })).toMatchObject({ published: false, generation: 1 });
  });
});
