import { execFileSync } from "node:child_process";
import {
  cpSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { encodeShare, type SharePayload } from "@vsync/envelope";
import { describe, expect, onTestFinished, test } from "vitest";
import { startFakeS3 } from "../../store/test/fake-s3.ts";
import { audit } from "../src/commands/audit.ts";
import { backupList, backupRestore } from "../src/commands/backup.ts";
import { get } from "../src/commands/get.ts";
import { init } from "../src/commands/init.ts";
import { keystoreExport } from "../src/commands/keystore-export.ts";
import { keystoreImport } from "../src/commands/keystore-import.ts";
import { pull } from "../src/commands/pull.ts";
import { push } from "../src/commands/push.ts";
import { rotatePassphrase } from "../src/commands/rotate-passphrase.ts";
import { set } from "../src/commands/set.ts";
import { describeShareExport, type ShareExportInput, shareExport } from "../src/commands/share-export.ts";
import { type ShareImportInput, shareImport } from "../src/commands/share-import.ts";
import { type EnvConfig, loadEnvConfig, saveEnvConfig } from "../src/config/env-config.ts";
import { envConfigPath, envStateFolder } from "../src/config/paths.ts";
import { openKeystore } from "../src/keys/keystore.ts";
import { acquireLock } from "../src/vault/lock.ts";
import { watchDisk } from "./vault/disk.ts";
import { failureOf } from "./vault/writer.ts";
import { type ContextOptions, makeWorkplace, type Workplace } from "./workplace.ts";

const env = "demo";
const account = "acme_shop/demo";

async function setUp(): Promise<Workplace> {
  const place = makeWorkplace();
  await init(place.context(), { env, ...place.bucket, iterations: 100_000 });
  await setValue(place, "one");
  await push(place.context(), { env });
  return place;
}

const setValue = (place: Workplace, value: string) =>
  set(place.context({ stdin: value }), { env, name: "VALUE", source: "-" });
const value = async (place: Workplace) => (await get(place.context(), { env, name: "VALUE" })).value;
const stored = async (place: Workplace, of = account) =>
  await (await openKeystore(place.context().host)).get(of);

async function exportFrom(
  place: Workplace,
  input: Partial<ShareExportInput> = {},
  options: ContextOptions = {},
) {
  const out = join(place.folder, `${Math.random()}.share`);
  const result = await shareExport(place.context(options), { env, out, ...input });
  return { file: result.file, passphrase: result.passphrase as string, result };
}

const importTo = (
  place: Workplace,
  { file, passphrase }: { readonly file: string; readonly passphrase: string },
  input: Partial<ShareImportInput> = {},
  options: ContextOptions = {},
) =>
  shareImport(place.context({ ...options, env: { VSYNC_SHARE_PASSPHRASE: passphrase, ...options.env } }), {
    file,
    ...input,
  });

test("a share file that git would take along is warned of, and the command in the warning ends it", async () => {
  const place = await setUp();
  const warned = async (out?: string): Promise<string> => {
    const context = place.context();
    await shareExport(context, { env, ...(out !== undefined && { out }) });
    return context.said().err;
  };
  expect(await warned()).toBe(""); // init's own rule covers it
  expect(await warned("../beside.share")).toBe("");
  const warning = await warned("for bob.txt");
  expect(warning).toContain("git does not ignore");
  const command = /or: (echo .*)$/m.exec(warning)?.[1] as string;
  execFileSync("sh", ["-c", command], { cwd: "/" });
  rmSync(join(place.root, "for bob.txt"));
  expect(await warned("for bob.txt")).toBe("");
});

test("a share makes a second machine a teammate's, and importing it again changes nothing", async () => {
  const [alice, bob] = [await setUp(), makeWorkplace()];
  const share = await exportFrom(alice);
  expect(share.passphrase).toMatch(/^[a-z]+(-[a-z]+){5}$/);
  expect(statSync(share.file).mode & 0o777).toBe(0o600);
  expect(describeShareExport(share.result).notes?.join("\n")).toContain(share.passphrase);

  expect(await importTo(bob, share)).toMatchObject({ repo: "acme_shop", env, did: "import" });
  expect(await pull(bob.context(), { env })).toMatchObject({ updated: true, generation: 1 });
  expect(await value(bob)).toBe("one");
  expect(loadEnvConfig(bob.context().host, "acme_shop", env)?.minGen).toBe(1);
  expect(await importTo(bob, share)).toMatchObject({ did: "same" });
  expect(await value(bob)).toBe("one");
  await setValue(bob, "two");
  expect(await push(bob.context(), { env })).toMatchObject({ generation: 2 });
  const { rows } = await audit(alice.context(), { env });
  expect(rows.map(({ action }) => action)).toEqual(["push", "import", "pull", "import", "export", "push"]);
});

test("a share of a machine that has accepted an older state asks for no more than that state", async () => {
  const [alice, bob, eve] = [await setUp(), makeWorkplace(), makeWorkplace()];
  const bucket = join(alice.folder, alice.bucket.bucket);
  cpSync(bucket, `${bucket}-then`, { recursive: true });
  await setValue(alice, "two");
  await push(alice.context(), { env });
  await importTo(bob, await exportFrom(alice));
  rmSync(bucket, { recursive: true });
  renameSync(`${bucket}-then`, bucket);
  await pull(bob.context(), { env, acceptRollback: true });
  expect(await importTo(eve, await exportFrom(bob))).toMatchObject({ did: "import" });
  expect(loadEnvConfig(eve.context().host, "acme_shop", env)?.minGen).toBe(1);
});

test.each([
  ["spaces between them", (words: string) => ` ${words.replaceAll("-", " ")}`],
  ["capitals", (words: string) => words.replace(/\b[a-z]/g, (letter) => letter.toUpperCase())],
  ["dashes that a telephone made of hyphens", (words: string) => words.replaceAll("-", " \u2013 ")],
  ["a sentence", (words: string) => `${words.replaceAll("-", ", ")}.`],
])("six words are taken as they were heard: %s", async (_how, heard) => {
  const [alice, bob] = [await setUp(), makeWorkplace()];
  const share = await exportFrom(alice);
  const passphrase = heard(share.passphrase);
  expect(passphrase).not.toBe(share.passphrase);
  expect(await importTo(bob, { ...share, passphrase })).toMatchObject({ did: "import" });
});

test.each([
  ["a folder", "."],
  ["a device without an end, behind a link", "/dev/zero"],
])("%s is no share file", async (_, target) => {
  const bob = makeWorkplace();
  const file = join(bob.folder, "prod.share");
  symlinkSync(target, file);
  await expect(importTo(bob, { file, passphrase: "any" })).rejects.toMatchObject({
    code: "INPUT",
    message: `${file} is no share file`,
  });
});

test("a key file is known for one, with the command that takes it, and so is a share where a key file is asked for", async () => {
  const [alice, bob] = [await setUp(), makeWorkplace()];
  const share = await exportFrom(alice);
  const keys = join(alice.folder, "laptop.keys");
  await keystoreExport(alice.context(), { names: [], all: true, out: keys });
  await expect(importTo(bob, { file: keys, passphrase: "any" })).rejects.toMatchObject({
    code: "INPUT",
    message: `${keys} is no share file but a key file`,
    hint: `vsync keystore import ${keys}`,
  });
  await expect(keystoreImport(bob.context(), { file: share.file })).rejects.toMatchObject({
    code: "INPUT",
    message: `${share.file} is no key file but a share file`,
    hint: `vsync share import ${share.file}`,
  });
});

test("a wrong passphrase and a damaged file are told apart", async () => {
  const [alice, bob] = [await setUp(), makeWorkplace()];
  const share = await exportFrom(alice);
  for (const passphrase of ["six-other-words", "Six words that nobody said here"]) {
    await expect(importTo(bob, { ...share, passphrase })).rejects.toMatchObject({ code: "WRONG_PASSPHRASE" });
  }
  writeFileSync(share.file, readFileSync(share.file).subarray(0, 40));
  await expect(importTo(bob, share)).rejects.toMatchObject({ code: "VSYNC_BUNDLE_CORRUPT" });
  await expect(shareImport(bob.context(), { file: join(bob.folder, "none") })).rejects.toMatchObject({
    code: "INPUT",
  });
  await expect(shareImport(bob.context(), { file: share.file })).rejects.toMatchObject({
    code: "INPUT",
    hint: expect.stringContaining("--passphrase-file"),
  });
  expect(await stored(bob)).toBeNull();
});

test("a share of another repository is refused, and one into a repository without a name gives it one", async () => {
  const alice = await setUp();
  const share = await exportFrom(alice);
  const other = makeWorkplace("https://git.example/acme/other.git");
  await expect(importTo(other, share)).rejects.toMatchObject({
    code: "INPUT",
    message: expect.stringContaining("acme_other"),
  });
  await expect(importTo(other, share, {}, { flags: { repo: "other_name" } })).rejects.toMatchObject({
    code: "INPUT",
  });
  expect(loadEnvConfig(other.context().host, "acme_shop", env)).toBeNull();
});

test("after a rotation an old share is refused and a new one brings the machine over, backups included", async () => {
  const [alice, bob] = [await setUp(), makeWorkplace()];
  const old = await exportFrom(alice);
  await importTo(bob, old);
  await pull(bob.context(), { env });
  await setValue(bob, "bob's edit");
  await pull(bob.context(), { env, backup: true });
  await rotatePassphrase(alice.context(), { env });
  await expect(pull(bob.context(), { env })).rejects.toMatchObject({ code: "WRONG_PASSPHRASE" });
  await expect(importTo(bob, old)).rejects.toMatchObject({ code: "WRONG_PASSPHRASE" });
  expect(await importTo(bob, await exportFrom(alice))).toMatchObject({ did: "rekeyed" });
  expect(await stored(bob)).toBe(await stored(alice));
  expect(await pull(bob.context(), { env })).toMatchObject({ generation: 2 });
  expect((await backupList(bob.context(), { env })).backups).toHaveLength(1);
  await backupRestore(bob.context(), { env });
  expect(await value(bob)).toBe("bob's edit");
});

test("a damaged config is put out of the way by the command in the hint, and the share brings it back", async () => {
  const alice = await setUp();
  const share = await exportFrom(alice);
  const path = envConfigPath(alice.context().host, "acme_shop", env);
  writeFileSync(path, readFileSync(path).subarray(0, 20));
  const { code, hint } = await failureOf(importTo(alice, share));
  expect(code).toBe("CORRUPT");
  execFileSync("sh", ["-c", /^mv \S+ \S+/.exec(hint)?.[0] as string]);
  expect(await importTo(alice, share)).toMatchObject({ did: "import" });
  expect(await push(alice.context(), { env })).toMatchObject({ generation: 1 });
});

test("where only the config was lost, the same share brings it back, and what was remembered is still there", async () => {
  const [alice, bob] = [await setUp(), makeWorkplace()];
  const share = await exportFrom(alice);
  await importTo(bob, share);
  await pull(bob.context(), { env });
  await setValue(bob, "bob's edit");
  await pull(bob.context(), { env, backup: true });
  const ledger = join(bob.home, ".local/state/vsync/acme_shop/demo/ledger.json");
  const { highest } = JSON.parse(readFileSync(ledger, "utf8"));
  rmSync(join(bob.home, ".config"), { recursive: true });
  expect(await importTo(bob, share)).toMatchObject({ did: "import" });
  expect(JSON.parse(readFileSync(ledger, "utf8")).highest).toEqual(highest);
  expect((await backupList(bob.context(), { env })).backups).toHaveLength(1);
  await backupRestore(bob.context(), { env });
  expect(await value(bob)).toBe("bob's edit");
});

test("the same where a variable stands in for the keystore", async () => {
  const [alice, ci] = [await setUp(), makeWorkplace()];
  const share = await exportFrom(alice);
  const given = { env: { VSYNC_PASSPHRASE: (await stored(alice)) as string } };
  await importTo(ci, share, {}, given);
  await pull(ci.context(given), { env });
  const ledger = join(ci.home, ".local/state/vsync/acme_shop/demo/ledger.json");
  const { highest } = JSON.parse(readFileSync(ledger, "utf8"));
  rmSync(join(ci.home, ".config"), { recursive: true });
  await importTo(ci, share, {}, given);
  expect(JSON.parse(readFileSync(ledger, "utf8")).highest).toEqual(highest);
});

test("another vault of that name is replaced only with --overwrite", async () => {
  const [alice, bob] = [await setUp(), await setUp()];
  const share = await exportFrom(alice);
  const key = await stored(bob);
  await expect(importTo(bob, share)).rejects.toMatchObject({ code: "CONFLICT" });
  expect(await stored(bob)).toBe(key);
  expect(await importTo(bob, share, { overwrite: true })).toMatchObject({ did: "import" });
  expect(await stored(bob)).toBe(await stored(alice));
  expect(await stored(bob, `${account}#replaced`)).toBe(key);
});

describe("over another vault, in which an earlier command was cut short", () => {
  async function cutShort(place: Workplace): Promise<string> {
    const folder = join(place.root, "infra/vault/demo");
    const staging = join(place.root, "infra/vault/.vsync-demo-1");
    mkdirSync(staging);
    renameSync(folder, join(staging, "old"));
    const state = envStateFolder(place.context().host, "acme_shop", env);
    const swap = { version: 1, folder, staging, synced: null, audit: null };
    writeFileSync(join(state, "swap.json"), JSON.stringify(swap), { mode: 0o600 });
    return state;
  }

  test.each([
    ["with its passphrase", async () => undefined],
    ["without", async (place: Workplace) => await (await openKeystore(place.context().host)).delete(account)],
  ])("a pull is undone first: %s", async (_, prepare) => {
    const [alice, bob] = [await setUp(), await setUp()];
    const share = await exportFrom(alice);
    await setValue(bob, "bob's edit");
    await cutShort(bob);
    await prepare(bob);
    await importTo(bob, share, { overwrite: true });
    expect(await value(bob)).toBe("bob's edit");
    expect(readdirSync(join(bob.root, "infra/vault"))).toEqual(["demo"]);
  });

  test("a push is settled first, and while that is not possible nothing is replaced", async () => {
    const [alice, bob] = [await setUp(), await setUp()];
    const share = await exportFrom(alice);
    const state = envStateFolder(bob.context().host, "acme_shop", env);
    const bucket = join(bob.folder, "bucket");
    await setValue(bob, "two");
    await watchDisk(
      ({ operation, path }) => {
        if (operation === "rename" && path.includes("/.ledger.json.")) throw new Error("killed");
      },
      () => push(bob.context(), { env }).catch(() => undefined),
    );
    renameSync(bucket, `${bucket}-away`);
    const key = await stored(bob);
    const refused = await failureOf(importTo(bob, share, { overwrite: true }));
    expect(refused.hint).toMatch(/^vsync versions demo {3}then run the same command again; .*: mv /);
    expect(await stored(bob)).toBe(key);

    renameSync(`${bucket}-away`, bucket);
    const context = bob.context({ env: { VSYNC_SHARE_PASSPHRASE: share.passphrase } });
    await shareImport(context, { file: share.file, overwrite: true });
    expect(context.said().err).toContain("is published as generation 2");
    expect(readdirSync(state)).not.toContain("pending.json");
  });

  test("a push into a bucket that is gone for good is given up by the command in the hint", async () => {
    const [alice, bob] = [await setUp(), await setUp()];
    const share = await exportFrom(alice);
    const state = envStateFolder(bob.context().host, "acme_shop", env);
    writeFileSync(join(state, "pending.json"), "{}", { mode: 0o600 });
    const { hint } = await failureOf(importTo(bob, share, { overwrite: true }));
    execFileSync("sh", ["-c", /mv .*$/.exec(hint)?.[0] as string]);
    expect(await importTo(bob, share, { overwrite: true })).toMatchObject({ did: "import" });
  });
});

test("variables stand in for the keystore, if they hold the share's passphrase", async () => {
  const [alice, ci] = [await setUp(), makeWorkplace()];
  const share = await exportFrom(alice);
  const key = (await stored(alice)) as string;
  await expect(
    importTo(ci, share, {}, { env: { VSYNC_PASSPHRASE: "something else" } }),
  ).rejects.toMatchObject({ code: "INPUT" });
  await importTo(ci, share, {}, { env: { VSYNC_PASSPHRASE: key } });
  expect(await stored(ci)).toBeNull();
  expect(await pull(ci.context({ env: { VSYNC_PASSPHRASE: key } }), { env })).toMatchObject({
    updated: true,
  });
});

test("a bucket that does not answer keeps nobody from importing", async () => {
  const [alice, bob] = [await setUp(), makeWorkplace()];
  const share = await exportFrom(alice);
  rmSync(join(alice.folder, "bucket"), { recursive: true });
  const context = bob.context({ env: { VSYNC_SHARE_PASSPHRASE: share.passphrase } });
  expect(await shareImport(context, { file: share.file })).toMatchObject({ did: "import" });
  expect(context.said().err).toContain("could not be seen");
});

test("a share replaces no newer passphrase while the bucket does not answer, and no key for the bucket", async () => {
  const [alice, bob] = [await setUp(), makeWorkplace()];
  const old = await exportFrom(alice);
  await rotatePassphrase(alice.context(), { env });
  await importTo(bob, await exportFrom(alice));
  const secretKeyFile = join(alice.folder, "other-key");
  writeFileSync(secretKeyFile, "another", { mode: 0o600 });
  const otherAccess = await exportFrom(alice, { accessKey: "OTHER", secretKeyFile });
  const bucket = join(alice.folder, "bucket");
  renameSync(bucket, `${bucket}-away`);
  const before = [await stored(bob), loadEnvConfig(bob.context().host, "acme_shop", env)];
  await expect(importTo(bob, old)).rejects.toMatchObject({
    message: expect.stringMatching(/could not be seen: .*; what this machine has of demo stays as it is$/),
    hint: expect.stringContaining("run the same command again"),
  });
  expect(await importTo(bob, otherAccess)).toMatchObject({ did: "same" });
  expect([await stored(bob), loadEnvConfig(bob.context().host, "acme_shop", env)]).toEqual(before);
  renameSync(`${bucket}-away`, bucket);
  await expect(importTo(bob, old)).rejects.toMatchObject({ code: "WRONG_PASSPHRASE" });
});

test("nor where the config is lost and only the newer passphrase is left, unless --overwrite says so", async () => {
  const alice = await setUp();
  const old = await exportFrom(alice);
  await rotatePassphrase(alice.context(), { env });
  const key = await stored(alice);
  rmSync(join(alice.home, ".config"), { recursive: true });
  renameSync(join(alice.folder, "bucket"), join(alice.folder, "away"));
  await expect(importTo(alice, old)).rejects.toMatchObject({
    message: expect.stringMatching(/could not be seen: .*; what this machine has of demo stays as it is$/),
    hint: expect.stringContaining("--overwrite"),
  });
  expect([await stored(alice), loadEnvConfig(alice.context().host, "acme_shop", env)]).toEqual([key, null]);
  await importTo(alice, old, { overwrite: true });
  expect(await stored(alice, `${account}#replaced`)).toBe(key);
});

test("what is this machine's own stays when a new share brings it over: access to the bucket, folder, audit, sync", async () => {
  const [alice, bob] = [await setUp(), makeWorkplace()];
  await importTo(bob, await exportFrom(alice));
  const { host } = bob.context();
  const config = () => loadEnvConfig(host, "acme_shop", env) as EnvConfig;
  const mine = {
    ...config(),
    s3: { ...config().s3, accessKeyId: "BOB", secretAccessKey: "shown once" },
    files: { vaultFolder: "secrets/demo" },
    audit: { enabled: false },
    sync: { gh: { repo: "bob/shop" } },
  };
  saveEnvConfig(host, "acme_shop", env, mine);
  await rotatePassphrase(alice.context(), { env });
  expect(await importTo(bob, await exportFrom(alice))).toMatchObject({
    did: "rekeyed",
    vaultFolder: "secrets/demo",
  });
  expect(config()).toEqual({ ...mine, minGen: 2 });
});

test("the sender's credentials replace one's own only where the bucket denies these, and that is said", async () => {
  const s3 = await startFakeS3();
  onTestFinished(() => s3.close());
  const [alice, bob] = [makeWorkplace(), makeWorkplace()];
  const { accessKeyId, secretAccessKey } = s3.credentials;
  const location = { endpoint: s3.endpoint, bucket: s3.bucket, accessKey: accessKeyId, secretKeyFile: "-" };
  await init(alice.context({ stdin: secretAccessKey }), { env, ...location, iterations: 100_000 });
  await setValue(alice, "one");
  await push(alice.context(), { env });
  const { file, passphrase } = await exportFrom(alice);
  const bobs = () => loadEnvConfig(bob.context().host, "acme_shop", env) as EnvConfig;
  const importWith = async (access: Partial<EnvConfig["s3"]>): Promise<string> => {
    saveEnvConfig(bob.context().host, "acme_shop", env, { ...bobs(), s3: { ...bobs().s3, ...access } });
    const context = bob.context({ env: { VSYNC_SHARE_PASSPHRASE: passphrase } });
    expect(await shareImport(context, { file })).toMatchObject({ did: "same" });
    return context.said().err;
  };
  await importTo(bob, { file, passphrase });

  expect(await importWith(s3.readOnlyCredentials)).toContain("own credentials for the bucket of demo stay");
  expect(bobs().s3).toMatchObject(s3.readOnlyCredentials);
  expect(await importWith({ secretAccessKey: "revoked" })).toMatch(
    /denies .* \(key FAKEREADER\): those of the share replace them \(key FAKEWRITER\)/,
  );
  expect(bobs().s3).toMatchObject(s3.credentials);
});

test("nothing of a share is believed unchecked", async () => {
  const alice = await setUp();
  const bob = makeWorkplace();
  const genuine = loadEnvConfig(alice.context().host, "acme_shop", env) as unknown as Record<string, object>;
  const forge = async (change: Partial<SharePayload>) => {
    const payload = {
      version: 1 as const,
      repo: "acme_shop",
      env,
      config: genuine as never,
      key: "k".repeat(44),
      ...change,
    };
    const file = join(bob.folder, "forged.share");
    writeFileSync(file, await encodeShare("a passphrase", payload), { mode: 0o600 });
    return importTo(bob, { file, passphrase: "a passphrase" });
  };
  await expect(forge({ env: "../../x" })).rejects.toMatchObject({ code: "INPUT" });
  await expect(forge({ repo: "../x" })).rejects.toMatchObject({ code: "INPUT" });
  await expect(forge({ config: {} })).rejects.toMatchObject({ code: "CORRUPT" });
  await expect(forge({ config: { ...genuine, files: { vaultFolder: "../../etc" } } })).rejects.toMatchObject({
    code: "INPUT",
  });
  for (const vaultFolder of [".vscode", "a/\u200c.vscode", "VSCODE~1"]) {
    await expect(forge({ config: { ...genuine, files: { vaultFolder } } })).rejects.toMatchObject({
      code: "CORRUPT",
    });
  }
  await expect(forge({ config: { ...genuine, prefix: "../x/" } })).rejects.toMatchObject({ code: "CORRUPT" });
  await expect(
    forge({ config: { ...genuine, s3: { ...genuine.s3, endpoint: "javascript:1" } } }),
  ).rejects.toMatchObject({ code: "CORRUPT" });
  await expect(
    forge({ config: { ...genuine, encryption: { salt: "saltsalt", iterations: 1 } } }),
  ).rejects.toMatchObject({ code: "VSYNC_BUNDLE_CORRUPT" });
  await expect(forge({})).rejects.toMatchObject({ code: "WRONG_PASSPHRASE" });
  expect(loadEnvConfig(bob.context().host, "acme_shop", env)).toBeNull();
});

test("a share that asks for more than the bucket has is refused, and its folder is taken in one spelling", async () => {
  const alice = await setUp();
  const bob = makeWorkplace();
  const config = loadEnvConfig(alice.context().host, "acme_shop", env) as unknown as Record<string, object>;
  const key = (await stored(alice)) as string;
  const file = join(bob.folder, "made.share");
  const made = async (change: object) => {
    const payload = {
      version: 1 as const,
      repo: "acme_shop",
      env,
      config: { ...config, ...change } as never,
      key,
    };
    writeFileSync(file, await encodeShare("a passphrase", payload), { mode: 0o600 });
    return await importTo(bob, { file, passphrase: "a passphrase" });
  };
  await expect(made({ minGen: 2 ** 53 - 1 })).rejects.toMatchObject({ code: "ROLLBACK" });
  expect(await made({ files: { vaultFolder: "infra/vault/demo/../demo" } })).toMatchObject({
    vaultFolder: "infra/vault/demo",
  });
  expect(await pull(bob.context(), { env })).toMatchObject({ updated: true });
});

test("a share whose vault folder is another environment's is refused with what makes room for it", async () => {
  const alice = await setUp();
  const share = await exportFrom(alice);
  const bob = makeWorkplace();
  const folder = "infra/vault/demo";
  await init(bob.context(), { env: "mine", ...bob.bucket, iterations: 100_000, vaultFolder: folder });
  await expect(importTo(bob, share)).rejects.toMatchObject({
    code: "INPUT",
    message: expect.stringContaining("that of mine"),
    hint: expect.stringContaining("vsync init mine --edit --vault-folder"),
  });
  expect(await stored(bob)).toBeNull();
  await init(bob.context(), { env: "mine", edit: true, vaultFolder: "infra/vault/mine" });
  expect(await importTo(bob, share)).toMatchObject({ did: "import" });
});

test("an import waits for no other vsync, and takes nothing from under it", async () => {
  const alice = await setUp();
  const share = await exportFrom(alice);
  const lock = acquireLock(join(alice.home, ".local/state/vsync/acme_shop/demo/lock"));
  await expect(importTo(alice, share)).rejects.toMatchObject({ code: "CONFLICT" });
  lock.release();
  expect(await importTo(alice, share)).toMatchObject({ did: "same" });
});

describe("export", () => {
  test("takes a passphrase of one's own, and the teammate's own store key", async () => {
    const alice = await setUp();
    const file = join(alice.folder, "passphrase");
    writeFileSync(file, "of my own choice", { mode: 0o600 });
    const { result, file: share } = await exportFrom(
      alice,
      { passphraseFile: file, accessKey: "BOB", secretKeyFile: "-" },
      { stdin: "bob's secret" },
    );
    expect(result.passphrase).toBeNull();
    const bob = makeWorkplace();
    await importTo(bob, { file: share, passphrase: "of my own choice" });
    expect(loadEnvConfig(bob.context().host, "acme_shop", env)?.s3).toMatchObject({
      accessKeyId: "BOB",
      secretAccessKey: "bob's secret",
    });
    writeFileSync(file, "short");
    await expect(exportFrom(alice, { passphraseFile: file })).rejects.toMatchObject({ code: "INPUT" });
  });

  test("overwrites no file, writes none with --dry-run, and never hides the passphrase it made", async () => {
    const alice = await setUp();
    const { file } = await exportFrom(alice);
    await expect(exportFrom(alice, { out: file })).rejects.toMatchObject({ code: "INPUT" });
    await expect(exportFrom(alice, {}, { flags: { quiet: true } })).rejects.toMatchObject({ code: "USAGE" });
    const dry = await exportFrom(alice, {}, { flags: { dryRun: true } });
    expect(() => statSync(dry.file)).toThrow("ENOENT");
  });
});
