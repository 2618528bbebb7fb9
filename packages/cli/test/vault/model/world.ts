// The model's world: a bucket, writers on machines of their own, readers, and what each of them may say. What nobody may
// ever say or find is written down as broken.

import { existsSync } from "node:fs";
import { expandKeys, sha256, utf8, type VaultKeys, WrongPassphraseError } from "@vsync/envelope";
import type { ObjectStore } from "@vsync/store";
import type fc from "fast-check";
import { fetchVault } from "../../../../s3-client/src/fetch.ts";
import { toCliError } from "../../../src/cli-error.ts";
import { replaceKey } from "../../../src/setup/new-key.ts";
import { rekeyKeptBundles } from "../../../src/vault/kept-bundles.ts";
import { fetchVersion } from "../../../src/vault/remote.ts";
import { graceOf, publishAgain, rotateVault } from "../../../src/vault/rotate.ts";
import { stagedPassphrase } from "../../../src/vault/rotation.ts";
import { readStanding } from "../../../src/vault/standing.ts";
import { faultyStore, READ_FAULTS } from "../faulty-store.ts";
import { PREFIX, type Writer } from "../writer.ts";
import { type ModelBucket, modelBucket, type Published } from "./bucket.ts";
import {
  ACCOUNTS,
  type Machine,
  makeMachine,
  openWriter,
  type Process,
  runCommand,
  type Surroundings,
} from "./machine.ts";
import type { Action, Opening, Turn } from "./turns.ts";

export interface Reader {
  passphrase: string;
  minGen: number;
}

/** What has happened, so that nobody takes quiet for peace. */
export interface Tally {
  runs: number;
  commands: number;
  published: number;
  rotations: number;
  refused: number;
  killed: number;
  opened: number;
  openedByGrace: number;
}

export interface World {
  readonly bucket: ModelBucket;
  readonly surroundings: Surroundings;
  readonly keyring: Map<string, VaultKeys>;
  readonly clock: { nowMs: number };
  readonly machines: readonly Machine[];
  readonly readers: readonly Reader[];
  /** Every edit's text, with its author, unless that one has overwritten or discarded it. */
  readonly kept: Set<string>;
  /** Versions that a command said were published. */
  readonly acknowledged: Set<string>;
  /** Write-ids of versions that a command said were not. */
  readonly denied: Set<string>;
  readonly broken: string[];
  readonly tally: Tally;
  readonly atWork: Promise<void>[];
  edits: number;
}

const NAMES = ["ann", "bob", "cat", "dan", "eve"];
const FIRST = "the first passphrase";
/** Later than any real clock, which the reader looks at too. */
const START_MS = Date.UTC(2100, 4, 1, 12);

/** What commands may answer when requests fail, processes die and others are at work. */
const HONEST = new Set([
  "CONFLICT",
  "LOCAL_CHANGES",
  "OUTCOME_UNKNOWN",
  "UNREACHABLE",
  "ACCESS_DENIED",
  "NOT_CONFIGURED",
  "INPUT",
]);

export async function makeWorld(
  writers: number,
  folder: string,
  scheduler: fc.Scheduler,
  tally: Tally,
): Promise<World> {
  const keyring = new Map([[FIRST, await keysOf(FIRST)]]);
  const clock = { nowMs: START_MS };
  const bucket: ModelBucket = modelBucket(
    keyring,
    () => clock.nowMs,
    () => checkKeystores(world),
  );
  const machines = NAMES.slice(0, writers).map((name) => makeMachine(name, folder, FIRST, START_MS));
  const world: World = {
    bucket,
    keyring,
    clock,
    machines,
    readers: [
      { passphrase: FIRST, minGen: 0 },
      { passphrase: FIRST, minGen: 0 },
    ],
    kept: new Set(),
    acknowledged: new Set(),
    denied: new Set(),
    broken: bucket.broken,
    tally,
    atWork: [],
    edits: 0,
    surroundings: {
      store: bucket.store,
      keyring,
      pause: (what) => scheduler.schedule(Promise.resolve(), what),
      onSecrets: () => checkKeystores(world),
    },
  };
  return world;
}

/** A turn begins; it ends when it has: until then others go on beside it, on the same machine too. */
export function begin(world: World, turn: Turn): void {
  world.clock.nowMs += 500;
  world.atWork.push(take(world, turn));
}

export function beginOpening(world: World, opening: Opening): void {
  world.clock.nowMs += 500;
  world.atWork.push(openAsReader(world, opening));
}

