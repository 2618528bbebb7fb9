// One person's machine in the model: a disk, a clock, a keystore, and processes that may die before any step they take
// on disk, in the keystore or in the bucket.

import { AsyncLocalStorage } from "node:async_hooks";
import { existsSync, mkdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import type { VaultKeys } from "@vsync/envelope";
import type { ObjectStore } from "@vsync/store";
import { keyAccount, replacedAccount, stagedAccount } from "../../../src/config/paths.ts";
import { acquireLock, type Lock } from "../../../src/vault/lock.ts";
import { decideRotation, type KeyPlaces, unstage } from "../../../src/vault/rotation.ts";
import { watchDisk } from "../disk.ts";
import { type Fault, faultyStore, READ_FAULTS } from "../faulty-store.ts";
import { type Clock, makeWriter, type Writer } from "../writer.ts";

export const ACCOUNTS: Readonly<Record<"inForce" | "staged" | "replaced", string>> = {
  inForce: keyAccount("shop", "demo"),
  staged: stagedAccount("shop", "demo"),
  replaced: replacedAccount("shop", "demo"),
};

/** Every passphrase that was ever made, with its keys. */
export type Keyring = ReadonlyMap<string, VaultKeys>;

export interface Machine {
  readonly name: string;
  readonly folder: string;
  readonly clock: Clock;
  /** Passphrases by account. */
  readonly secrets: Map<string, string>;
  /** The process that has the machine's lock. */
  holder: Process | null;
}

/** What one process meets with. */
export interface Fate {
  /** Of its requests, in their order. */
  readonly faults: readonly (Fault | null)[];
  /** The step on disk or keystore that it does not live to see; null: none. */
  readonly diesAt: number | null;
}

export const UNHARMED: Fate = { faults: [], diesAt: null };

export interface Surroundings {
  readonly store: ObjectStore;
  readonly keyring: Keyring;
  /** Lets others go first. */
  readonly pause: (what: string) => Promise<void>;
  /** Called whenever a keystore has changed. */
  readonly onSecrets: () => void;
}

export interface Process {
  readonly store: ObjectStore;
  readonly places: KeyPlaces;
  readonly died: Promise<"died">;
  /** Before each step on the disk; throws in a process that has ended. */
  step(): void;
}

const processes = new AsyncLocalStorage<Process>();

export function makeMachine(name: string, parent: string, passphrase: string, nowMs: number): Machine {
  const folder = join(parent, name);
  mkdirSync(folder);
  return {
    name,
    folder,
    clock: { nowMs },
    secrets: new Map([[ACCOUNTS.inForce, passphrase]]),
    holder: null,
  };
}

/** Runs `work` with every process's steps on the disk seen, so that they can die there. */
export async function withMortalProcesses(work: () => Promise<void>): Promise<void> {
  await watchDisk(() => processes.getStore()?.step(), work);
}

/**
 * Runs one command as `withEnvironment` does: under the machine's lock, an interrupted rotation decided first, with the
 * keys of the passphrase in force. "died": the process did not come to its end.
 */
export async function runCommand<T>(
  machine: Machine,
  surroundings: Surroundings,
  fate: Fate,
  command: (writer: Writer, process: Process) => Promise<T>,
): Promise<T | "died"> {
  const process = startProcess(machine, surroundings, fate);
  let lock: Lock | null = null;
  const work = processes.run(process, async () => {
    lock = acquireLock(join(machine.folder, "lock"));
    machine.holder = process;
    await settleRotation(machine, process, surroundings.keyring);
    return await command(openWriter(machine, process, keysInForce(machine, surroundings.keyring)), process);
  });
  try {
    return await Promise.race([process.died, work]);
  } finally {
    // The system gives back what a dead process held, or was about to take; what another one holds stays.
    if (machine.holder === process) machine.holder = null;
    (lock as Lock | null)?.release();
    if (lock === null && machine.holder === null)
      rmSync(join(machine.folder, "lock"), { recursive: true, force: true });
  }
}

function startProcess(machine: Machine, { store, pause, onSecrets }: Surroundings, fate: Fate): Process {
  let steps = 0;
  let isDead = false;
  let end: (value: "died") => void = () => undefined;
  const died = new Promise<"died">((resolve) => {
    end = resolve;
  });
  const takeStep = (): boolean => {
    isDead ||= steps++ === fate.diesAt;
    if (isDead) end("died");
    return !isDead;
  };
  const connection = faultyStore(store, async ({ index, operation, key }) => {
    await pause(`${machine.name} ${operation} ${key}`);
    if (isDead) return "crash-before";
    const fault = fate.faults[index] ?? null;
    if (fault === null || operation.startsWith("put")) return fault;
    return READ_FAULTS.includes(fault) ? fault : "unavailable";
  });
  connection.crashed.then(() => {
    isDead = true;
    end("died");
  });
  const inKeystore = async <T>(what: string, act: () => T): Promise<T> => {
    await pause(`${machine.name} keystore ${what}`);
    if (!takeStep()) return await new Promise<T>(() => undefined);
    const result = act();
    onSecrets();
    return result;
  };
  const { secrets } = machine;
  const keystore: KeyPlaces["keystore"] = {
    kind: "file",
    description: "the keystore of the model",
    get: (account) => inKeystore("get", () => secrets.get(account) ?? null),
    set: (account, secret) => inKeystore("set", () => void secrets.set(account, secret)),
    delete: (account) => inKeystore("delete", () => secrets.delete(account)),
    list: () => inKeystore("list", () => [...secrets.keys()].sort()),
  };
  const step = (): void => {
    if (!takeStep()) throw new Error("the process has ended");
  };
  return { store: connection, places: { keystore, ...ACCOUNTS }, died, step };
}

export function openWriter(
  machine: Machine,
  { store }: Process,
  keys: VaultKeys,
  former?: VaultKeys,
): Writer {
  return makeWriter({ ...machine, store, keys, ...(former && { former }) }, machine.folder);
}

export function keysInForce({ secrets }: Machine, keyring: Keyring): VaultKeys {
  return keyring.get(secrets.get(ACCOUNTS.inForce)!)!;
}

// As settleRotation of src/vault/rotation.ts does, which derives the keys that the model has at hand.
async function settleRotation(machine: Machine, process: Process, keyring: Keyring): Promise<void> {
  const { places } = process;
  const { paths } = openWriter(machine, process, keysInForce(machine, keyring)).environment.local;
  if (!existsSync(paths.rotation)) return;
  const { baseEtag } = JSON.parse(readFileSync(paths.rotation, "utf8"));
  const staged = await places.keystore.get(places.staged);
  if (staged === null) return await unstage(paths, places);
  const stored = (await places.keystore.get(places.inForce))!;
  const [old, next] = [stored, staged].map((passphrase) => ({
    passphrase,
    keys: keyring.get(passphrase)!,
  })) as [Secret, Secret];
  const { environment } = openWriter(machine, process, next.keys, old.keys);
  const { remote, writeAuditRow } = environment;
  await decideRotation(remote, paths, { baseEtag, places, old, next }, writeAuditRow, machine.clock.nowMs);
}

interface Secret {
  readonly passphrase: string;
  readonly keys: VaultKeys;
}
