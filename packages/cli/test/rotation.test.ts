import { cpSync, existsSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { openWith } from "@muthuishere/vsync-s3-client";
import { describe, expect, test } from "vitest";
import { audit } from "../src/commands/audit.ts";
import { backupDiff, backupList, backupRestore } from "../src/commands/backup.ts";
import { diff } from "../src/commands/diff.ts";
import { get } from "../src/commands/get.ts";
import { init } from "../src/commands/init.ts";
import { passphraseShow } from "../src/commands/passphrase-show.ts";
import { pull } from "../src/commands/pull.ts";
import { push } from "../src/commands/push.ts";
import { restore } from "../src/commands/restore.ts";
import { type RotateInput, rotatePassphrase } from "../src/commands/rotate-passphrase.ts";
import { runtimeToken } from "../src/commands/runtime-token.ts";
import { set } from "../src/commands/set.ts";
import { versions } from "../src/commands/versions.ts";
import { openKeystore } from "../src/keys/keystore.ts";
import { type DiskStep, watchDisk } from "./vault/disk.ts";
import { type ContextOptions, makeWorkplace, type Workplace } from "./workplace.ts";

const env = "demo";
const account = "acme_shop/demo";

async function setUp(iterations = 100_000) {
  const place = makeWorkplace();
  await init(place.context(), { env, ...place.bucket, iterations });
  await setValue(place, "one");
  await push(place.context(), { env });
  const state = join(place.home, ".local/state/vsync/acme_shop/demo");
  return { ...place, state };
}

const setValue = (place: Workplace, value: string) =>
  set(place.context({ stdin: value }), { env, name: "VALUE", source: "-" });
const rotate = (place: Workplace, input: Partial<RotateInput> = {}, options: ContextOptions = {}) =>
  rotatePassphrase(place.context(options), { env, ...input });
const stored = async (place: Workplace, of = account) =>
  await (await openKeystore(place.context().host)).get(of);
const store = async (place: Workplace, of: string, secret: string) =>
  await (await openKeystore(place.context().host)).set(of, secret);
const token = async (place: Workplace) => (await runtimeToken(place.context(), { env })).config;
const journalOf = (place: Workplace, baseEtag: string) =>
  JSON.stringify({ version: 1, baseEtag, keystore: `the file keystore ${join(place.home, "keystore")}` });
const manifestEtag = async (place: Workplace) => {
  const { openStore } = await import("@vsync/store");
  const bucket = await openStore({ ...place.bucket, region: "", accessKeyId: "", secretAccessKey: "" });
  return (await bucket.head("acme_shop/demo/manifest"))?.etag as string;
};

test("a rotation changes the passphrase, keeps the folder in step, and keeps the token valid", async () => {
  const place = await setUp();
  const [old, config] = [await stored(place), await token(place)];
  expect(await rotate(place)).toMatchObject({
    published: true,
    did: "rotate",
    generation: 2,
    graceUntil: null,
  });
  const next = (await stored(place)) as string;
  expect(next).not.toBe(old);
  expect(await stored(place, `${account}#replaced`)).toBe(old);
  expect(await stored(place, `${account}#next`)).toBeNull();
  expect(existsSync(join(place.state, "rotation.json"))).toBe(false);
  expect(await push(place.context(), { env })).toMatchObject({ published: false, generation: 2 });
  expect((await diff(place.context(), { env })).files).toEqual({ added: [], changed: [], removed: [] });
  const vault = await openWith({ config, passphrase: next });
  expect([vault.getEnv("VALUE"), vault.generation()]).toEqual(["one", 2]);
  await expect(openWith({ config, passphrase: old as string })).rejects.toMatchObject({
    code: "VSYNC_WRONG_PASSPHRASE",
  });
  expect((await audit(place.context(), { env, verify: true })).findings).toEqual([]);
});

test("with --grace applications start with the old passphrase until it is over, or ended early", async () => {
  const place = await setUp();
  const [old, config] = [(await stored(place)) as string, await token(place)];
  await rotate(place, { grace: "24h" });
  await setValue(place, "two");
  await push(place.context(), { env });
  const vault = await openWith({ config, passphrase: old });
  expect([vault.getEnv("VALUE"), vault.generation()]).toEqual(["one", 1]);
  expect(await rotate(place, { finish: true })).toMatchObject({ did: "finish", generation: 4 });
  await expect(openWith({ config, passphrase: old })).rejects.toMatchObject({
    code: "VSYNC_WRONG_PASSPHRASE",
  });
  await expect(rotate(place, { finish: true })).rejects.toMatchObject({ code: "INPUT" });
});

test("while a grace period runs another rotation is refused, unless it is forced: it would shut applications out", async () => {
  const place = await setUp();
  const [old, config] = [(await stored(place)) as string, await token(place)];
  const { graceUntil } = await rotate(place, { grace: "24h" });
  for (const [input, options] of [
    [{ grace: "24h" }, {}],
    [{}, { flags: { dryRun: true } }],
  ] as const) {
    await expect(rotate(place, input, options)).rejects.toMatchObject({
      code: "CONFLICT",
      message: expect.stringContaining(`until ${graceUntil}`),
      hint: expect.stringMatching(/rotate-passphrase demo --finish .*rotate-passphrase demo --force/),
    });
  }
  expect((await openWith({ config, passphrase: old })).generation()).toBe(1);
  const forced = place.context();
  expect(await rotatePassphrase(forced, { env, force: true })).toMatchObject({ generation: 3 });
  expect(forced.said().err).toContain(`which runs until ${graceUntil}`);
  await expect(openWith({ config, passphrase: old })).rejects.toMatchObject({
    code: "VSYNC_WRONG_PASSPHRASE",
  });
});

test("a grace period that is over or was ended stands in no rotation's way", async () => {
  const place = await setUp();
  await rotate(place, { grace: "1h" });
  const later = { host: { now: () => Date.now() + 3_601_000 } };
  expect(await rotate(place, { grace: "2h" }, later)).toMatchObject({ generation: 3 });
  await rotate(place, { finish: true });
  expect(await rotate(place)).toMatchObject({ generation: 5 });
  await expect(rotate(place, { finish: true, force: true })).rejects.toMatchObject({ code: "USAGE" });
});

test("secrets that come along and that this vault folder does not have are named, with who published them", async () => {
  const place = await setUp();
  await setValue(place, "two");
  await push(place.context(), { env });
  await restore(place.context(), { env, version: "previous" });
  const behind = place.context();
  await rotatePassphrase(behind, { env });
  expect(behind.said().err).toMatch(/generation 3 \(\d{8}-\d{6}, by .+\).+ does not have them/);
  await pull(place.context(), { env });
  const inStep = place.context();
  await rotatePassphrase(inStep, { env });
  expect(inStep.said().err).not.toContain("does not have them");
});

test("a teammate with the old passphrase is told when and by whom, and can replace nothing", async () => {
  const place = await setUp();
  const old = (await stored(place)) as string;
  await rotate(place, { grace: "1h" });
  const behind = { env: { VSYNC_PASSPHRASE: old } };
  for (const attempt of [
    () => pull(place.context(behind), { env }),
    () => push(place.context(behind), { env, force: true }),
    () => push(place.context(behind), { env, recreate: true }),
    () => rotate(place, { out: join(place.folder, "out") }, behind),
  ]) {
    await expect(attempt()).rejects.toMatchObject({
      code: "WRONG_PASSPHRASE",
      message: expect.stringMatching(/rotated at 20\d\d-/),
    });
  }
});

test("backups made before a rotation come back after it", async () => {
  const place = await setUp();
  await setValue(place, "edit");
  await pull(place.context(), { env, backup: true });
  await rotate(place);
  await rotate(place);
  expect((await backupList(place.context(), { env })).backups).toHaveLength(1);
  await backupRestore(place.context(), { env });
  expect((await get(place.context(), { env, name: "VALUE" })).value).toBe("edit");
});

test("a version from before a rotation comes back with the passphrase of its time, and only with it", async () => {
  const place = await setUp();
  const old = (await stored(place)) as string;
  const { timestamp } = (await versions(place.context(), { env })).versions[0]!;
  await rotate(place);
  const file = join(place.folder, "old");
  await passphraseShow(place.context(), { env, out: file, replaced: true });
  expect(readFileSync(file, "utf8")).toBe(old);
  await expect(restore(place.context(), { env, version: timestamp })).rejects.toMatchObject({
    code: "WRONG_PASSPHRASE",
  });
  const again = await restore(place.context(), { env, version: timestamp, oldPassphraseFile: file });
  expect(again).toMatchObject({ published: true, generation: 3 });
});

describe("the new passphrase", () => {
  test("may be a chosen one, and is held to the rules for those", async () => {
    const place = await setUp();
    const chosen = (text: string) => rotate(place, { newPassphraseFile: "-" }, { stdin: text });
    await expect(chosen("too short")).rejects.toMatchObject({ code: "INPUT" });
    await expect(chosen("long enough, but with few iterations")).rejects.toMatchObject({ code: "INPUT" });
    await expect(chosen((await stored(place)) as string)).rejects.toMatchObject({ code: "INPUT" });
    expect((await versions(place.context(), { env })).versions).toHaveLength(1);
  });

  test("that an attempt has put into a file and nowhere else yet is gone on with as the hint says", async () => {
    const place = await setUp();
    const [out, other] = [join(place.folder, "out"), join(place.folder, "other")];
    const killed = watchDisk(
      ({ path }) => {
        if (path.includes("rotation.json")) throw new Error("killed");
      },
      () => rotate(place, { out }),
    );
    await expect(killed).rejects.toThrow("killed");
    await expect(rotate(place, { out })).rejects.toMatchObject({
      code: "INPUT",
      hint: expect.stringContaining(`--new-passphrase-file ${out} --out <another file>`),
    });
    expect(await rotate(place, { newPassphraseFile: out, out: other })).toMatchObject({ generation: 2 });
    expect(await stored(place)).toBe(readFileSync(out, "utf8"));
  });

  test("goes into a file where variables stand in for the keystore", async () => {
    const place = await setUp();
    const old = (await stored(place)) as string;
    const options = { env: { VSYNC_PASSPHRASE: old } };
    await expect(rotate(place, {}, options)).rejects.toMatchObject({
      code: "INPUT",
      hint: "vsync rotate-passphrase demo --out <file>",
    });
    const out = join(place.folder, "next");
    await rotate(place, { out }, options);
    expect(statSync(out).mode & 0o777).toBe(0o600);
    const next = { env: { VSYNC_PASSPHRASE: readFileSync(out, "utf8") } };
    expect(await pull(place.context(next), { env })).toMatchObject({ generation: 2 });
    await expect(rotate(place, { out }, next)).rejects.toMatchObject({ code: "INPUT" });
  });
});

test("overtaken by a teammate's push it leaves no passphrase behind, and typed again rotates what they pushed", async () => {
  const place = await setUp();
  const manifest = join(place.folder, "bucket/acme_shop/demo/manifest");
  const [before, mine] = [readFileSync(manifest), join(place.folder, "mine")];
  cpSync(place.home, mine, { recursive: true });
  await setValue(place, "two");
  await push(place.context(), { env });
  const theirs = readFileSync(manifest);
  rmSync(place.home, { recursive: true });
  cpSync(mine, place.home, { recursive: true });
  writeFileSync(manifest, before);

  const out = join(place.folder, "next");
  const { terminal, ...context } = place.context();
  const step: typeof terminal.step = (...said) => {
    if (said[2].startsWith("naming")) writeFileSync(manifest, theirs);
  };
  await expect(
    rotatePassphrase({ ...context, terminal: { ...terminal, step } }, { env, out }),
  ).rejects.toMatchObject({ code: "CONFLICT", hint: "run the same command again" });
  expect(existsSync(out)).toBe(false);
  expect(await rotate(place, { out })).toMatchObject({ generation: 3 });
  expect(await stored(place)).toBe(readFileSync(out, "utf8"));
});

test("--dry-run changes nothing", async () => {
  const place = await setUp();
  const old = await stored(place);
  expect(await rotate(place, {}, { flags: { dryRun: true } })).toMatchObject({
    published: false,
    generation: 2,
  });
  expect(await stored(place)).toBe(old);
  expect((await versions(place.context(), { env })).versions).toHaveLength(1);
});

test.each(["0h", "91d", "1w", "soon"])("--grace %s is no time", async (grace) => {
  const place = makeWorkplace();
  await expect(rotate(place, { grace })).rejects.toMatchObject({ code: "USAGE" });
});

describe("interrupted", () => {
  test("after the swap: the next command puts the staged passphrase into force, backups included", async () => {
    const place = await setUp();
    await setValue(place, "edit");
    await pull(place.context(), { env, backup: true });
    const etag = await manifestEtag(place);
    const before = join(place.folder, "before");
    cpSync(place.home, before, { recursive: true });
    await rotate(place);
    const next = (await stored(place)) as string;
    // The machine as it was when the manifest had just been swapped.
    rmSync(place.home, { recursive: true });
    cpSync(before, place.home, { recursive: true });
    await store(place, `${account}#next`, next);
    writeFileSync(join(place.state, "rotation.json"), journalOf(place, etag), {
      mode: 0o600,
    });
    const context = place.context();
    expect(await pull(context, { env, force: true })).toMatchObject({ generation: 2 });
    expect(context.said().err).toContain("was finished");
    expect(await stored(place)).toBe(next);
    expect(await stored(place, `${account}#next`)).toBeNull();
    await backupRestore(place.context(), { env });
    expect((await get(place.context(), { env, name: "VALUE" })).value).toBe("edit");
  });

  test("before the swap: the old passphrase stays in force, and the next attempt goes on with the staged one", async () => {
    const place = await setUp();
    const old = await stored(place);
    await store(place, `${account}#next`, "the staged passphrase, 44 characters long..");
    const journal = join(place.state, "rotation.json");
    writeFileSync(journal, journalOf(place, await manifestEtag(place)), {
      mode: 0o600,
    });
    expect(await pull(place.context(), { env })).toMatchObject({ generation: 1 });
    expect(await stored(place)).toBe(old);
    expect(existsSync(journal)).toBe(true);
    await rotate(place);
    expect(await stored(place)).toBe("the staged passphrase, 44 characters long..");
    expect(existsSync(journal)).toBe(false);
  });

  test("and overtaken by a teammate's push: the staged passphrase is dropped", async () => {
    const place = await setUp();
    const old = await stored(place);
    const etag = await manifestEtag(place);
    await setValue(place, "two");
    await push(place.context(), { env });
    await store(place, `${account}#next`, "the staged passphrase, 44 characters long..");
    const journal = join(place.state, "rotation.json");
    writeFileSync(journal, journalOf(place, etag), { mode: 0o600 });
    const context = place.context();
    await pull(context, { env });
    expect(context.said().err).toContain("rotation of demo's passphrase was undone: the old one is in force");
    expect([await stored(place), await stored(place, `${account}#next`), existsSync(journal)]).toEqual([
      old,
      null,
      false,
    ]);
  });

  test("before anything was staged: nothing is left of it", async () => {
    const place = await setUp();
    const journal = join(place.state, "rotation.json");
    writeFileSync(journal, journalOf(place, await manifestEtag(place)), { mode: 0o600 });
    await pull(place.context(), { env });
    expect(existsSync(journal)).toBe(false);
  });

  test("before anything was staged, overtaken by a teammate's push, and asked for again: it is not taken for done", async () => {
    const place = await setUp();
    await rotate(place);
    const inForce = await stored(place);
    const journal = journalOf(place, await manifestEtag(place));
    await setValue(place, "two");
    await push(place.context(), { env });
    writeFileSync(join(place.state, "rotation.json"), journal, { mode: 0o600 });
    expect(await rotate(place)).toMatchObject({ published: true, generation: 4 });
    expect(await stored(place, `${account}#replaced`)).toBe(inForce);
  });

  /** The machine as it was when the manifest had just been swapped; returns both passphrases. */
  async function killedAfterTheSwap(place: Workplace & { state: string }, input: Partial<RotateInput> = {}) {
    const old = (await stored(place)) as string;
    const etag = await manifestEtag(place);
    const before = join(place.folder, "before");
    cpSync(place.home, before, { recursive: true });
    await rotate(place, input);
    const next = (await stored(place)) as string;
    rmSync(place.home, { recursive: true });
    cpSync(before, place.home, { recursive: true });
    await store(place, `${account}#next`, next);
    writeFileSync(join(place.state, "rotation.json"), journalOf(place, etag), { mode: 0o600 });
    return { old, next };
  }

  test("and asked for again: the one that was begun is finished, its grace intact, and no second one made", async () => {
    const place = await setUp();
    const config = await token(place);
    const { old, next } = await killedAfterTheSwap(place, { grace: "1h" });
    const again = await rotate(place, { grace: "1h" });
    expect(again).toMatchObject({ published: true, generation: 2, graceUntil: expect.stringMatching(/^20/) });
    expect([await stored(place), await stored(place, `${account}#replaced`)]).toEqual([next, old]);
    expect((await openWith({ config, passphrase: old })).getEnv("VALUE")).toBe("one");
  });

  test.each<[string, (step: DiskStep) => boolean]>([
    [
      "the new passphrase is in force",
      ({ operation, path }) => operation === "rename" && /demo\.[^#]+$/.test(path),
    ],
    [
      "the staged one is forgotten",
      ({ operation, path }) => operation === "unlink" && path.endsWith("%23next"),
    ],
    ["the journal is", ({ operation, path }) => operation === "unlink" && path.endsWith("rotation.json")],
  ])("before %s, and asked for again: it is done, and done once", async (_what, isFatal) => {
    const place = await setUp();
    const old = await stored(place);
    const { timestamp } = (await versions(place.context(), { env })).versions[0]!;
    const killed = watchDisk(
      (step) => {
        if (isFatal(step)) throw new Error("killed");
      },
      () => rotate(place, { grace: "1h" }),
    );
    await expect(killed).rejects.toMatchObject({ code: "PARTIAL" });
    expect(await rotate(place, { grace: "1h" })).toMatchObject({ published: true, generation: 2 });
    expect(await stored(place, `${account}#replaced`)).toBe(old);
    expect(await stored(place, `${account}#next`)).toBeNull();
    expect(existsSync(join(place.state, "rotation.json"))).toBe(false);
    const file = join(place.folder, "old");
    await passphraseShow(place.context(), { env, out: file, replaced: true });
    const back = await restore(place.context(), { env, version: timestamp, oldPassphraseFile: file });
    expect(back).toMatchObject({ generation: 3 });
  });

  /** Dies when the publish is in the bucket and this machine has yet to note it down. */
  const killedAsItNotes = (work: () => Promise<unknown>) =>
    watchDisk(({ operation, path }) => {
      if (operation === "rename" && path.includes("/.ledger.json.")) throw new Error("killed");
    }, work);

  test.each([{ grace: "1h" }, {}])(
    "with a chosen passphrase, and asked for again: it is done (%o)",
    async (input) => {
      const place = await setUp(600_000);
      const chosen = (text: string) => rotate(place, { ...input, newPassphraseFile: "-" }, { stdin: text });
      const killed = killedAsItNotes(() => chosen("a chosen passphrase"));
      await expect(killed).rejects.toMatchObject({ code: "PARTIAL" });
      expect(await chosen("a chosen passphrase")).toMatchObject({
        published: true,
        generation: 2,
        graceUntil: input.grace === undefined ? null : expect.stringMatching(/^20/),
      });
      expect(await stored(place)).toBe("a chosen passphrase");
      expect((await versions(place.context(), { env })).versions).toHaveLength(2);
    },
  );

  test("with a chosen passphrase, and asked for with another one: that one comes into force", async () => {
    const place = await setUp(600_000);
    const chosen = (text: string) => rotate(place, { newPassphraseFile: "-" }, { stdin: text });
    await expect(killedAsItNotes(() => chosen("a chosen passphrase"))).rejects.toMatchObject({
      code: "PARTIAL",
    });
    expect(await chosen("another chosen one")).toMatchObject({ generation: 3 });
    expect(await stored(place)).toBe("another chosen one");
    await expect(chosen("another chosen one")).rejects.toMatchObject({
      code: "INPUT",
      hint: expect.stringMatching(/^if it is the one you mean, nothing is left to do/),
    });
  });

  test("the end of a grace period, and asked for again: it is done", async () => {
    const place = await setUp();
    await rotate(place, { grace: "1h" });
    const killed = killedAsItNotes(() => rotate(place, { finish: true }));
    await expect(killed).rejects.toMatchObject({ code: "PARTIAL" });
    const again = await rotate(place, { finish: true });
    expect(again).toMatchObject({ did: "finish", published: true, generation: 3, graceUntil: null });
    await expect(rotate(place, { finish: true })).rejects.toMatchObject({ code: "INPUT" });
  });

  test("where variables stand in for the keystore, and asked for again: it is done, backups and audit log included", async () => {
    const place = await setUp();
    const old = { env: { VSYNC_PASSPHRASE: (await stored(place)) as string } };
    await setValue(place, "edit");
    await pull(place.context(old), { env, backup: true });
    const [out, other] = [join(place.folder, "out"), join(place.folder, "other")];
    const killed = killedAsItNotes(() => rotate(place, { out, grace: "1h" }, old));
    await expect(killed).rejects.toMatchObject({ code: "PARTIAL" });
    const next = { env: { VSYNC_PASSPHRASE: readFileSync(out, "utf8") } };
    writeFileSync(other, "neither of the two", { mode: 0o600 });
    for (const file of [other, join(place.folder, "none")]) {
      await expect(rotate(place, { out: file }, old)).rejects.toMatchObject({ code: "WRONG_PASSPHRASE" });
    }
    await expect(rotate(place, { out, newPassphraseFile: other }, old)).rejects.toMatchObject({
      code: "WRONG_PASSPHRASE",
    });
    expect((await audit(place.context(next), { env, verify: true })).findings).toEqual([]);
    expect(await rotate(place, { out, grace: "1h" }, old)).toMatchObject({
      published: true,
      generation: 2,
      graceUntil: expect.stringMatching(/^20/),
      passphraseIn: out,
    });
    expect((await versions(place.context(next), { env })).versions).toHaveLength(2);
    await backupRestore(place.context(next), { env });
    expect((await get(place.context(next), { env, name: "VALUE" })).value).toBe("edit");
  });

  test("while a variable holds the new passphrase already: the old one is kept, and what is under it is not lost", async () => {
    const place = await setUp();
    await setValue(place, "edit");
    await pull(place.context(), { env, backup: true });
    const { old, next } = await killedAfterTheSwap(place);
    await pull(place.context({ env: { VSYNC_PASSPHRASE: next } }), { env, force: true });
    expect([await stored(place), await stored(place, `${account}#replaced`)]).toEqual([next, old]);
    await backupRestore(place.context(), { env });
    expect((await get(place.context(), { env, name: "VALUE" })).value).toBe("edit");
  });

  test("and continued with another keystore: that one cannot decide, and forgets nothing", async () => {
    const place = await setUp();
    const { next } = await killedAfterTheSwap(place);
    const elsewhere = {
      env: { VSYNC_KEYSTORE: `file:${join(place.home, "other")}`, VSYNC_PASSPHRASE: "whatever it may be" },
    };
    await expect(versions(place.context(elsewhere), { env })).rejects.toMatchObject({ code: "LOCAL_IO" });
    await versions(place.context(), { env });
    expect(await stored(place)).toBe(next);
  });

  describe("and its journal damaged:", () => {
    const damage = (place: { state: string }) =>
      writeFileSync(join(place.state, "rotation.json"), '{"version"', { mode: 0o600 });

    test("what the bucket has under the staged passphrase brings that into force", async () => {
      const place = await setUp();
      const { old, next } = await killedAfterTheSwap(place);
      damage(place);
      expect(await pull(place.context(), { env })).toMatchObject({ generation: 2 });
      expect([await stored(place), await stored(place, `${account}#replaced`)]).toEqual([next, old]);
      expect(existsSync(join(place.state, "rotation.json"))).toBe(false);
    });

    test("what the bucket has under the old one, with nothing on its way, undoes the rotation", async () => {
      const place = await setUp();
      const old = await stored(place);
      await store(place, `${account}#next`, "the staged passphrase, 44 characters long..");
      damage(place);
      expect(await pull(place.context(), { env })).toMatchObject({ generation: 1 });
      expect([await stored(place), await stored(place, `${account}#next`)]).toEqual([old, null]);
    });

    test("a publish that is yet to be noted down is settled first, and decides", async () => {
      const place = await setUp();
      const old = await stored(place);
      await expect(killedAsItNotes(() => rotate(place))).rejects.toMatchObject({ code: "PARTIAL" });
      damage(place);
      expect(await pull(place.context(), { env })).toMatchObject({ generation: 2 });
      expect(await stored(place, `${account}#replaced`)).toBe(old);
      expect((await audit(place.context(), { env, verify: true })).findings).toEqual([]);
    });

    test("where nothing is staged it stays until it is moved away, as the hint says", async () => {
      const place = await setUp();
      damage(place);
      const journal = join(place.state, "rotation.json");
      await expect(pull(place.context(), { env })).rejects.toMatchObject({
        code: "CORRUPT",
        hint: expect.stringMatching(`^mv ${journal} ${journal}.damaged {3}then run the same command again`),
      });
      renameSync(journal, `${journal}.damaged`);
      await pull(place.context(), { env });
    });
  });

  test.each(["staged", "promoted"])(
    "with the new one %s, and a file keystore that has moved since: what is in it decides",
    async (when) => {
      const place = await setUp();
      const { next } = await killedAfterTheSwap(place);
      if (when === "promoted") {
        const killed = watchDisk(
          ({ operation, path }) => {
            if (operation === "unlink" && path.endsWith("%23next")) throw new Error("killed");
          },
          () => versions(place.context(), { env }),
        );
        await expect(killed).rejects.toThrow("killed");
      }
      const moved = join(place.home, "moved");
      renameSync(join(place.home, "keystore"), moved);
      const options = { env: { VSYNC_KEYSTORE: `file:${moved}` } };
      expect(await pull(place.context(options), { env })).toMatchObject({ generation: 2 });
      const keystore = await openKeystore(place.context(options).host);
      expect(await keystore.list()).toEqual([account, `${account}#replaced`]);
      expect(await keystore.get(account)).toBe(next);
    },
  );

  test("passphrase show and run --remote use the passphrase that is in force", async () => {
    const place = await setUp();
    const { next } = await killedAfterTheSwap(place);
    const out = join(place.folder, "shown");
    await passphraseShow(place.context(), { env, out });
    expect(readFileSync(out, "utf8")).toBe(next);
  });
});

test("an empty variable is none: the new passphrase goes into the keystore", async () => {
  const place = await setUp();
  const old = await stored(place);
  await rotate(place, {}, { env: { VSYNC_PASSPHRASE: "" } });
  expect(await stored(place)).not.toBe(old);
  expect(await pull(place.context(), { env })).toMatchObject({ generation: 2 });
});

test("backups are brought over where variables stand in for the keystore, too", async () => {
  const place = await setUp();
  const old = { env: { VSYNC_PASSPHRASE: (await stored(place)) as string } };
  await setValue(place, "edit");
  await pull(place.context(old), { env, backup: true });
  const out = join(place.folder, "next");
  await rotate(place, { out }, old);
  const next = { env: { VSYNC_PASSPHRASE: readFileSync(out, "utf8") } };
  await backupRestore(place.context(next), { env });
  expect((await get(place.context(next), { env, name: "VALUE" })).value).toBe("edit");
});

test("backups that a rotation could not bring over come back with the passphrase of their time, as the error says", async () => {
  const place = await setUp();
  const oldPassphrase = (await stored(place)) as string;
  const old = { env: { VSYNC_PASSPHRASE: oldPassphrase } };
  await setValue(place, "edit");
  await pull(place.context(old), { env, backup: true });
  const [{ backup } = { backup: "" }] = (await backupList(place.context(), { env })).backups;
  // A teammate rotates, and here a variable takes the place of the one before: no command ever has both.
  const behind = join(place.folder, "behind");
  cpSync(place.home, behind, { recursive: true });
  await rotate(place);
  const next = { env: { VSYNC_PASSPHRASE: (await stored(place)) as string } };
  rmSync(place.home, { recursive: true });
  cpSync(behind, place.home, { recursive: true });
  const [file, wrong] = ["old", "wrong"].map((name) => join(place.folder, name)) as [string, string];
  writeFileSync(file, oldPassphrase, { mode: 0o600 });
  writeFileSync(wrong, "neither of the two", { mode: 0o600 });

  for (const [doing, act] of [
    ["diff", backupDiff],
    ["restore", backupRestore],
  ] as const) {
    const refused = (hint: unknown) => ({ code: "WRONG_PASSPHRASE", hint });
    const advice = `vsync backup ${doing} demo ${backup} --old-passphrase-file <`;
    await expect(act(place.context(next), { env })).rejects.toMatchObject(
      refused(expect.stringContaining(advice)),
    );
    await expect(act(place.context(next), { env, oldPassphraseFile: wrong })).rejects.toMatchObject({
      code: "WRONG_PASSPHRASE",
      message: expect.stringContaining("opens with neither passphrase"),
    });
    expect(await act(place.context(next), { env, backup, oldPassphraseFile: file })).toMatchObject({
      backup,
    });
  }
  expect((await get(place.context(next), { env, name: "VALUE" })).value).toBe("edit");
  // What was in its place is kept under the passphrase in force.
  await backupRestore(place.context(next), { env });
  expect((await get(place.context(next), { env, name: "VALUE" })).value).toBe("one");
});
