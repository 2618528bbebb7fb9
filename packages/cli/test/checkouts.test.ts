// Two checkouts of one repository on one machine: each knows what its own vault folder was synced with, and both know how
// far the bucket had come.

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
import { expect, test } from "vitest";
import { bareEnvironment } from "../../../test/machine.ts";
import { describeDiff, diff } from "../src/commands/diff.ts";
import { init } from "../src/commands/init.ts";
import { pull } from "../src/commands/pull.ts";
import { push } from "../src/commands/push.ts";
import { rotatePassphrase } from "../src/commands/rotate-passphrase.ts";
import { describeStatus, status } from "../src/commands/status.ts";
import { envStateFolder } from "../src/config/paths.ts";
import type { Context } from "../src/context.ts";
import { type Synced, withSynced } from "../src/vault/ledger.ts";
import { failureOf } from "./vault/writer.ts";
import { makeWorkplace, type Workplace } from "./workplace.ts";

const env = "demo";

interface Checkout {
  readonly root: string;
  context(): Context & { said(): { err: string } };
  write(name: string, text: string): void;
  read(name: string): string;
}

/** Ours is in step with generation 1; the other one is a worktree that was just added. */
async function setUp(): Promise<{ place: Workplace; ours: Checkout; other: Checkout; state: string }> {
  const place = makeWorkplace();
  await init(place.context(), { env, ...place.bucket, iterations: 100_000 });
  const git = (...args: string[]) =>
    execFileSync("git", args, { cwd: place.root, env: bareEnvironment(), stdio: "pipe" });
  git("add", ".");
  git("-c", "user.name=ann", "-c", "user.email=ann@example.org", "commit", "--quiet", "-m", "vsync");
  git("worktree", "add", "--quiet", join(place.folder, "other"));
  const ours = checkout(place, place.root);
  const other = checkout(place, join(place.folder, "other"));
  ours.write(".env.demo", "A=1\n");
  ours.write("notes.txt", "one\n");
  await push(ours.context(), { env });
  return { place, ours, other, state: envStateFolder(place.context().host, "acme_shop", env) };
}

function checkout(place: Workplace, root: string): Checkout {
  const vault = join(root, "infra/vault/demo");
  return {
    root,
    context: () => place.context({ cwd: root }),
    write(name, text) {
      mkdirSync(vault, { recursive: true });
      writeFileSync(join(vault, name), text);
    },
    read: (name) => readFileSync(join(vault, name), "utf8"),
  };
}

const look = async (checkout: Checkout, remote = true) =>
  (await status(checkout.context(), { remote })).environments[0]!;

test("a worktree has nothing until it pulls, which changes nothing for the first checkout", async () => {
  const { ours, other } = await setUp();
  expect(await look(other)).toMatchObject({
    folder: { state: "missing" },
    synced: null,
    next: "vsync pull demo",
  });
  expect(await pull(other.context(), { env })).toMatchObject({ updated: true, generation: 1 });
  for (const checkout of [ours, other]) {
    expect(await look(checkout)).toMatchObject({
      folder: { state: "clean" },
      synced: { generation: 1 },
      bucket: { state: "in-step" },
      findings: [],
      next: null,
    });
    expect(await pull(checkout.context(), { env })).toMatchObject({ updated: false, generation: 1 });
    expect(await push(checkout.context(), { env })).toMatchObject({ published: false, generation: 1 });
  }
});

test("what one has pushed, the other is behind by, and pulls without a word about edits", async () => {
  const { ours, other } = await setUp();
  const { timestamp } = await pull(other.context(), { env });
  other.write(".env.demo", "A=2\n");
  expect(await look(other)).toMatchObject({ folder: { state: "changed" }, next: "vsync push demo" });
  expect(await look(ours)).toMatchObject({ folder: { state: "clean" }, bucket: { state: "in-step" } });
  expect(await push(other.context(), { env })).toMatchObject({ generation: 2, changed: [".env.demo"] });

  const result = await status(ours.context(), { remote: true });
  expect(result.environments[0]).toMatchObject({
    folder: { state: "clean" },
    synced: { generation: 1 },
    bucket: { state: "behind", by: 1 },
    next: "vsync pull demo",
  });
  expect(describeStatus(result, Date.now()).out).toMatch(/demo +clean +1 +\d+ \w+ ago +behind by 1: /);
  expect(describeDiff(await diff(ours.context(), { env }))).toEqual({
    notes: [`the vault folder of demo equals version ${timestamp}`],
  });
  expect(await failureOf(push(ours.context(), { env }))).toMatchObject({
    code: "CONFLICT",
    message: expect.stringMatching(
      new RegExp(`^the vault folder is based on version ${timestamp}, .* demo is at generation 2 `),
    ),
  });
  expect(await pull(ours.context(), { env })).toMatchObject({
    updated: true,
    generation: 2,
    changed: [".env.demo"],
    removed: [],
  });
  for (const checkout of [ours, other]) {
    expect(await look(checkout)).toMatchObject({ folder: { state: "clean" }, bucket: { state: "in-step" } });
  }
});

