// One command, cut short at one point: what must hold then, after the next command, and after the same one again.

import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { basename, join } from "node:path";
import { gunzipSync } from "node:zlib";
import { masterKey } from "../../../envelope/test/independent/keys.ts";
import { EXIT_CODES } from "../../src/exit-codes.ts";
import { type BucketState, checkBucket, openFiles, type VaultKey } from "./bucket-check.ts";
import type { Scenario } from "./scenarios.ts";
import { NEXT_PASSPHRASE, predicted } from "./system-calls.ts";
import { type Ended, type Moment, type Observed, observe, start, type World } from "./world.ts";

const ACCOUNT = "acme_shop/demo";

/** A command, what was there before it, and what is there after it when nothing disturbs it. */
export interface Stage {
  readonly world: World;
  readonly scenario: Scenario;
  readonly args: readonly string[];
  /** The moment before the command. */
  readonly start: Moment;
  readonly key: VaultKey;
  /** Every passphrase that ever was one of this vault. */
  readonly passphrases: readonly string[];
  readonly before: Snapshot;
  readonly after: Snapshot;
}

interface Snapshot {
  readonly machine: Observed;
  readonly bucket: BucketState;
}

/** Prepares the command, and runs it once by `clean`, undisturbed. */
export async function setStage(
  world: World,
  scenario: Scenario,
  clean: (args: readonly string[]) => Promise<Ended>,
): Promise<Stage> {
  world.rewind(scenario.from === "stranger" ? world.stranger : world.teammate);
  const first = keyOf(world.ann.home);
  const args = await scenario.prepare(world);
  const start = world.remember("start");
  world.rewind(start);
  const key = JSON.parse(configOf(world)).encryption as VaultKey;
  const passphrases = [...new Set([first, keyOf(world.ann.home), NEXT_PASSPHRASE])];
  const look = (): Snapshot => ({
    machine: observe(world),
    bucket: checkBucket(world.s3.objects, key, passphrases),
  });
  const before = look();
  const ended = await clean(args);
  assert.equal(ended.status, 0, ended.stdout + ended.stderr);
  const after = look();
  return { world, scenario, args, start, key, passphrases, before, after };
}

/** Right after the kill: each thing is wholly old or wholly new. */
export function checkHalfDone(stage: Stage): void {
  const { world, scenario, before, after } = stage;
  const now = observe(world);
  oneOf("config", now.config, [before.machine.config, after.machine.config]);
  for (const name of [".vsync", ".gitignore"]) {
    oneOf(name, now.repository[name], [before.machine.repository[name], after.machine.repository[name]]);
  }
  for (const [account, secret] of Object.entries(now.keys)) {
    const known = [before, after].map(({ machine }) => machine.keys[account]);
    oneOf(`the key ${account}`, secret, account.endsWith("#next") ? [NEXT_PASSPHRASE] : known);
  }
  const isPull = scenario.name.startsWith("pull");
  oneOf("the vault folder", now.vault, [
    before.machine.vault,
    after.machine.vault,
    ...(isPull ? [null] : []),
  ]);
  const bucket = checkBucket(world.s3.objects, stage.key, opening(stage, now));
  oneOf("the generation", bucket.generation, [before.bucket.generation, after.bucket.generation]);
  oneOf("the bucket's files", bucket.files, [before.bucket.files, after.bucket.files]);
  if (now.vault !== null) checkEdits(stage, now);
}

const [LOCAL_IO, PARTIAL] = [EXIT_CODES.LOCAL_IO.status, EXIT_CODES.PARTIAL.status];

/** After a failure that the command has noticed: it says what to do, and nothing was done, or the main thing was. */
export function checkFailure(stage: Stage, { status, stdout }: Ended): void {
  oneOf(`the status (${stdout})`, status, [0, LOCAL_IO, PARTIAL]);
  if (status !== 0) assert.notEqual(JSON.parse(stdout).error.hint, "", `it says what to do: ${stdout}`);
  if (status === LOCAL_IO) checkUntouched(stage);
  else checkHalfDone(stage);
}

/** As checkFailure, where what is staged may have come into the keychain that failed and so has to stay: it is not yet decided. */
export function checkKeychainFailure(stage: Stage, { status, stdout }: Ended): void {
  oneOf(`the status (${stdout})`, status, [LOCAL_IO, PARTIAL]);
  const { message, hint } = JSON.parse(stdout).error;
  assert.match(message, /the Secret Service (is locked and was not unlocked|does not answer)/);
  assert.match(hint, status === LOCAL_IO ? /^(unlock it|on a desktop: start) / : /run any vsync command/);
  checkHalfDone(stage);
  const { bucket, machine } = status === LOCAL_IO ? stage.before : stage.after;
  const { world, key, passphrases } = stage;
  assert.equal(checkBucket(world.s3.objects, key, passphrases).generation, bucket.generation, stdout);
  if (status === LOCAL_IO) assert.equal(observe(world).keys[ACCOUNT], machine.keys[ACCOUNT]);
}

function checkUntouched(stage: Stage): void {
  const { world, before } = stage;
  const now = observe(world);
  const of = ({ config, keys, vault, repository }: Observed): unknown => ({
    config,
    keys,
    vault,
    repository,
  });
  assert.deepEqual(of(now), of(before.machine));
  const bucket = checkBucket(world.s3.objects, stage.key, opening(stage, now));
  assert.deepEqual(bucket, before.bucket);
  checkTidy(stage, now);
}

