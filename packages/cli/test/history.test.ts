import { createHash } from "node:crypto";
import { chmodSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { AUDIT_HEADER, parseTimestamp } from "@vsync/envelope";
import { openStore } from "@vsync/store";
import { encodeFolderHeader } from "@vsync/store/folder-object";
import { describe, expect, test } from "vitest";
import { audit, describeAudit } from "../src/commands/audit.ts";
import {
  backupDiff,
  backupList,
  backupRestore,
  describeBackupDiff,
  describeBackupList,
  describeBackupRestore,
} from "../src/commands/backup.ts";
import { diff } from "../src/commands/diff.ts";
import { get } from "../src/commands/get.ts";
import { init } from "../src/commands/init.ts";
import { type PassphraseShowInput, passphraseShow } from "../src/commands/passphrase-show.ts";
import { pull } from "../src/commands/pull.ts";
import { push } from "../src/commands/push.ts";
import { restore } from "../src/commands/restore.ts";
import { rotatePassphrase } from "../src/commands/rotate-passphrase.ts";
import { runtimeToken } from "../src/commands/runtime-token.ts";
import { set } from "../src/commands/set.ts";
import { describeVersions, versions } from "../src/commands/versions.ts";
import { watchDisk } from "./vault/disk.ts";
import { makeWorkplace, type Workplace } from "./workplace.ts";

const env = "demo";

async function publishValues(...values: readonly string[]): Promise<Workplace & { stored: string }> {
  const place = makeWorkplace();
  await init(place.context(), { env, ...place.bucket, iterations: 100_000 });
  for (const value of values) {
    await setValue(place, value);
    await push(place.context(), { env, note: `to ${value}` });
  }
  return { ...place, stored: join(place.folder, "bucket/acme_shop/demo") };
}

const setValue = (place: Workplace, value: string, name = "VALUE") =>
  set(place.context({ stdin: value }), { env, name, source: "-" });
const value = async (place: Workplace) => (await get(place.context(), { env, name: "VALUE" })).value;

test("what was published before a take-over opens with the passphrase of then, by the command in the hint", async () => {
  const place = await publishValues("one", "two");
  const first = (await versions(place.context(), { env })).versions[1]!.timestamp;
  await init(place.context(), { env, ...place.bucket, iterations: 100_000, overwrite: true, takeOver: true });
  const old = join(place.folder, "old");
  await expect(restore(place.context(), { env, version: first })).rejects.toMatchObject({
    code: "WRONG_PASSPHRASE",
    hint: `vsync restore ${env} ${first} --old-passphrase-file <file with the passphrase of its time>   (the last one: vsync passphrase show ${env} --replaced --out <file>)`,
  });
  await passphraseShow(place.context(), { env, replaced: true, out: old });
  const given = { env, version: first, oldPassphraseFile: old };
  expect((await diff(place.context(), given)).scalars.changed).toEqual(["VALUE"]);
  await restore(place.context(), given);
  await pull(place.context(), { env, force: true });
  expect(await value(place)).toBe("one");
  writeFileSync(old, "another passphrase");
  await expect(restore(place.context(), given)).rejects.toMatchObject({ code: "VSYNC_WRONG_PASSPHRASE" });
});

test("a backup from before a take-over opens with the passphrase of then, and rotations leave it so", async () => {
  const place = await publishValues("one");
  await setValue(place, "edited");
  await pull(place.context(), { env, backup: true });
  const [kept] = (await backupList(place.context(), { env })).backups;
  await init(place.context(), { env, ...place.bucket, iterations: 100_000, overwrite: true, takeOver: true });
  const { backups } = await backupList(place.context(), { env });
  expect(backups).toMatchObject([{ backup: kept!.backup, size: kept!.size, putAside: true }]);
  expect(describeBackupList({ env, backups }).out).toMatch(/ old passphrase/);
  const { backup } = kept!;
  const hint = (command: string) =>
    `vsync backup ${command} ${env} ${backup} --old-passphrase-file <file with the passphrase of its time>   (the last one: vsync passphrase show ${env} --replaced --out <file>)`;
  const refusal = { code: "WRONG_PASSPHRASE" };
  await expect(backupDiff(place.context(), { env })).rejects.toMatchObject({
    ...refusal,
    hint: hint("diff"),
  });
  await expect(backupRestore(place.context(), { env })).rejects.toMatchObject({
    ...refusal,
    hint: hint("restore"),
  });
  const old = join(place.folder, "old");
  await passphraseShow(place.context(), { env, replaced: true, out: old });
  await rotatePassphrase(place.context(), { env });
  const given = { env, backup, oldPassphraseFile: old };
  expect((await backupDiff(place.context(), given)).scalars.changed).toEqual(["VALUE"]);
  await setValue(place, "another edit");
  // In the second of the one that was put aside, whose name it must not get.
  const then = { host: { now: () => parseTimestamp(backup) as number } };
  expect(await backupRestore(place.context(then), given)).toMatchObject({ updated: true });
  expect(await value(place)).toBe("edited");
  const state = join(place.home, ".local/state/vsync/acme_shop");
  const aside = readdirSync(state).find((name) => name.includes(".replaced-")) as string;
  chmodSync(join(state, aside, "config"), 0o644);
  const both = (await backupList(place.context(), { env })).backups;
  expect(both.map(({ putAside }) => putAside)).toEqual([false, true]);
  expect(await backupRestore(place.context(), { env })).toMatchObject({ backup: both[0]!.backup });
  writeFileSync(old, "another passphrase");
  await expect(backupDiff(place.context(), given)).rejects.toMatchObject(refusal);
});

test("a backup from before a take-over opens after a rotation too, with the older of the replaced passphrases", async () => {
  const place = await publishValues("one");
  await setValue(place, "edited");
  await pull(place.context(), { env, backup: true });
  const [{ backup } = { backup: "" }] = (await backupList(place.context(), { env })).backups;
  await init(place.context(), { env, ...place.bucket, iterations: 100_000, overwrite: true, takeOver: true });
  await rotatePassphrase(place.context(), { env });
  const show = async (input: Omit<PassphraseShowInput, "env" | "out">) => {
    const context = place.context();
    const out = join(place.folder, `old-${input.nth}`);
    await passphraseShow(context, { env, out, replaced: true, ...input });
    return { oldPassphraseFile: out, said: context.said().err };
  };
  const newest = await show({});
  expect(newest.said).toContain(
    "older ones are kept too (1); the next: vsync passphrase show demo --replaced --nth 2 --out <file>",
  );
  await expect(backupRestore(place.context(), { env, backup, ...newest })).rejects.toMatchObject({
    code: "WRONG_PASSPHRASE",
  });
  const older = await show({ nth: 2 });
  expect(older.said).toBe("");
  expect(await backupRestore(place.context(), { env, backup, ...older })).toMatchObject({ updated: true });
  expect(await value(place)).toBe("edited");
  await expect(show({ nth: 3 })).rejects.toMatchObject({ code: "NOT_CONFIGURED" });
});

test("of a backup whose config no release put aside it is said that its salt is gone", async () => {
  const place = await publishValues("one");
  await setValue(place, "edited");
  await pull(place.context(), { env, backup: true });
  const old = join(place.folder, "old");
  await passphraseShow(place.context(), { env, out: old });
  await init(place.context(), { env, ...place.bucket, iterations: 100_000, overwrite: true, takeOver: true });
  const state = join(place.home, ".local/state/vsync/acme_shop");
  const aside = readdirSync(state).find((name) => name.includes(".replaced-")) as string;
  rmSync(join(state, aside, "config"));
  const context = place.context();
  const [kept] = (await backupList(context, { env })).backups;
  expect(context.said().err).toContain(`no salt is kept for ${kept!.backup}`);
  for (const given of [{}, { oldPassphraseFile: old }])
    await expect(backupDiff(place.context(), { env, ...given })).rejects.toMatchObject({
      code: "WRONG_PASSPHRASE",
      message: expect.stringContaining("no salt is kept for it"),
      hint: expect.stringMatching(/^it is the file /),
    });
});

test("versions lists what was published, newest first, with who and why", async () => {
  const place = await publishValues("one", "two", "three");
  const result = await versions(place.context(), { env });
  expect(result.versions.map(({ generation, note, current }) => ({ generation, note, current }))).toEqual([
    { generation: 3, note: "to three", current: true },
    { generation: 2, note: "to two", current: false },
    { generation: 1, note: "to one", current: false },
  ]);
  expect(result).toMatchObject({ more: false, ended: null });
  expect(await versions(place.context(), { env, limit: 2 })).toMatchObject({
    more: true,
    versions: { length: 2 },
  });
  expect(describeVersions(result, Date.now()).out).toMatch(/^ {3}version.*\n\* {2}\d{8}-\d{6} +3 /);
});

test("versions --key tells when a value changed", async () => {
  const place = await publishValues("one");
  await setValue(place, "other", "OTHER");
  await push(place.context(), { env });
  await setValue(place, "two");
  await push(place.context(), { env });
  const changes = await versions(place.context(), { env, key: "VALUE" });
  expect(changes.versions.map(({ generation }) => generation)).toEqual([3, 1]);
  expect(
    (await versions(place.context(), { env, key: "OTHER" })).versions.map((it) => it.generation),
  ).toEqual([2]);
  const never = await versions(place.context(), { env, key: "NEVER" });
  expect(describeVersions(never, 0, "NEVER").notes).toEqual(["no version of demo changed NEVER"]);
});

test("versions says where the history ends when a bundle is gone", async () => {
  const place = await publishValues("one", "two");
  const first = (await versions(place.context(), { env })).versions[1]!.timestamp;
  rmSync(join(place.stored, `v%3D${first}`));
  expect(await versions(place.context(), { env })).toMatchObject({
    versions: { length: 1 },
    ended: `version ${first} is not in the bucket any more`,
  });
});

test("restore publishes an old version as the newest, and leaves the folder to pull", async () => {
  const place = await publishValues("one", "two");
  const first = (await versions(place.context(), { env })).versions[1]!.timestamp;
  const dry = await restore(place.context({ flags: { dryRun: true } }), { env, version: first });
  expect(dry).toMatchObject({ published: false, generation: 3, changed: [".env.demo"] });
  expect((await versions(place.context(), { env })).versions).toHaveLength(2);
  expect(await restore(place.context(), { env, version: first })).toMatchObject({
    published: true,
    generation: 3,
    restored: first,
  });
  expect(await value(place)).toBe("two");
  expect(await pull(place.context(), { env })).toMatchObject({ generation: 3, updated: true });
  expect(await value(place)).toBe("one");
  expect((await versions(place.context(), { env })).versions).toHaveLength(3);
  await expect(restore(place.context(), { env, version: "yesterday" })).rejects.toMatchObject({
    code: "USAGE",
  });
  expect(await restore(place.context(), { env, version: "previous" })).toMatchObject({
    changed: [".env.demo"],
  });
  const { timestamp } = (await versions(place.context(), { env })).versions[0]!;
  await expect(restore(place.context(), { env, version: timestamp })).rejects.toMatchObject({
    code: "INPUT",
  });
  await expect(restore(place.context(), { env, version: "20200101-000000" })).rejects.toMatchObject({
    code: "INPUT",
  });
});

describe("a restore that is killed when it is published", () => {
  async function killedRestore(version: string, audit: boolean) {
    const place = await publishValues("one", "two", "three", "four");
    const [, three, two, one] = (await versions(place.context(), { env })).versions.map((it) => it.timestamp);
    const named = { one, two, three }[version] ?? version;
    const killed = watchDisk(
      ({ operation, path }) => {
        if (operation === "rename" && path.includes("/.ledger.json.")) throw new Error("killed");
      },
      () => restore(place.context(), { env, version: named, audit }),
    );
    await expect(killed).rejects.toMatchObject({ code: "PARTIAL" });
    return { ...place, one, two, three } as Workplace & Record<"one" | "two" | "three", string>;
  }

  test.each([true, false])("and typed again is done (audit: %s)", async (audit) => {
    const place = await killedRestore("one", audit);
    const again = await restore(place.context(), { env, version: place.one, audit });
    expect(again).toMatchObject({ restored: place.one, published: true, generation: 5 });
    expect((await versions(place.context(), { env })).versions).toHaveLength(5);
  });

  test("by a vsync that noted what it restores in its audit row only, and typed again, is done", async () => {
    const place = await killedRestore("one", true);
    const name = readdirSync(place.folder, { recursive: true, encoding: "utf8" }).find((it) =>
      it.endsWith("/pending.json"),
    );
    const file = join(place.folder, name!);
    const { restores, ...pending } = JSON.parse(readFileSync(file, "utf8"));
    expect(restores).toBe(place.one);
    writeFileSync(file, JSON.stringify(pending), { mode: 0o600 });
    const again = await restore(place.context(), { env, version: place.one });
    expect(again).toMatchObject({ restored: place.one, published: true, generation: 5 });
  });

  test("and typed again as `previous` is done: it goes back no further", async () => {
    const place = await killedRestore("previous", true);
    const again = await restore(place.context(), { env, version: "previous" });
    expect(again).toMatchObject({ restored: place.three, published: true, generation: 5 });
  });

  test.each([
    ["two", "two"],
    ["previous", "three"],
  ] as const)(
    "is told, and another version that is asked for then is restored: %s",
    async (asked, version) => {
      const place = await killedRestore("one", true);
      const context = place.context();
      const other = await restore(context, { env, version: asked === "previous" ? asked : place[asked] });
      expect(context.said().err).toMatch(/an interrupted restore \(.*\) is published as generation 5/);
      expect(other).toMatchObject({ restored: place[version], published: true, generation: 6 });
      await pull(place.context(), { env });
      expect(await value(place)).toBe(version);
    },
  );
});

test("there is nothing before the first version", async () => {
  const place = await publishValues("one");
  const back = restore(place.context(), { env, version: "previous" });
  await expect(back).rejects.toMatchObject({
    code: "INPUT",
    message: expect.stringContaining("it is the first one"),
  });
});

test("a manifest without its seal says what to do; that works, and older versions then say how they open", async () => {
  const place = await publishValues("one");
  const [first] = (await versions(place.context(), { env })).versions;
  const store = await openStore({ ...place.bucket, region: "", accessKeyId: "", secretAccessKey: "" });
  const key = "acme_shop/demo/manifest";
  await store.put(key, (await store.get(key))!.body, { metadata: { gen: "1" } });
  await expect(push(place.context(), { env })).rejects.toMatchObject({
    code: "CORRUPT",
    hint: expect.stringMatching(/vsync init demo --overwrite --take-over$/),
  });
  const anew = { env, ...place.bucket, iterations: 100_000, overwrite: true, takeOver: true };
  expect(await init(place.context(), anew)).toMatchObject({ did: "take-over" });

  const { timestamp: version } = first!;
  const hintOf = (command: Promise<unknown>) => command.then(String, ({ hint }) => String(hint));
  expect(await hintOf(pull(place.context(), { env, version }))).toMatch(
    `vsync pull demo --version ${version} --old-passphrase-file <`,
  );
  expect(await hintOf(restore(place.context(), { env, version }))).toMatch(
    `vsync restore demo ${version} --old-passphrase-file <`,
  );
  expect(await hintOf(diff(place.context(), { env, version }))).toMatch(
    `vsync diff demo --version ${version} --old-passphrase-file <`,
  );
});

test("what a pull replaced is listed and comes back, and what that replaces is a version or a backup", async () => {
  const place = await publishValues("one");
  await expect(backupRestore(place.context(), { env })).rejects.toMatchObject({ code: "INPUT" });
  await setValue(place, "precious edit");
  await pull(place.context(), { env, backup: true });
  expect(await value(place)).toBe("one");
  const [backup] = (await backupList(place.context(), { env })).backups;
  expect(readFileSync(backup!.path, "latin1")).not.toContain("precious");
  const given = { env, backup: backup!.backup };
  const [{ timestamp } = { timestamp: "" }] = (await versions(place.context(), { env })).versions;
  const result = await backupRestore(place.context(), given);
  expect(result).toMatchObject({ updated: true, changed: [".env.demo"], kept: null, was: timestamp });
  expect(describeBackupRestore(result).notes).toContain(
    `what was there is version ${timestamp}: vsync pull demo --version ${timestamp} --force brings it back`,
  );
  expect(await value(place)).toBe("precious edit");
  await pull(place.context(), { env, version: timestamp, force: true });
  expect(await value(place)).toBe("one");
  await setValue(place, "another edit");
  expect(await backupRestore(place.context(), given)).toMatchObject({ kept: expect.any(String), was: null });
  expect((await diff(place.context(), { env })).scalars.changed).toEqual(["VALUE"]);
  expect((await backupList(place.context(), { env })).backups).toHaveLength(2);
  expect(await backupRestore(place.context(), { env, backup: backup!.backup })).toMatchObject({
    updated: false,
  });
  expect(await push(place.context(), { env })).toMatchObject({ published: true, generation: 2 });
});

test("a backup that would take out what was pulled since says so, and leads to the single values", async () => {
  const place = await publishValues("one");
  await setValue(place, "theirs", "MORE");
  await push(place.context(), { env });
  await pull(place.context(), { env, version: "previous" });
  await setValue(place, "mine", "OWN");
  await expect(push(place.context(), { env })).rejects.toMatchObject({
    code: "CONFLICT",
    hint: expect.stringMatching(
      /vsync backup diff demo.*vsync set demo <NAME>.*would take out what was just/,
    ),
  });
  await pull(place.context(), { env, backup: true });
  for (const dryRun of [true, false]) {
    const context = place.context({ flags: { dryRun } });
    await backupRestore(context, { env });
    expect(context.said().err).toMatch(
      /^warning: backup \S+ takes out or replaces what version \S+ has: - MORE\. .*vsync backup diff demo .*vsync set demo <NAME>/,
    );
  }
});

test("a backup that only adds to what is there comes back without a warning", async () => {
  const place = await publishValues("one");
  await setValue(place, "mine", "OWN");
  await pull(place.context(), { env, backup: true });
  const context = place.context();
  await backupRestore(context, { env });
  expect(context.said().err).toBe("");
});

test("a backup can be looked into before it is brought back: names, and values only with --reveal", async () => {
  const place = await publishValues("one");
  await expect(backupDiff(place.context(), { env })).rejects.toMatchObject({ code: "INPUT" });
  await setValue(place, "precious edit");
  await setValue(place, "x", "MORE");
  await pull(place.context(), { env, backup: true });
  const names = await backupDiff(place.context(), { env });
  expect(names).toMatchObject({
    backup: expect.stringMatching(/^20\d{6}-\d{6}$/),
    scalars: { added: ["MORE"], changed: ["VALUE"], removed: [] },
    files: { changed: [".env.demo"] },
    patches: null,
  });
  expect(JSON.stringify([names, describeBackupDiff(names)])).not.toContain("precious");
  expect(describeBackupDiff(names).notes?.[0]).toContain(`vsync backup restore demo ${names.backup}`);
  const { backup } = names;
  const { out } = describeBackupDiff(await backupDiff(place.context(), { env, backup, reveal: true }));
  expect(out).toContain("-VALUE=one\n");
  expect(out).toContain("+VALUE=precious edit\n");
  expect(await value(place)).toBe("one");
  await backupRestore(place.context(), { env });
  expect(describeBackupDiff(await backupDiff(place.context(), { env, backup })).notes).toEqual([
    `the vault folder of demo equals backup ${backup}`,
  ]);
  await expect(backupDiff(place.context(), { env, backup: `${backup}0` })).rejects.toMatchObject({
    message: expect.stringContaining(`did you mean ${backup}?`),
  });
});

test("looking through ten backups loses none and makes none; the pull that drops one says which", async () => {
  const place = await publishValues("one");
  const pullOver = async (edit: string): Promise<string> => {
    await setValue(place, edit);
    const context = place.context();
    await pull(context, { env, backup: true });
    return context.said().err;
  };
  for (let count = 0; count < 10; count++) expect(await pullOver(`edit ${count}`)).not.toMatch("dropped");
  const listed = async () => (await backupList(place.context(), { env })).backups.map(({ backup }) => backup);
  const ten = await listed();
  for (const [index, backup] of ten.entries()) {
    await backupRestore(place.context(), { env, backup });
    expect(await value(place)).toBe(`edit ${9 - index}`);
  }
  expect(await listed()).toEqual(ten);
  expect(await pullOver("edit 10")).toMatch(`of the backups the newest ten stay; dropped: ${ten.at(-1)}\n`);
  expect((await listed()).slice(1)).toEqual(ten.slice(0, -1));
});

test("the oldest of ten backups survives being restored when the swap of the folder fails", async () => {
  const place = await publishValues("one");
  for (let edit = 1; edit <= 10; edit++) {
    await setValue(place, `edit ${edit}`);
    await pull(place.context(), { env, backup: true });
  }
  const list = async () => (await backupList(place.context(), { env })).backups;
  const { backup, path } = (await list()).at(-1)!;
  const now = (): number => {
    if (readdirSync(dirname(path)).length > 10) throw new Error("the swap fails");
    return Date.now();
  };
  await setValue(place, "edit 11");
  const failing = backupRestore(place.context({ host: { now } }), { env, backup });
  await expect(failing).rejects.toThrow("the swap fails");
  expect(await value(place)).toBe("edit 11");
  expect(await backupRestore(place.context(), { env, backup })).toMatchObject({ updated: true });
  expect(await value(place)).toBe("edit 1");
  expect(await list()).toHaveLength(11);
});

test("where the current bundle is lost, the folder that is in step brings it back, and nothing says otherwise", async () => {
  const place = await publishValues("one", "two");
  const { versions: before } = await versions(place.context(), { env });
  rmSync(join(place.stored, encodeURIComponent(`v=${before[0]!.timestamp}`)));
  await expect(restore(place.context(), { env, version: "previous" })).rejects.toMatchObject({
    message: `there is no version before the current one of demo: version ${before[0]!.timestamp} is not in the bucket any more`,
  });
  await expect(diff(place.context(), { env, remote: true })).rejects.toMatchObject({
    code: "CORRUPT",
    hint: expect.stringContaining("vsync push demo --force"),
  });
  expect(await push(place.context(), { env })).toMatchObject({ published: false });
  expect(await push(place.context(), { env, force: true })).toMatchObject({ published: true, generation: 3 });
  expect((await diff(place.context(), { env, remote: true })).files.changed).toEqual([]);
});

test("where the manifest was deleted and there is no vault folder, the hint of pull brings the last version back", async () => {
  const place = await publishValues("one", "two");
  rmSync(join(place.stored, "manifest"));
  const folder = join(place.root, "infra/vault/demo");
  rmSync(folder, { recursive: true });
  await expect(push(place.context(), { env, recreate: true })).rejects.toMatchObject({
    hint: expect.stringContaining("vsync pull demo"),
  });
  await expect(pull(place.context(), { env })).rejects.toMatchObject({
    code: "NOT_CONFIGURED",
    hint: expect.stringContaining(
      `mkdir -p ${folder} && vsync push demo --recreate --force && vsync restore demo previous && vsync pull demo`,
    ),
  });
  mkdirSync(folder);
  await push(place.context(), { env, recreate: true, force: true });
  await restore(place.context(), { env, version: "previous" });
  expect(await pull(place.context(), { env })).toMatchObject({ generation: 4 });
  expect(await value(place)).toBe("two");
});

test("where the manifest was deleted, every command that needs it says so, and how it comes back", async () => {
  const place = await publishValues("one", "two");
  rmSync(join(place.stored, "manifest"));
  const gone = {
    code: "NOT_CONFIGURED",
    message: expect.stringMatching(/^the manifest of demo is gone from .*, though generation 2 was there/),
    hint: "find out who and why; then publish the vault folder anew: vsync push demo --recreate",
  };
  const context = place.context();
  await expect(pull(context, { env })).rejects.toMatchObject(gone);
  await expect(restore(context, { env, version: "previous" })).rejects.toMatchObject(gone);
  await expect(rotatePassphrase(context, { env })).rejects.toMatchObject(gone);
  await expect(versions(context, { env })).rejects.toMatchObject(gone);
  await expect(diff(context, { env, remote: true })).rejects.toMatchObject(gone);
  await runtimeToken(context, { env });
  expect(context.said().err).toContain("vsync push demo --recreate");
  expect(context.said().err).not.toContain("nothing has been pushed yet");
  expect(await push(context, { env, recreate: true })).toMatchObject({ generation: 3 });
});

test("who looks for backups after a pull that was cut short has the vault folder back", async () => {
  const place = await publishValues("one");
  const folder = join(place.root, "infra/vault/demo");
  const staging = join(dirname(folder), ".vsync-demo-1");
  mkdirSync(staging);
  renameSync(folder, join(staging, "old"));
  const [ledger] = readdirSync(place.folder, { recursive: true, encoding: "utf8" }).filter((name) =>
    name.endsWith("ledger.json"),
  );
  const swap = { version: 1, folder, staging, synced: null, audit: null };
  writeFileSync(join(place.folder, dirname(ledger!), "swap.json"), JSON.stringify(swap), { mode: 0o600 });
  expect((await backupList(place.context(), { env })).backups).toEqual([]);
  expect(readdirSync(folder)).toEqual([".env.demo"]);
});

test("audit shows rows newest first, filtered, and as CSV", async () => {
  const place = await publishValues("one", "two");
  const { rows } = await audit(place.context(), { env });
  expect(rows.map(({ action, gen }) => [action, gen])).toEqual([
    ["push", "2"],
    ["push", "1"],
  ]);
  expect(await audit(place.context(), { env, limit: 1 })).toMatchObject({ more: true, rows: { length: 1 } });
  expect((await audit(place.context(), { env, action: "pull" })).rows).toEqual([]);
  expect((await audit(place.context(), { env, since: "2999-01-01" })).rows).toEqual([]);
  await expect(audit(place.context(), { env, since: "yesterday" })).rejects.toMatchObject({ code: "USAGE" });
  const { csv } = await audit(place.context(), { env, csv: true });
  expect(csv).toMatch(/^ts,action,.*,meta\n.*,push,/);
  expect(describeAudit(await audit(place.context(), { env })).out).toContain("to two");
});

test("audit --verify passes on a log as it was written, and names what was done to another", async () => {
  const place = await publishValues("one", "two", "three");
  const file = join(place.stored, "audit.csv");
  expect((await audit(place.context(), { env, verify: true })).findings).toEqual([]);

  const genuine = readFileSync(file);
  const [header, body] = [
    genuine.subarray(0, genuine.indexOf(10) + 1),
    genuine.subarray(genuine.indexOf(10) + 1),
  ];
  const store = (text: string) => {
    const bytes = Buffer.from(text);
    const meta = JSON.parse(header.toString());
    const sha256 = createHash("sha256").update(bytes).digest("hex");
    writeFileSync(
      file,
      Buffer.concat([Buffer.from(`${JSON.stringify({ ...meta, size: bytes.length, sha256 })}\n`), bytes]),
    );
  };
  const lines = body.toString().split("\n");
  const findings = async () =>
    await audit(place.context(), { env, verify: true }).then(
      () => [],
      (error) => error.details.findings as { row: number | null; problem: string }[],
    );

  store(lines.with(2, lines[2]!.replace("to two", "to four")).join("\n"));
  expect(await findings()).toContainEqual(expect.objectContaining({ file: "audit.csv", row: 2 }));
  store([...lines.slice(0, 3), ""].join("\n"));
  expect(await findings()).toEqual([
    expect.objectContaining({
      problem: expect.stringContaining("the last row that this machine saw is gone"),
    }),
    expect.objectContaining({ problem: expect.stringContaining("generation 3") }),
  ]);
  store("something else");
  expect(await findings()).toContainEqual(
    expect.objectContaining({ problem: "audit.csv is no audit log of vsync" }),
  );
});

test("audit does not pass a log that cannot be read, in whole or further back, for one without rows", async () => {
  const place = await publishValues("one", "two");
  const file = join(place.stored, "audit.csv");
  const put = (path: string, body: Uint8Array): void =>
    writeFileSync(path, Buffer.concat([encodeFolderHeader(body, {}), body]));
  const genuine = readFileSync(file);
  const log = genuine.subarray(genuine.indexOf(10) + 1);
  const damages: [Uint8Array, string][] = [
    [Buffer.from("something else"), "is no audit log of vsync"],
    [Buffer.concat([log, Buffer.alloc(5_000_000, "x\n")]), "is larger than any log that vsync writes"],
  ];
  for (const [body, why] of damages) {
    put(file, body);
    await expect(audit(place.context(), { env })).rejects.toMatchObject({
      code: "CORRUPT",
      message: `the audit log of demo cannot be read: audit.csv ${why}`,
      hint: expect.stringMatching(/^vsync audit demo --verify /),
    });
  }
  await setValue(place, "three");
  await push(place.context(), { env });
  const closed = join(place.stored, "audit", readdirSync(join(place.stored, "audit"))[0]!);
  const name = `audit/${basename(closed)}`;
  const tell = async (why: string) => {
    const context = place.context({ flags: { quiet: true } });
    const result = await audit(context, { env });
    expect(result).toMatchObject({ rows: [{ gen: "3" }], more: false, ended: why });
    expect(context.said().err).toBe(
      `warning: the audit log of demo cannot be followed further back: ${why}\n`,
    );
  };
  await tell(`${name} is larger than any log that vsync writes`);
  put(closed, Buffer.from("something else"));
  await tell(`${name} is no audit log of vsync`);
  rmSync(closed);
  await tell(`${name} is gone, though a later file continues it`);
});

test("an environment that keeps no log says so, and --verify finds nothing wrong with that", async () => {
  const place = makeWorkplace();
  await init(place.context(), { env, ...place.bucket, iterations: 100_000, audit: false });
  await setValue(place, "one");
  await push(place.context(), { env });
  const stored = join(place.folder, "bucket/acme_shop/demo");
  for (const verify of [false, true]) {
    const result = await audit(place.context(), { env, verify });
    expect(result).toMatchObject({ enabled: false, rows: [], findings: verify ? [] : null });
    expect(describeAudit(result).notes?.[0]).toBe("demo keeps no audit log: it was set up with --no-audit");
  }
  const logged = await publishValues("one");
  mkdirSync(join(stored, "audit"), { recursive: true });
  const log = readFileSync(join(logged.stored, "audit.csv"));
  writeFileSync(join(stored, "audit", "20260501-120000-00000000.csv"), log);
  await expect(audit(place.context(), { env, verify: true })).rejects.toMatchObject({ code: "CORRUPT" });
});

test("audit shows rows that somebody else put there, and neither stumbles over them nor has a spreadsheet run them", async () => {
  const place = await publishValues("one");
  const nested = `${"[".repeat(20_000)}${"]".repeat(20_000)}`;
  const metas = [
    '{"id":"0","prev":"audit/x.csv","prev_sha256":"0","for":"me"}',
    '{"a":{"toString":1},"b":null,"c":[1]}',
    `{"deep":${nested}}`,
    "no JSON",
    '["list"]',
  ];
  const rows = metas.map(
    (meta) => `=1+1,push,v,7,@host,ip,-user,+mail,1,node,"${meta.replaceAll('"', '""')}",00\n`,
  );
  const body = Buffer.from(AUDIT_HEADER + rows.join(""));
  writeFileSync(join(place.stored, "audit.csv"), Buffer.concat([encodeFolderHeader(body, {}), body]));
  const shown = await audit(place.context(), { env, csv: true });
  const { out } = describeAudit({ ...shown, csv: null });
  expect(out).toContain("a=... b=null c=...");
  // What vsync writes for itself is no news to anybody.
  expect(out).toContain("  for=me");
  expect(out).not.toContain("prev");
  expect(shown.csv).not.toMatch(/(^|,|\n)[=+@-]/);
  expect(shown.csv).toContain("\n'=1+1,push,v,7,'@host,ip,'-user,'+mail,1,node,");
});
