// One lock for each environment on a machine, so that two commands never work on the same state at once.

import { dirname } from "node:path";
import { clearAbandoned, type LockHolder, nameHolder, pidOfHolder, tryLock, unlock } from "@vsync/store";
import { CliError } from "../cli-error.ts";
import { shellWord } from "../shell-word.ts";

export interface Lock {
  /** Idempotent. */
  release(): void;
}

/**
 * Takes the lock or throws CONFLICT at once: nothing waits. The folder that `path` lies in must exist. A process that
 * exits gives back what it holds.
 */
export function acquireLock(path: string): Lock {
  const mine = nameHolder();
  for (let found = tryLock(path, mine); found !== "taken"; found = tryLock(path, mine)) {
    if (found !== "passed-on") throw held(path, found);
  }
  // What was done under the lock is done, whether or not it can be given back.
  const giveBack = (): void => {
    try {
      unlock(path, mine);
    } catch {
      // The next one finds that its holder is gone.
    }
  };
  process.once("exit", giveBack);
  try {
    clearAbandoned(dirname(path));
  } catch {
    // Somebody else's: it is in nobody's way.
  }
  return {
    release() {
      process.off("exit", giveBack);
      giveBack();
    },
  };
}

function held(path: string, { file, state }: LockHolder): CliError {
  const isHere = file !== null && state === "alive";
  const who = isHere ? `process ${pidOfHolder(file)}` : "a process of another machine or container";
  return new CliError(
    "CONFLICT",
    `another vsync is at work on this environment: ${who}`,
    isHere
      ? `wait until it has ended, then run the same command again; if that process is no vsync: rm -r ${shellWord(path)}`
      : `it cannot be looked up from here; once it has certainly ended: rm -r ${shellWord(path)}`,
  );
}