test("edits in the one that is behind are named, and only they", async () => {
  const { ours, other, place, state } = await setUp();
  await pull(other.context(), { env });
  other.write(".env.demo", "A=2\n");
  await push(other.context(), { env });
  expect(readdirSync(join(state, "bases"))).toHaveLength(2);
  ours.write("notes.txt", "ours\n");
  renameSync(join(place.folder, "bucket"), join(place.folder, "away")); // what it is compared with is kept here
  expect(await look(ours, false)).toMatchObject({
    folder: { state: "changed", changes: { changed: ["notes.txt"] } },
  });
  expect((await diff(ours.context(), { env })).files).toEqual({
    added: [],
    changed: ["notes.txt"],
    removed: [],
  });
  renameSync(join(place.folder, "away"), join(place.folder, "bucket"));
  expect(await failureOf(pull(ours.context(), { env }))).toMatchObject({
    code: "LOCAL_CHANGES",
    message: "pulling demo would lose local edits: ~ notes.txt",
  });
  await pull(ours.context(), { env, backup: true });
  expect([ours.read("notes.txt"), ours.read(".env.demo")]).toEqual(["one\n", "A=2\n"]);
  expect(readdirSync(join(state, "bases"))).toHaveLength(1);
});

test("a bucket that was put back is seen by the one that never saw the newer state", async () => {
  const { place, ours, other } = await setUp();
  const [bucket, older] = [join(place.folder, "bucket"), join(place.folder, "older")];
  cpSync(bucket, older, { recursive: true });
  await pull(other.context(), { env });
  other.write(".env.demo", "A=2\n");
  await push(other.context(), { env });
  rmSync(bucket, { recursive: true });
  renameSync(older, bucket);
  expect(await failureOf(pull(ours.context(), { env }))).toMatchObject({
    code: "ROLLBACK",
    message: expect.stringContaining("generation 2 was seen before"),
  });
});

test("a rotation keeps what the other one's edits are compared with", async () => {
  const { ours, other } = await setUp();
  await pull(other.context(), { env });
  await rotatePassphrase(ours.context(), { env });
  expect(await look(ours)).toMatchObject({ synced: { generation: 2 }, bucket: { state: "in-step" } });
  other.write("notes.txt", "other\n");
  expect(await look(other)).toMatchObject({
    folder: { state: "changed", changes: { changed: ["notes.txt"] } },
    synced: { generation: 1 },
    bucket: { state: "behind", by: 1 },
  });
});

test("a checkout that is reached by a link is the same one", async () => {
  const { place, ours } = await setUp();
  const link = join(place.folder, "link");
  symlinkSync(ours.root, link);
  const linked = checkout(place, link);
  ours.write(".env.demo", "A=2\n");
  expect(await push(linked.context(), { env })).toMatchObject({ generation: 2 });
  expect(await look(ours)).toMatchObject({ folder: { state: "clean" }, synced: { generation: 2 } });
});

test("a checkout that was moved to where another one was goes on from its own version", async () => {
  const { place, ours, other } = await setUp();
  await pull(other.context(), { env });
  ours.write(".env.demo", "A=2\n");
  await push(ours.context(), { env });
  renameSync(join(ours.root, "infra/vault/demo"), join(place.folder, "away"));
  renameSync(join(other.root, "infra/vault/demo"), join(ours.root, "infra/vault/demo"));
  ours.write("notes.txt", "other\n");
  expect(await look(ours)).toMatchObject({
    folder: { state: "changed", changes: { changed: ["notes.txt"] } },
    synced: { generation: 1 },
  });
  expect(await failureOf(push(ours.context(), { env }))).toMatchObject({ code: "CONFLICT" });
});