export async function take(world: World, { who, action, jumpMs, fate }: Turn): Promise<void> {
  const machine = world.machines[who % world.machines.length]!;
  machine.clock.nowMs += 500 + jumpMs;
  const from = world.bucket.published.length;
  const placed: string[] = [];
  const store = notingBundles(world.bucket.store, placed);
  world.tally.commands++;
  try {
    const outcome = await runCommand(machine, { ...world.surroundings, store }, fate, (writer, process) =>
      carryOut(world, machine, writer, process, action),
    );
    if (outcome === "died") world.tally.killed++;
  } catch (error) {
    const { code, message } = toCliError(error);
    world.tally.refused++;
    const isHonest = HONEST.has(code) || (code === "WRONG_PASSPHRASE" && isForeign(world, machine, from));
    if (!isHonest) world.broken.push(`${machine.name}'s ${action.kind} said ${code}: ${message}`);
    if (code !== "OUTCOME_UNKNOWN") for (const writeId of placed) world.denied.add(writeId);
  }
}

/** The store, and the write-ids of the bundles that are placed by way of it. */
function notingBundles(store: ObjectStore, placed: string[]): ObjectStore {
  return {
    ...store,
    putIfAbsent: (key, body, options) => {
      if (key.startsWith(`${PREFIX}v=`)) placed.push(options?.metadata?.["write-id"] as string);
      return store.putIfAbsent(key, body, options);
    },
  };
}

/** Whether a manifest that was current since then is under another passphrase than this machine's. */
function isForeign({ bucket }: World, { secrets }: Machine, from: number): boolean {
  const since: readonly Published[] = bucket.published.slice(Math.max(0, from - 1));
  return since.some(({ passphrase }) => passphrase !== secrets.get(ACCOUNTS.inForce));
}

async function carryOut(
  world: World,
  machine: Machine,
  writer: Writer,
  process: Process,
  action: Action,
): Promise<void> {
  switch (action.kind) {
    case "push": {
      edit(world, writer, action.edits);
      const { published, timestamp } = await writer.push({ force: action.force });
      if (published) world.acknowledged.add(timestamp!);
      return;
    }
    case "pull": {
      edit(world, writer, action.edits);
      // What --force discards is what the folder held when it began.
      if (action.flag === "force")
        for (const text of Object.values(writer.vault() ?? {}))
          world.kept.delete(`${text} in ${writer.name}`);
      await writer.pull(action.flag === "none" ? {} : { [action.flag]: true });
      return;
    }
    case "look": {
      await writer.recover();
      const { current } = await readStanding(writer.environment);
      if (current !== null) await fetchVersion(writer.environment.remote, current);
      return;
    }
    case "rotate":
      return await rotate(world, machine, writer, process, action.graceMs);
    case "finish":
      return await finish(world, writer);
    case "import":
      return await importShare(world, machine, writer, process);
  }
}

export function edit(world: World, writer: Writer, files: readonly string[]): void {
  // A pull was killed between the two renames: there is nothing to edit before the next command. Who makes the folder anew
  // by hand is told where the earlier one is (crash.test.ts).
  if (writer.vault() === null && existsSync(writer.environment.local.paths.swap)) return;
  for (const file of files) {
    const before = writer.vault()?.[file];
    if (before !== undefined) world.kept.delete(`${before} in ${writer.name}`);
    const text = `edit ${++world.edits} by ${writer.name}`;
    writer.edit({ [file]: text });
    world.kept.add(`${text} in ${writer.name}`);
  }
}

async function rotate(
  world: World,
  machine: Machine,
  writer: Writer,
  process: Process,
  graceMs: number | null,
): Promise<void> {
  await writer.recover();
  const { environment } = writer;
  const { remote, local } = environment;
  const { current } = await readStanding(environment);
  if (current === null) return;
  const { files } = await fetchVersion(remote, current);
  const passphrase =
    (await stagedPassphrase(local.paths, process.places)) ??
    `passphrase ${world.keyring.size} of ${machine.name}`;
  const keys = world.keyring.get(passphrase) ?? (await keysOf(passphrase));
  world.keyring.set(passphrase, keys);
  const grace = graceMs === null ? undefined : await graceOf(remote, current, local.now() + graceMs);
  const rotated = await rotateVault(environment, {
    current,
    files,
    rotation: { rotatedAt: "2100-05-01T12:00:00Z", ...(grace !== undefined && { grace }) },
    audit: { action: "rotate", meta: { id: `${world.keyring.size}`.padStart(16, "0") } },
    old: machine.secrets.get(ACCOUNTS.inForce)!,
    next: { passphrase, keys },
    places: process.places,
    writeAuditRow: openWriter(machine, process, keys, remote.keys).environment.writeAuditRow,
  });
  world.acknowledged.add(rotated.timestamp);
  world.tally.rotations++;
}

async function finish(world: World, writer: Writer): Promise<void> {
  await writer.recover();
  const { environment } = writer;
  const { current } = await readStanding(environment);
  if (current?.grace === undefined) return;
  const { files } = await fetchVersion(environment.remote, current);
  const rotation = { rotatedAt: current.rotatedAt as string };
  const version = await publishAgain(environment, {
    operation: "rotate",
    files,
    replaces: current,
    rotation,
    audit: null,
  });
  world.acknowledged.add(version.timestamp);
}

