import { readdirSync, readFileSync, renameSync, rmSync, statSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { init } from "../src/commands/init.ts";
import { profileAdd, profileRemove } from "../src/commands/profile.ts";
import { pull } from "../src/commands/pull.ts";
import { push } from "../src/commands/push.ts";
import { rotatePassphrase } from "../src/commands/rotate-passphrase.ts";
import { set } from "../src/commands/set.ts";
import { shareExport } from "../src/commands/share-export.ts";
import { shareImport } from "../src/commands/share-import.ts";
import { describeStatus, type StatusInput, status } from "../src/commands/status.ts";
import { loadEnvConfig, saveEnvConfig } from "../src/config/env-config.ts";
import { envStateFolder } from "../src/config/paths.ts";
import { openKeystore } from "../src/keys/keystore.ts";
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

async function join2(alice: Workplace): Promise<Workplace> {
  const bob = makeWorkplace();
  const share = await shareExport(alice.context(), {
    env,
    out: join(alice.folder, `${Math.random()}.share`),
  });
  const variables = { VSYNC_SHARE_PASSPHRASE: share.passphrase as string };
  await shareImport(bob.context({ env: variables }), { file: share.file });
  return bob;
}

const setValue = (place: Workplace, value: string) =>
  set(place.context({ stdin: value }), { env, name: "VALUE", source: "-" });
const look = (place: Workplace, input: StatusInput = {}, options: ContextOptions = {}) =>
  status(place.context(options), input);
const only = async (place: Workplace, input: StatusInput = {}, options: ContextOptions = {}) => {
  const { environments } = await look(place, input, options);
  expect(environments).toHaveLength(1);
  return environments[0]!;
};
const stateOf = (place: Workplace) => envStateFolder(place.context().host, "acme_shop", env);
const broken = async (place: Workplace, input: StatusInput = {}) =>
  (await look(place, input)).findings.filter(({ level }) => level === "broken").map(({ problem }) => problem);

test("leads from a new environment to its first version", async () => {
  const place = makeWorkplace();
  await init(place.context(), { env, ...place.bucket, iterations: 100_000 });
  expect((await only(place)).next).toBe("vsync status --remote");
  expect((await only(place, { remote: true })).next).toBe("vsync set demo <NAME>");
  await setValue(place, "one");
  expect((await only(place, { remote: true })).next).toBe("vsync push demo");
  await push(place.context(), { env });
  expect((await only(place, { remote: true })).next).toBeNull();
});

test("tells in step from behind, and by whom", async () => {
  const alice = await setUp();
  expect(await look(alice, { remote: true })).toMatchObject({
    repo: "acme_shop",
    inStep: true,
    environments: [
      { folder: { state: "clean" }, synced: { generation: 1 }, bucket: { state: "in-step" }, next: null },
    ],
  });
  const bob = await join2(alice);
  expect(await only(bob, { remote: true })).toMatchObject({
    folder: { state: "never-synced" },
    synced: null,
    bucket: { state: "behind", by: 1 },
    next: "vsync pull demo",
  });
  await pull(bob.context(), { env });
  await setValue(bob, "two");
  expect(await only(bob, { remote: true })).toMatchObject({
    folder: { state: "changed", changes: { changed: [".env.demo"] } },
    bucket: { state: "in-step" },
    next: "vsync push demo",
  });
  await push(bob.context(), { env });
  await setValue(bob, "three");
  await push(bob.context(), { env });
  const result = await look(alice, { remote: true });
  expect(result).toMatchObject({
    inStep: false,
    environments: [
      { bucket: { state: "behind", by: 2, publisher: { who: expect.any(String) } }, next: "vsync pull demo" },
    ],
  });
  const { out } = describeStatus(result, Date.now());
  expect(out).toMatch(/demo +clean +1 +\d+ \w+ ago +behind by 2: .* ago +vsync pull demo/);
  expect(out).toContain("not in step with the team; nothing is broken");
});

test("without --remote no bucket is asked, and it says so", async () => {
  const alice = await setUp();
  rmSync(join(alice.folder, "bucket"), { recursive: true });
  const result = await look(alice);
  expect(result).toMatchObject({
    inStep: null,
    environments: [{ folder: { state: "clean" }, bucket: null }],
  });
  expect(describeStatus(result, Date.now()).out).toContain("vsync status --remote");
  expect(await only(alice, { remote: true })).toMatchObject({ bucket: { state: "problem" }, next: null });
  expect(await broken(alice, { remote: true })).toHaveLength(1);
});

test("changes nothing, whatever there is to see", async () => {
  const alice = await setUp();
  const bob = await join2(alice);
  await pull(bob.context(), { env });
  await setValue(alice, "two");
  await push(alice.context(), { env });
  writeFileSync(join(stateOf(bob), "swap.json"), "{}", { mode: 0o600 });
  const snapshot = (folder: string) =>
    readdirSync(folder, { recursive: true, encoding: "utf8" })
      .sort()
      .map((name) => [name, statSync(join(folder, name)).mtimeMs]);
  const before = [snapshot(bob.folder), snapshot(join(alice.folder, "bucket"))];
  expect((await only(bob, { remote: true })).bucket).toMatchObject({ state: "behind" });
  expect([snapshot(bob.folder), snapshot(join(alice.folder, "bucket"))]).toEqual(before);
});

test("opens the base only where stats leave a doubt, and without a key says that it cannot tell", async () => {
  const alice = await setUp();
  const file = join(alice.root, "infra/vault/demo/.env.demo");
  utimesSync(file, 1, 1);
  expect((await only(alice)).folder).toEqual({ state: "clean" });
  const keyless = { env: { VSYNC_KEYSTORE: `file:${join(alice.home, "empty")}` } };
  const there = await only(alice, { remote: true }, keyless);
  expect(there).toMatchObject({
    folder: { state: "unknown", why: expect.stringContaining("no key") },
    bucket: { state: "problem", code: "NOT_CONFIGURED" },
  });
  expect(there.findings).toMatchObject([{ level: "broken", fix: "vsync share import <file>" }]);
});

test("a vault folder that is not there is no vault", async () => {
  const alice = await setUp();
  rmSync(join(alice.root, "infra/vault"), { recursive: true });
  expect(await only(alice)).toMatchObject({ folder: { state: "missing" }, next: "vsync pull demo" });
});

test("after somebody else's rotation the passphrase is the old one; a rollback and a deleted manifest are seen", async () => {
  const alice = await setUp();
  const bob = await join2(alice);
  await pull(bob.context(), { env });
  const prefix = join(alice.folder, "bucket", loadEnvConfig(alice.context().host, "acme_shop", env)!.prefix);
  const manifest = join(prefix, "manifest");
  const first = readFileSync(manifest);
  await setValue(alice, "two");
  await push(alice.context(), { env });
  const second = readFileSync(manifest);
  writeFileSync(manifest, first);
  expect((await only(alice, { remote: true })).bucket).toMatchObject({ state: "problem", code: "ROLLBACK" });
  writeFileSync(manifest, second);
  await rotatePassphrase(alice.context(), { env });
  const state = await look(bob, { remote: true });
  expect(state.environments).toMatchObject([{ bucket: { state: "problem", code: "WRONG_PASSPHRASE" } }]);
  expect(state.findings[0]?.fix).toContain("vsync share import");
  expect(describeStatus(state, Date.now()).out).toContain("another passphrase");
  rmSync(manifest);
  expect((await only(alice, { remote: true })).bucket).toEqual({ state: "manifest-gone" });
  expect(await broken(alice, { remote: true })).toHaveLength(1);
});

test("unfinished operations are named", async () => {
  const alice = await setUp();
  writeFileSync(join(stateOf(alice), "rotation.json"), JSON.stringify({ version: 1, baseEtag: "x" }), {
    mode: 0o600,
  });
  writeFileSync(join(stateOf(alice), "swap.json"), "{}", { mode: 0o600 });
  writeFileSync(join(stateOf(alice), "pending.json"), "{}", { mode: 0o600 });
  const problems = (await broken(alice)).join("\n");
  expect(problems).toContain("change of passphrase");
  expect(problems).toContain("replacement of the vault folder");
  expect(problems).toContain("pending.json is damaged");
});

test("keys without config, configs without key, dangling profiles and a word for one writer are told", async () => {
  const alice = makeWorkplace();
  await profileAdd(alice.context(), { name: "team", ...alice.bucket });
  await init(alice.context(), { env, profile: "team", iterations: 100_000, singleWriter: true });
  const { host } = alice.context();
  const config = loadEnvConfig(host, "acme_shop", env)!;
  saveEnvConfig(host, "acme_shop", env, { ...config, singleWriter: true });
  await profileRemove(alice.context(), { name: "team" });
  const keystore = await openKeystore(host);
  await keystore.set("acme_shop/orphan", "x");
  await keystore.set("other_repo/orphan", "x");
  await keystore.delete(account);
  const { findings } = await look(alice);
  const told = findings.map(({ about, problem }) => `${about}: ${problem}`).join("\n");
  expect(findings[0]).toMatchObject({
    level: "broken",
    problem: expect.stringContaining("holds no passphrase"),
  });
  expect(told).toContain("profile team, which is gone");
  expect(told).toContain("only one person pushes");
  expect(told).toContain("acme_shop/orphan");
  expect(told).not.toContain("other_repo");
  expect(told).toContain("in the clear");
});

test("--all tells of every repository on the machine, from anywhere", async () => {
  const alice = await setUp();
  const options = { cwd: alice.home };
  await expect(look(alice, {}, options)).rejects.toMatchObject({ code: "INPUT" });
  const result = await look(alice, { all: true, remote: true }, options);
  expect(result).toMatchObject({
    repo: null,
    environments: [{ repo: "acme_shop", env, folder: { state: "clean" }, bucket: { state: "in-step" } }],
  });
  expect(describeStatus(result, Date.now()).out).toContain("acme_shop/demo");
});

test("a damaged config is one finding among others", async () => {
  const alice = await setUp();
  await init(alice.context(), { env: "prod", ...alice.bucket, iterations: 100_000 });
  writeFileSync(join(alice.home, ".config/vsync/config/acme_shop/env_demo"), "x", { mode: 0o600 });
  const { environments, findings } = await look(alice, { remote: true });
  expect(environments.map(({ env, bucket }) => [env, bucket?.state])).toEqual([
    ["demo", undefined],
    ["prod", "empty"],
  ]);
  expect(findings[0]).toMatchObject({ level: "broken", about: "acme_shop/demo" });
});

test("another clone of the repository has not been synced", async () => {
  const alice = await setUp();
  renameSync(alice.root, `${alice.root}-2`);
  rmSync(join(`${alice.root}-2`, "infra/vault/demo"), { recursive: true });
  expect(await only(alice, {}, { cwd: `${alice.root}-2` })).toMatchObject({
    folder: { state: "missing" },
    synced: null,
  });
});

test("a grace period that runs is told, with what ends it, to who is in step and to who is behind", async () => {
  const alice = await setUp();
  expect(await only(alice, { remote: true })).toMatchObject({ bucket: { grace: null }, findings: [] });
  const { graceUntil: until } = await rotatePassphrase(alice.context(), { env, grace: "24h" });
  const bob = await join2(alice);
  for (const [place, state] of [
    [alice, "in-step"],
    [bob, "behind"],
  ] as const) {
    const result = await look(place, { remote: true });
    expect(result.environments).toMatchObject([{ bucket: { state, grace: { until, generation: 1 } } }]);
    expect(describeStatus(result, Date.now()).out).toContain(
      `- ${account}: grace until ${until}: the old passphrase still opens generation 1\n    vsync rotate-passphrase demo --finish`,
    );
  }
  const later = { host: { now: () => Date.now() + 25 * 3_600_000 } };
  expect(await only(alice, { remote: true }, later)).toMatchObject({ bucket: { grace: null }, findings: [] });
});