/** Runs `next`, which may be any command, and looks again. */
export async function checkNext(stage: Stage, next: readonly string[]): Promise<void> {
  const { world, scenario } = stage;
  const { generation } = checkBucket(world.s3.objects, stage.key, stage.passphrases);
  const ended = await start(world, next).ended;
  oneOf(`the status of ${next.join(" ")} (${ended.stdout}${ended.stderr})`, ended.status, [
    0,
    ...scenario.nextMayEndWith,
  ]);
  const now = observe(world);
  // status changes nothing, and tells that there is something to settle.
  const isToldOf =
    next[0] === "status" && ended.stdout.includes("interrupted replacement of the vault folder");
  assert(now.vault !== null || stage.before.machine.vault === null || isToldOf, "the vault folder is back");
  checkBucket(world.s3.objects, stage.key, opening(stage, now));
  checkEdits(stage, now);
  const settles = !["status", "backup"].includes(next[0] as string);
  if (settles && scenario.isDone !== undefined && generation === stage.after.bucket.generation)
    assert(scenario.isDone(now), `${next.join(" ")} has settled it`);
}

/** The same command again: all is done now, and nothing half done is left. */
export async function checkAgain(stage: Stage): Promise<void> {
  const { world, scenario, args, after } = stage;
  const last = scenario.isDone?.(observe(world)) ? ["versions", "demo"] : args;
  const ended = await start(world, last, { node: predicted(2) }).ended;
  assert.equal(ended.status, 0, `${last.join(" ")} in the end: ${ended.stdout}${ended.stderr}`);
  const now = observe(world);
  assert.deepEqual(now.keys, after.machine.keys, "the keys");
  assert.deepEqual(now.repository, after.machine.repository);
  assert.deepEqual(
    JSON.parse(now.config as string),
    JSON.parse(after.machine.config as string),
    "the config",
  );
  checkEdits(stage, now);
  checkTidy(stage, now);
  const bucket = checkBucket(world.s3.objects, stage.key, [now.keys[ACCOUNT] as string]);
  assert.deepEqual(bucket.files, after.bucket.files, "the bucket's files");
}

/** The commands that may come next. */
export const NEXT: readonly (readonly string[])[] = [
  ["status", "--remote"],
  ["push", "demo"],
  ["pull", "demo"],
  ["versions", "demo"],
  ["diff", "demo"],
  ["audit", "demo", "--verify"],
  ["backup", "list", "demo"],
];

function opening({ scenario, passphrases }: Stage, { keys }: Observed): readonly string[] {
  // Who imports has no key yet, or one that the bucket has moved on from.
  if (scenario.name.startsWith("share import")) return passphrases;
  return [keys[ACCOUNT], keys[`${ACCOUNT}#next`]].filter((it) => it !== undefined);
}

/** What Bob typed is in his folder, in the bucket, or in a backup that a passphrase of his opens. */
function checkEdits(stage: Stage, { vault, keys }: Observed): void {
  const { world, scenario, key, passphrases } = stage;
  const { edits } = scenario;
  if (edits === undefined) return;
  const places: (Readonly<Record<string, string>> | null)[] = [vault];
  places.push(
    checkBucket(world.s3.objects, key, passphrases).files,
    ...backups(world, key, Object.values(keys)),
  );
  assert(
    places.some(
      (files) => files !== null && Object.entries(edits).every(([name, text]) => files[name] === text),
    ),
    "what Bob typed is gone",
  );
}

function backups(
  { bob }: World,
  { salt, iterations }: VaultKey,
  passphrases: readonly string[],
): Record<string, string>[] {
  const folder = join(bob.home, ".local/state/vsync/acme_shop/demo/backups");
  const names = existsSync(folder) ? readdirSync(folder).filter((name) => /^\d.*\.rqe1$/.test(name)) : [];
  return names.map((name) => {
    const bytes = readFileSync(join(folder, name));
    for (const passphrase of passphrases) {
      try {
        const { files, sealed } = openFiles(bytes, masterKey(passphrase, salt, iterations));
        assert.equal(`${sealed}.rqe1`, basename(name));
        return files;
      } catch {
        // another passphrase
      }
    }
    throw new Error(`no passphrase of Bob's opens the backup ${name}`);
  });
}

const BELONGS =
  /^(home\/\.config\/vsync\/config\/acme_shop\/origins|home\/\.local\/state\/vsync\/acme_shop\/demo\/(ledger\.json|bases\/[\d-]+\.rqe1|lock\/free|backups\/[\d-]+\.rqe1)|shop\/(\.vsync|\.gitignore))$/;

function checkTidy({ before }: Stage, { others }: Observed): void {
  const left = others.filter((name) => !BELONGS.test(name) && !before.machine.others.includes(name));
  assert.deepEqual(left, [], "what is left lying about");
}

function oneOf(what: string, value: unknown, allowed: readonly unknown[]): void {
  const same = allowed.some((it) => {
    try {
      assert.deepEqual(value, it);
      return true;
    } catch {
      return false;
    }
  });
  assert(same, `${what} is ${JSON.stringify(value)}, none of ${JSON.stringify(allowed)}`);
}

function keyOf(home: string): string {
  return readFileSync(join(home, "keystore", encodeURIComponent(ACCOUNT)), "utf8");
}

function configOf({ ann }: World): string {
  return gunzip(readFileSync(join(ann.home, ".config/vsync/config/acme_shop/env_demo")));
}

function gunzip(bytes: Uint8Array): string {
  return gunzipSync(bytes).toString();
}
