// One lock for each environment on a machine, so that two commands never work on the same state at once.
//
// The lock is a folder with one file, whose name says who has it: `free` or `held.<process>.<nonce>`. Taking it, giving
// it back and taking it from a dead holder are each a rename of that one file. Of several renames from one name only one
// succeeds, and no name is used twice, so two processes that find the same dead holder cannot both get the lock.

import { randomBytes } from "node:crypto";
import { mkdirSync, readdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { nameOwnProcess, stateOfProcess } from "@vsync/store";
import { CliError } from "../cli-error.ts";
import { leftovers, nameTemporary } from "../config/private-file.ts";

export interface Lock {
  /** Idempotent. */
  release(): void;
}

const FREE = "free";
const HELD = "held.";

/**
 * Takes the lock or throws CONFLICT at once: nothing waits. The folder that `path` lies in must exist. A process that
 * exits gives back what it holds.
 */
export function acquireLock(path: string): Lock {
  const mine = `${HELD}${nameOwnProcess()}.${randomBytes(8).toString("hex")}`;
  for (;;) {
    if (move(path, FREE, mine)) break;
    const names = readNames(path);
    if (names.length === 0) {
      makeLock(path);
      continue;
    }
    if (names.includes(FREE)) continue; // it was given back since
    const holder = names.find((name) => name.startsWith(HELD));
    if (holder === undefined || processState(holder) !== "gone") throw held(path, holder);
    if (move(path, holder, mine)) break;
  }
  // What was done under the lock is done, whether or not it can be given back.
  const giveBack = (): void => {
    try {
      move(path, mine, FREE);
    } catch {
      // The next one finds that its holder is gone.
    }
  };
  process.once("exit", giveBack);
  removeHalfMade(path);
  return {
    release() {
      process.off("exit", giveBack);
      giveBack();
    },
  };
}

/** Locks of processes that were killed while they made one. */
function removeHalfMade(path: string): void {
  try {
    for (const left of leftovers(dirname(path), basename(path)))
      rmSync(left, { recursive: true, force: true });
  } catch {
    // Somebody else's: it is in nobody's way.
  }
}

/** Whether it was this call that renamed the file. */
function move(path: string, from: string, to: string): boolean {
  try {
    renameSync(join(path, from), join(path, to));
    return true;
  } catch (error) {
    if (isCode(error, "ENOENT")) return false;
    throw error;
  }
}

function readNames(path: string): string[] {
  try {
    return readdirSync(path);
  } catch (error) {
    if (isCode(error, "ENOENT")) return [];
    throw error;
  }
}

// It arrives by a rename too, `free` already inside: a folder that is not empty cannot be renamed onto.
function makeLock(path: string): void {
  const made = nameTemporary(path);
  mkdirSync(made, { mode: 0o700 });
  try {
    writeFileSync(join(made, FREE), "", { mode: 0o600, flag: "wx" });
    renameSync(made, path);
  } catch (error) {
    rmSync(made, { recursive: true, force: true });
    // EPERM is what Windows says. ENOENT: who has the lock by now took this for a leftover.
    if (!isCode(error, "ENOTEMPTY", "EEXIST", "EPERM", "ENOENT")) throw error;
  }
}

function processState(holder: string): ReturnType<typeof stateOfProcess> {
  return stateOfProcess(holder.slice(HELD.length, holder.lastIndexOf(".")));
}

function held(path: string, holder: string | undefined): CliError {
  const alive = holder !== undefined && processState(holder) === "alive";
  const who = alive
    ? `process ${holder.slice(HELD.length).split(".")[0]}`
    : "a process of another machine or container";
  return new CliError(
    "CONFLICT",
    `another vsync is at work on this environment: ${who}`,
    alive
      ? `wait until it has ended, then run the same command again; if that process is no vsync: rm -r ${path}`
      : `it cannot be looked up from here; once it has certainly ended: rm -r ${path}`,
  );
}

function isCode(error: unknown, ...codes: readonly string[]): boolean {
  return error instanceof Error && "code" in error && codes.includes(error.code as string);
}