test("another folder in a folder's place is not taken for it, though it has the same path", async () => {
  const { place, ours, other } = await setUp();
  await pull(other.context(), { env });
  const [vault, backup] = [join(ours.root, "infra/vault/demo"), join(place.folder, "backup")];
  cpSync(vault, backup, { recursive: true, preserveTimestamps: true });
  other.write("theirs.txt", "theirs\n");
  await push(other.context(), { env });
  await pull(ours.context(), { env });
  // Last night's state of the files, beside this morning's memory of them.
  renameSync(vault, join(place.folder, "away"));
  renameSync(backup, vault);
  ours.write(".env.demo", "A=2\n");
  expect(await look(ours)).toMatchObject({ folder: { state: "never-synced" }, synced: null });
  expect(await failureOf(push(ours.context(), { env }))).toMatchObject({ code: "CONFLICT" });
});

test("a folder that is copied to a new disk with what is remembered of it goes on from there", async () => {
  const { place, ours, state } = await setUp();
  for (const folder of [join(ours.root, "infra/vault/demo"), state]) {
    const old = join(place.folder, "old disk");
    renameSync(folder, old);
    cpSync(old, folder, { recursive: true });
    rmSync(old, { recursive: true });
  }
  await rotatePassphrase(ours.context(), { env });
  ours.write(".env.demo", "A=2\n");
  expect(await look(ours)).toMatchObject({ folder: { state: "changed" }, synced: { generation: 2 } });
});

test("a folder on a file system that was mounted again is the same, and an emptied one that was made anew", async () => {
  const { ours, state } = await setUp();
  const ledger = JSON.parse(readFileSync(join(state, "ledger.json"), "utf8"));
  const [{ folder }] = ledger.synced;
  folder.inode = folder.inode.replace(/^\d+/, "4711");
  writeFileSync(join(state, "ledger.json"), JSON.stringify(ledger), { mode: 0o600 });
  ours.write(".env.demo", "A=2\n");
  ours.write("notes.txt", "two\n");
  expect(await look(ours)).toMatchObject({ folder: { state: "changed" }, synced: { generation: 1 } });
  rmSync(folder.path, { recursive: true });
  mkdirSync(folder.path);
  expect(await look(ours)).toMatchObject({ folder: { state: "changed" }, synced: { generation: 1 } });
});

test("a new folder that got a deleted one's inode is not taken for it", async () => {
  const { ours, other, state } = await setUp();
  other.write(".env.demo", "A=other\n");
  const { dev, ino } = statSync(join(other.root, "infra/vault/demo"), { bigint: true });
  const ledger = JSON.parse(readFileSync(join(state, "ledger.json"), "utf8"));
  ledger.synced[0].folder = { path: join(ours.root, "gone"), inode: `${dev}:${ino}` };
  writeFileSync(join(state, "ledger.json"), JSON.stringify(ledger), { mode: 0o600 });
  expect(await look(other)).toMatchObject({ folder: { state: "never-synced" }, synced: null });
});

test("of checkouts that are gone the latest ten are remembered, and of those that are there all", () => {
  const { folder } = makeWorkplace();
  const at = (path: string): Synced => ({
    timestamp: "20260501-120000",
    generation: 1,
    operation: "pull",
    folder: { path, inode: "1:1" },
    recordedAt: 0,
    files: new Map(),
  });
  const there = at(folder);
  const gone = Array.from({ length: 12 }, (_, n) => at(join(folder, `gone-${n}`)));
  const ledger = { sealed: true, highest: null, waivedMinGen: 0, auditChain: null, synced: [...gone, there] };
  const latest = at(join(folder, "latest"));
  expect(withSynced(ledger, latest).synced).toEqual([latest, ...gone.slice(0, 10), there]);
});

test("a ledger from when a machine remembered one folder goes on, with its base", async () => {
  const { ours, other, state } = await setUp();
  const ledger = JSON.parse(readFileSync(join(state, "ledger.json"), "utf8"));
  const [synced] = ledger.synced;
  writeFileSync(join(state, "ledger.json"), JSON.stringify({ ...ledger, synced }), { mode: 0o600 });
  renameSync(join(state, `bases/${synced.timestamp}.rqe1`), join(state, "base.rqe1"));
  rmSync(join(state, "bases"), { recursive: true });
  ours.write("notes.txt", "ours\n");
  const edited = {
    folder: { state: "changed", changes: { changed: ["notes.txt"] } },
    synced: { generation: 1 },
  };
  expect(await look(ours)).toMatchObject(edited);

  await pull(other.context(), { env });
  other.write(".env.demo", "A=2\n");
  await push(other.context(), { env });
  expect(readdirSync(state).sort()).toEqual(["bases", "ledger.json", "lock"]);
  expect(await look(ours, false)).toMatchObject(edited);
});
