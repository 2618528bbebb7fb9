// An exclusive lock for the processes of one host, taken over safely when its holder was killed.
//
// The lock is a folder with one file, and the file's *name* says who has it: `free`, or `held.<process>.<nonce>`.
// Taking, giving back and taking over are all a rename from that one name to another, and of several renames from one
// name only one succeeds: the next finds it gone. So there is no gap between "its holder is dead" and "it is mine" into
// which a third process, or one that looked long ago, could come: once anybody has moved the file, the name that was
// judged dead no longer exists. Names are never used twice, a dead process renames nothing, and nothing is ever
// deleted. A paused process is alive and keeps its lock.

import { mkdirSync, readdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { isErrno } from "./folder-error.ts";
import { nameForTemporary, type ProcessState, stateOfTemporary } from "./process-name.ts";

const FREE = "free";
const HELD = "held.";

/** Who has the lock. Both are null when there is something in its folder that vsync has not put there. */
export interface LockHolder {
  /** The file in the lock's folder. */
  readonly file: string | null;
  readonly state: ProcessState | null;
}

/** A name under which this process may take a lock: once. */
export function nameHolder(): string {
  return `${HELD}${nameForTemporary()}`;
}

/** The process id in such a name. */
export function pidOfHolder(file: string): string | undefined {
  return file.slice(HELD.length).split(".")[0];
}

/**
 * Tries once to take the lock in `folder` as `mine`, and makes it where there is none; the folder's parent must exist.
 * `passed-on`: it was just then going from one to another, so that the next try may find it free.
 */
export function tryLock(folder: string, mine: string): "taken" | "passed-on" | LockHolder {
  if (move(folder, FREE, mine)) return "taken";
  const names = readNames(folder);
  if (names.length === 0) {
    // There is no lock yet, or a rename passed this reading by. Making one is safe in both cases.
    makeLock(folder);
    return move(folder, FREE, mine) ? "taken" : "passed-on";
  }
  if (names.includes(FREE)) return "passed-on";
  const file = names.find((name) => name.startsWith(HELD)) ?? null;
  const state = file === null ? null : stateOfTemporary(file.slice(HELD.length));
  if (file === null || state !== "gone") return { file, state };
  return move(folder, file, mine) ? "taken" : "passed-on";
}

/** Gives the lock back, if it was taken as `mine`. */
export function unlock(folder: string, mine: string): void {
  move(folder, mine, FREE);
}

/** Removes from `folder` what processes that are gone left there half made: locks, and whatever else has such a name. */
export function clearAbandoned(folder: string): void {
  for (const name of readdirSync(folder)) {
    const maker = name.slice(name.indexOf(".") + 1);
    if (stateOfTemporary(maker) === "gone") rmSync(`${folder}/${name}`, { recursive: true, force: true });
  }
}

/** Whether it was this call that renamed the lock. */
function move(folder: string, from: string, to: string): boolean {
  try {
    renameSync(`${folder}/${from}`, `${folder}/${to}`);
    return true;
  } catch (error) {
    if (isErrno(error, "ENOENT")) return false;
    throw error;
  }
}

function readNames(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch (error) {
    if (isErrno(error, "ENOENT")) return [];
    throw error;
  }
}

/**
 * Makes the folder with the free lock in it, unless there is one. It arrives by a rename too, the lock already inside:
 * a rename onto a folder that is not empty fails, so two locks can never come to lie in one.
 */
function makeLock(folder: string): void {
  const made = `${folder}.${nameForTemporary()}`;
  mkdirSync(made, { mode: 0o700 });
  try {
    writeFileSync(`${made}/${FREE}`, "", { mode: 0o600, flag: "wx" });
    renameSync(made, folder);
  } catch (error) {
    rmSync(made, { recursive: true, force: true });
    // EPERM is what Windows says.
    if (!isErrno(error, "ENOTEMPTY", "EEXIST", "EPERM")) throw error;
  }
}