/** As `share import` of a share that somebody made who has the passphrase in force. */
async function importShare(
  world: World,
  machine: Machine,
  { environment }: Writer,
  process: Process,
): Promise<void> {
  const { passphrase } = world.bucket.published.at(-1) ?? { passphrase: FIRST };
  const isHad = world.machines.some(({ secrets }) => secrets.get(ACCOUNTS.inForce) === passphrase);
  const stored = machine.secrets.get(ACCOUNTS.inForce)!;
  if (!isHad || passphrase === stored) return;
  const { remote, local } = environment;
  await rekeyKeptBundles(local.paths, remote.keys, world.keyring.get(passphrase)!);
  const place = {
    paths: local.paths,
    keystore: process.places.keystore,
    names: { repo: "shop", env: "demo" },
  };
  await replaceKey(place, stored, passphrase);
}

/** At every instant somebody's keystore has what opens the current version, and so has that of whoever made it. */
function checkKeystores({ bucket, machines, broken }: World): void {
  const current = bucket.published.at(-1);
  if (current === undefined) return;
  const holders = machines.filter(({ secrets }) =>
    [ACCOUNTS.inForce, ACCOUNTS.staged].some((account) => secrets.get(account) === current.passphrase),
  );
  const maker = / of (\w+)$/.exec(current.passphrase)?.[1];
  if (holders.length === 0 || (maker !== undefined && !holders.some(({ name }) => name === maker))) {
    broken.push(
      `generation ${current.generation} is under ${current.passphrase}, which its maker has no more`,
    );
  }
}

async function openAsReader(world: World, { who, redeployed, faults }: Opening): Promise<void> {
  const reader = world.readers[who % world.readers.length]!;
  const { bucket, clock, keyring, broken } = world;
  const start = bucket.published.length;
  const current = bucket.published.at(-1);
  if (redeployed && current !== undefined) {
    reader.passphrase = current.passphrase;
    reader.minGen = current.generation;
  }
  const { passphrase, minGen } = reader;
  const store = faultyStore(bucket.store, async ({ index, key }) => {
    await world.surroundings.pause(`reader get ${key}`);
    const fault = faults[index] ?? null;
    return fault === null || READ_FAULTS.includes(fault) ? fault : "unavailable";
  });
  const config = { prefix: PREFIX, env: "demo", minGen } as Parameters<typeof fetchVault>[1];
  const source: Parameters<typeof fetchVault>[0] = {
    get: async (key) => {
      const found = await store.get(key);
      return found && { body: found.body, metadata: found.metadata, date: clock.nowMs, filtered: false };
    },
    head: async () => null,
    close: () => undefined,
  };
  const deadline = { signal: new AbortController().signal, stage: "" };
  const opened = fetchVault(source, config, Promise.resolve(keyring.get(passphrase)!), deadline);
  try {
    const vault = await Promise.race([opened, store.crashed]);
    if (vault === "crashed") return;
    const files = Object.fromEntries(
      [...vault.files].map(([name, { bytes }]) => [name, new TextDecoder().decode(bytes)]),
    );
    world.tally.opened++;
    if (vault.generation !== vault.manifestGeneration) world.tally.openedByGrace++;
    const version = bucket.published[vault.generation - 1];
    const isWhole = JSON.stringify(sorted(files)) === JSON.stringify(sorted(version?.files ?? {}));
    if (!isWhole) broken.push(`a reader saw a generation ${vault.generation} that was never published`);
    if (vault.manifestGeneration < start)
      broken.push(`a reader saw generation ${vault.manifestGeneration} after ${start}`);
    const named = bucket.published[vault.manifestGeneration - 1];
    if (vault.generation !== vault.manifestGeneration && named?.passphrase === passphrase)
      broken.push("a reader with the passphrase in force was given the version before");
  } catch (error) {
    const { name, code } = error as { name: string; code?: string };
    const since = bucket.published.slice(Math.max(0, start - 1));
    const isForeign = since.some((version) => version.passphrase !== passphrase);
    const isHonest =
      code === "UNREACHABLE" ||
      code === "ACCESS_DENIED" ||
      (error instanceof WrongPassphraseError && isForeign) ||
      (name === "ManifestNotFoundError" && start === 0);
    if (!isHonest) broken.push(`a reader said ${name}: ${(error as Error).message}`);
  }
}

function sorted(files: Readonly<Record<string, string>>): [string, string][] {
  return Object.entries(files).sort(([a], [b]) => (a < b ? -1 : 1));
}

async function keysOf(passphrase: string): Promise<VaultKeys> {
  return await expandKeys(await sha256([utf8(passphrase)])); // PBKDF2 has tests of its own
}
