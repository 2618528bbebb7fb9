import { mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { decodeKeyFile, encodeKeyFile, type KeyFileEnvironment } from "@vsync/envelope";
import { expect, test } from "vitest";
import { get } from "../src/commands/get.ts";
import { init } from "../src/commands/init.ts";
import {
  describeKeystoreExport,
  type KeystoreExportInput,
  keystoreExport,
} from "../src/commands/keystore-export.ts";
import { type KeystoreImportInput, keystoreImport } from "../src/commands/keystore-import.ts";
import { describeKeystoreList, keystoreList } from "../src/commands/keystore-list.ts";
import { pull } from "../src/commands/pull.ts";
import { push } from "../src/commands/push.ts";
import { rotatePassphrase } from "../src/commands/rotate-passphrase.ts";
import { set } from "../src/commands/set.ts";
import { loadEnvConfig } from "../src/config/env-config.ts";
import { envStateFolder } from "../src/config/paths.ts";
import { knownOrigins } from "../src/identity/repository.ts";
import { openKeystore } from "../src/keys/keystore.ts";
import { replacedPassphrases } from "../src/keys/replaced-passphrases.ts";
import { acquireLock } from "../src/vault/lock.ts";
import { type ContextOptions, makeWorkplace, type Workplace } from "./workplace.ts";

const REPO = "acme_shop";
const stored = async (place: Workplace, account: string) =>
  await (await openKeystore(place.context().host)).get(account);

async function setUp(...envs: string[]): Promise<Workplace> {
  const place = makeWorkplace();
  for (const env of envs) {
    await init(place.context(), { env, ...place.bucket, iterations: 100_000 });
    await set(place.context({ stdin: `of ${env}` }), { env, name: "VALUE", source: "-" });
    await push(place.context(), { env });
  }
  return place;
}

async function exportFrom(place: Workplace, input: Partial<KeystoreExportInput> = { all: true }) {
  const out = join(place.folder, `${Math.random()}.keys`);
  const result = await keystoreExport(place.context(), { names: [], out, ...input });
  return { file: result.file, passphrase: result.passphrase as string, result };
}

const importTo = (
  place: Workplace,
  { file, passphrase }: { readonly file: string; readonly passphrase: string },
  input: Partial<KeystoreImportInput> = {},
  options: ContextOptions = {},
) =>
  keystoreImport(place.context({ ...options, env: { VSYNC_SHARE_PASSPHRASE: passphrase } }), {
    file,
    ...input,
  });

test("a new laptop gets every environment by one file, and importing it again changes nothing", async () => {
  const [old, laptop] = [await setUp("demo", "prod"), makeWorkplace()];
  await rotatePassphrase(old.context(), { env: "prod" });
  const keys = await exportFrom(old);
  expect(keys.passphrase).toMatch(/^[a-z]+(-[a-z]+){5}$/);
  expect(statSync(keys.file).mode & 0o777).toBe(0o600);
  expect(describeKeystoreExport(keys.result).notes?.join("\n")).toContain(keys.passphrase);
  const key = (await stored(old, `${REPO}/demo`)) as string;
  expect(readFileSync(keys.file, "latin1")).not.toContain(key);

  expect(await importTo(laptop, keys, {}, { cwd: laptop.home })).toMatchObject({
    environments: [
      { repo: REPO, env: "demo", did: "import" },
      { repo: REPO, env: "prod", did: "import" },
    ],
  });
  for (const env of ["demo", "prod"]) {
    await pull(laptop.context(), { env });
    expect((await get(laptop.context(), { env, name: "VALUE" })).value).toBe(`of ${env}`);
  }
  expect(await stored(laptop, `${REPO}/prod#replaced`)).toBe(await stored(old, `${REPO}/prod#replaced`));
  expect(knownOrigins(laptop.context().host, REPO)).toEqual(["git.example/acme/shop"]);
  expect(loadEnvConfig(laptop.context().host, REPO, "prod")?.minGen).toBe(2);
  expect((await importTo(laptop, keys)).environments.map(({ did }) => did)).toEqual(["same", "same"]);
  expect((await get(laptop.context(), { env: "demo", name: "VALUE" })).value).toBe("of demo");
});

test("a key file that git would take along is warned of", async () => {
  const place = await setUp("demo");
  const warned = async (out?: string): Promise<string> => {
    const context = place.context();
    await keystoreExport(context, { names: ["demo"], ...(out !== undefined && { out }) });
    return context.said().err;
  };
  expect(await warned()).toContain(`git does not ignore ${join(place.root, "vsync.keys")}`);
  expect(await warned("../vsync.keys")).toBe("");
});

test("only what was chosen travels", async () => {
  const [old, laptop] = [await setUp("demo", "prod"), makeWorkplace()];
  const keys = await exportFrom(old, { names: ["prod"] });
  expect(keys.result.environments).toEqual([`${REPO}/prod`]);
  await importTo(laptop, keys);
  expect(await stored(laptop, `${REPO}/demo`)).toBeNull();
  const named = await exportFrom(old, { names: [`${REPO}/demo`, "demo"] });
  expect(named.result.environments).toContain(`${REPO}/demo`);
  await expect(exportFrom(old, { names: [] })).rejects.toMatchObject({ code: "USAGE" });
  await expect(exportFrom(old, { names: ["demo"], all: true })).rejects.toMatchObject({ code: "USAGE" });
  await expect(exportFrom(old, { names: ["none"] })).rejects.toMatchObject({ code: "NOT_CONFIGURED" });
  await expect(exportFrom(old, { names: ["demo"], out: keys.file })).rejects.toMatchObject({ code: "INPUT" });
});

test("an old file never replaces a newer key, and a new one brings the machine over", async () => {
  const [old, laptop] = [await setUp("demo"), makeWorkplace()];
  const before = await exportFrom(old);
  await importTo(laptop, before);
  await rotatePassphrase(old.context(), { env: "demo" });
  await expect(importTo(laptop, before)).rejects.toMatchObject({ code: "WRONG_PASSPHRASE" });
  expect((await importTo(laptop, await exportFrom(old))).environments).toMatchObject([{ did: "rekeyed" }]);
  expect(await stored(laptop, `${REPO}/demo`)).toBe(await stored(old, `${REPO}/demo`));
  await pull(laptop.context(), { env: "demo" });
});

test("every replaced passphrase comes along, and none that the machine has itself is lost to them", async () => {
  const [old, laptop] = [await setUp("demo"), makeWorkplace()];
  const account = `${REPO}/demo#replaced`;
  const replaced = async (place: Workplace) =>
    await replacedPassphrases(await openKeystore(place.context().host), account);
  await importTo(laptop, await exportFrom(old));
  for (let count = 0; count < 3; count++) await rotatePassphrase(old.context(), { env: "demo" });
  const [third, second, first] = await replaced(old);
  const keys = await exportFrom(old);
  await importTo(laptop, keys);
  expect(await replaced(laptop)).toEqual([first, third, second]);
  await importTo(laptop, keys);
  expect(await replaced(laptop)).toEqual([first, third, second]);
  const anew = makeWorkplace();
  await importTo(anew, keys);
  expect(await replaced(anew)).toEqual([third, second, first]);
  expect((await keystoreList(anew.context())).environments).toMatchObject([
    { env: "demo", key: true, earlierKey: true },
  ]);
});

test("where only the config was lost, the file brings it back, and what was remembered is still there", async () => {
  const [old, laptop] = [await setUp("demo"), makeWorkplace()];
  const keys = await exportFrom(old);
  await importTo(laptop, keys);
  await pull(laptop.context(), { env: "demo" });
  const ledger = join(envStateFolder(laptop.context().host, REPO, "demo"), "ledger.json");
  const remembered = JSON.parse(readFileSync(ledger, "utf8"));
  rmSync(join(laptop.home, ".config"), { recursive: true });
  await importTo(laptop, keys);
  expect(JSON.parse(readFileSync(ledger, "utf8"))).toEqual(remembered);
});

test("another vault of that name stops the import before anything is changed", async () => {
  const [old, laptop] = [await setUp("demo", "prod"), await setUp("prod")];
  const [keys, mine] = [await exportFrom(old), await stored(laptop, `${REPO}/prod`)];
  await expect(importTo(laptop, keys)).rejects.toMatchObject({ code: "CONFLICT" });
  expect(await stored(laptop, `${REPO}/demo`)).toBeNull();
  expect(loadEnvConfig(laptop.context().host, REPO, "demo")).toBeNull();
  const dry = await importTo(laptop, keys, { overwrite: true }, { flags: { dryRun: true } });
  expect(dry.environments.map(({ did }) => did)).toEqual(["import", "import"]);
  expect(await stored(laptop, `${REPO}/prod`)).toBe(mine);
  await importTo(laptop, keys, { overwrite: true });
  expect(await stored(laptop, `${REPO}/prod#replaced`)).toBe(mine);
  await pull(laptop.context(), { env: "prod", force: true });
});

test("an import that stops on its way says at which environment, and which are in", async () => {
  const [old, laptop] = [await setUp("demo", "prod"), makeWorkplace()];
  const keys = await exportFrom(old);
  const state = envStateFolder(laptop.context().host, REPO, "prod");
  mkdirSync(state, { recursive: true, mode: 0o700 });
  const lock = acquireLock(join(state, "lock"));
  await expect(importTo(laptop, keys)).rejects.toMatchObject({
    code: "CONFLICT",
    message: expect.stringMatching(
      /^the import of acme_shop\/prod failed: another vsync .*; imported before it: acme_shop\/demo$/,
    ),
    hint: expect.stringContaining("then run the same command again"),
  });
  lock.release();
  expect((await importTo(laptop, keys)).environments.map(({ did }) => did)).toEqual(["same", "import"]);
});

test("another vault in which a command was cut short is not replaced before that is settled", async () => {
  const [old, laptop] = [await setUp("demo"), await setUp("demo")];
  const keys = await exportFrom(old);
  const rotation = join(envStateFolder(laptop.context().host, REPO, "demo"), "rotation.json");
  writeFileSync(rotation, "{}", { mode: 0o600 });
  const key = await stored(laptop, `${REPO}/demo`);
  await expect(importTo(laptop, keys, { overwrite: true })).rejects.toMatchObject({
    code: "CONFLICT",
    hint: expect.stringMatching(/^in a clone of acme_shop: vsync rotate-passphrase demo {3}then run /),
  });
  expect(await stored(laptop, `${REPO}/demo`)).toBe(key);
});

test("environments that have one vault folder between them come all the same, with what gives each its own", async () => {
  const [old, laptop] = [await setUp("demo", "prod"), makeWorkplace()];
  const keys = await exportFrom(old);
  const [demo, prod] = (await decodeKeyFile(keys.passphrase, readFileSync(keys.file))) as [
    KeyFileEnvironment,
    KeyFileEnvironment,
  ];
  const config = { ...prod.config, files: { vaultFolder: "infra/vault/demo/prod" } };
  writeFileSync(keys.file, await encodeKeyFile(keys.passphrase, [demo, { ...prod, config }]));
  const context = laptop.context({ env: { VSYNC_SHARE_PASSPHRASE: keys.passphrase } });
  expect((await keystoreImport(context, { file: keys.file })).environments).toHaveLength(2);
  expect(context.said().err).toMatch(
    /acme_shop\/prod: .* that of demo .*: vsync init prod --edit --vault-folder <folder>$/m,
  );
  await init(laptop.context(), { env: "prod", edit: true, vaultFolder: "infra/vault/prod" });
  for (const env of ["demo", "prod"]) await pull(laptop.context(), { env });
  expect((await get(laptop.context(), { env: "prod", name: "VALUE" })).value).toBe("of prod");
  await importTo(laptop, keys);
  expect(loadEnvConfig(laptop.context().host, REPO, "prod")?.files.vaultFolder).toBe("infra/vault/prod");
});

test("an interrupted rotation and variables in the keystore's place stop the export", async () => {
  const old = await setUp("demo");
  const given = old.context({ env: { VSYNC_PASSPHRASE: "something else" } });
  await expect(keystoreExport(given, { names: [], all: true })).rejects.toMatchObject({ code: "INPUT" });
  const state = envStateFolder(old.context().host, REPO, "demo");
  writeFileSync(join(state, "rotation.json"), "{}", { mode: 0o600 });
  await expect(exportFrom(old)).rejects.toMatchObject({ code: "CONFLICT" });
});

test("nothing of a key file is believed unchecked", async () => {
  const [old, laptop] = [await setUp("demo"), makeWorkplace()];
  const keys = await exportFrom(old);
  const [genuine] = (await decodeKeyFile(keys.passphrase, readFileSync(keys.file))) as [KeyFileEnvironment];
  const forge = async (change: object) => {
    const file = join(laptop.folder, "forged.keys");
    writeFileSync(file, await encodeKeyFile("a passphrase", [{ ...genuine, ...change }]));
    return await importTo(laptop, { file, passphrase: "a passphrase" });
  };
  const { config } = genuine;
  await expect(forge({ env: "../x" })).rejects.toMatchObject({ code: "INPUT" });
  await expect(forge({ repo: "../x" })).rejects.toMatchObject({ code: "INPUT" });
  await expect(forge({ repo: "Acme-shop" })).rejects.toMatchObject({ code: "CORRUPT" });
  await expect(forge({ config: {} })).rejects.toMatchObject({ code: "CORRUPT" });
  await expect(forge({ config: { ...config, files: { vaultFolder: "../../etc" } } })).rejects.toMatchObject({
    code: "INPUT",
  });
  await expect(forge({ origins: ["a\nb"] })).rejects.toMatchObject({ code: "CORRUPT" });
  await expect(forge({ origins: "a" })).rejects.toMatchObject({ code: "VSYNC_BUNDLE_CORRUPT" });
  await expect(forge({ key: "k".repeat(44) })).rejects.toMatchObject({ code: "WRONG_PASSPHRASE" });
  await expect(importTo(laptop, { ...keys, passphrase: "another one" })).rejects.toMatchObject({
    code: "WRONG_PASSPHRASE",
  });
  expect(await stored(laptop, `${REPO}/demo`)).toBeNull();
  await importTo(laptop, keys);
  await expect(forge({ origins: ["git.example/other/shop"] })).rejects.toMatchObject({
    code: "INPUT",
    message: expect.stringContaining("git.example/acme/shop"),
  });
});

test("the list tells configs without key from keys without config, and shows no key", async () => {
  const place = await setUp("demo");
  const keystore = await openKeystore(place.context().host);
  await keystore.set(`${REPO}/orphan`, "secret words");
  await keystore.set(`${REPO}/demo#replaced`, "secret words");
  await init(place.context(), { env: "prod", ...place.bucket, iterations: 100_000 });
  await keystore.delete(`${REPO}/prod`);
  const result = await keystoreList(place.context());
  expect(result.environments).toEqual([
    { repo: REPO, env: "demo", config: true, key: true, earlierKey: true },
    { repo: REPO, env: "orphan", config: false, key: true, earlierKey: false },
    { repo: REPO, env: "prod", config: true, key: false, earlierKey: false },
  ]);
  expect(JSON.stringify([result, describeKeystoreList(result)])).not.toContain("secret words");
});
