// The exclusive lock of a folder bucket, for the processes of one host: taken over safely when its holder was killed.

import { randomBytes } from "node:crypto";
import { mkdir, readdir, rename, rm, writeFile } from "node:fs/promises";
import { setTimeout as delay } from "node:timers/promises";
import { isErrno } from "./folder-error.ts";
import { StoreError } from "./object-store.ts";
import { nameOwnProcess, type ProcessState, stateOfProcess } from "./process-name.ts";

const FREE = "free";
const HELD = "held.";

export interface LockOptions {
  readonly signal?: AbortSignal | undefined;
  /** Longest wait for others, in milliseconds. Default 20,000: a holder does one hash, one rename and one fsync. */
  readonly patienceMs?: number | undefined;
}

/**
 * Runs `action` while no other caller with this `folder` runs its own.
 *
 * The lock is one file in `folder`, and its *name* says who has it: `free`, or `held.<process>.<nonce>`. Taking,
 * giving back and taking over are all a rename from that one name to another, and of several renames from one name
 * only one succeeds: the next finds it gone. So there is no gap between "its holder is dead" and "it is mine" into
 * which a third process, or one that looked long ago, could come: once anybody has moved the file, the name that was
 * judged dead no longer exists. Names are never used twice, a dead process renames nothing, and nothing is ever
 * deleted. A paused process is alive and keeps its lock.
 */
export async function withFolderLock<T>(
  folder: string,
  action: () => Promise<T>,
  options: LockOptions = {},
): Promise<T> {
  const held = `${HELD}${nameForTemporary()}`;
  await takeLock(folder, held, options);
  try {
    return await action();
  } finally {
    await moveLock(folder, held, FREE);
  }
}

/** A name for a file that only this process writes and that others may delete when this process is gone. */
export function nameForTemporary(): string {
  return `${nameOwnProcess()}.${randomBytes(8).toString("hex")}`;
}

/** The state of the process that made `nameForTemporary()`; null when it is no such name. */
export function stateOfTemporary(name: string): ProcessState | null {
  return stateOfProcess(name.slice(0, name.lastIndexOf(".")));
}

async function takeLock(
  folder: string,
  held: string,
  { signal, patienceMs = 20_000 }: LockOptions,
): Promise<void> {
  const start = performance.now();
  for (let wait = 1; ; wait = Math.min(wait * 2, 50)) {
    signal?.throwIfAborted();
    if (await moveLock(folder, FREE, held)) return;
    const names = await readLock(folder);
    const holder = names.find((name) => name.startsWith(HELD));
    const state = holder === undefined ? null : stateOfTemporary(holder.slice(HELD.length));
    if (holder !== undefined && state === "gone" && (await moveLock(folder, holder, held))) return;
    if (performance.now() - start > patienceMs) throw notFree(folder, holder, state);
    // No name at all: there is no lock yet, or a rename passed this reading by. Making one is safe in both cases.
    if (names.length === 0) await makeLock(folder);
    else await delay(wait * (0.5 + Math.random()), undefined, { signal });
  }
}

async function readLock(folder: string): Promise<string[]> {
  try {
    return await readdir(folder);
  } catch (error) {
    if (isErrno(error, "ENOENT")) return [];
    throw error;
  }
}

/** Whether it was this call that renamed the lock. */
async function moveLock(folder: string, from: string, to: string): Promise<boolean> {
  try {
    await rename(`${folder}/${from}`, `${folder}/${to}`);
    return true;
  } catch (error) {
    if (isErrno(error, "ENOENT")) return false;
    throw error;
  }
}

/**
 * Makes the folder with the free lock in it, unless there is one. It arrives by a rename too, the lock already inside:
 * a rename onto a folder that is not empty fails, so two locks can never come to lie in one.
 */
async function makeLock(folder: string): Promise<void> {
  const made = `${folder}.${nameForTemporary()}`;
  await mkdir(made, { mode: 0o700 });
  await writeFile(`${made}/${FREE}`, "", { mode: 0o600 });
  try {
    await rename(made, folder);
  } catch (error) {
    await rm(made, { recursive: true, force: true });
    // EPERM is what Windows says.
    if (!isErrno(error, "ENOTEMPTY", "EEXIST", "EPERM")) throw error;
  }
}

function notFree(folder: string, holder: string | undefined, state: ProcessState | null): StoreError {
  if (holder === undefined || state === null)
    return new StoreError("LOCAL_IO", `the lock of the folder bucket (${folder}) does not come free`, {
      hint: "when no vsync is running on this folder, delete the lock's folder; it is made again",
    });
  const pid = holder.slice(HELD.length).split(".")[0];
  return new StoreError(
    "LOCAL_IO",
    `process ${pid} holds the lock of the folder bucket (${folder}/${holder})`,
    {
      hint:
        state === "elsewhere"
          ? `it ran on another host or in another container and cannot be looked up from here; once it has ended, rename that file to "${FREE}"`
          : `wait until it has ended; if that process is not vsync, rename that file to "${FREE}"`,
    },
  );
}
