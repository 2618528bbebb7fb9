// The lock of a folder bucket: who finds it held waits a while.

import { setTimeout as delay } from "node:timers/promises";
import { StoreError } from "./object-store.ts";
import { type LockHolder, nameHolder, pidOfHolder, tryLock, unlock } from "./rename-lock.ts";

export interface LockOptions {
  readonly signal?: AbortSignal | undefined;
  /** Longest wait for others, in milliseconds. Default 20,000: a holder does one hash, one rename and one fsync. */
  readonly patienceMs?: number | undefined;
}

/** Runs `action` while no other caller with this `folder` runs its own. */
export async function withFolderLock<T>(
  folder: string,
  action: () => Promise<T>,
  { signal, patienceMs = 20_000 }: LockOptions = {},
): Promise<T> {
  const mine = nameHolder();
  const start = performance.now();
  for (let wait = 1; ; wait = Math.min(wait * 2, 50)) {
    signal?.throwIfAborted();
    const found = tryLock(folder, mine);
    if (found === "taken") break;
    if (performance.now() - start > patienceMs) throw notFree(folder, found);
    await delay(wait * (0.5 + Math.random()), undefined, { signal });
  }
  try {
    return await action();
  } finally {
    unlock(folder, mine);
  }
}

function notFree(folder: string, found: LockHolder | "passed-on"): StoreError {
  if (found === "passed-on" || found.file === null || found.state === null)
    return new StoreError("LOCAL_IO", `the lock of the folder bucket (${folder}) does not come free`, {
      hint: "when no vsync is running on this folder, delete the lock's folder; it is made again",
    });
  const { file, state } = found;
  return new StoreError(
    "LOCAL_IO",
    `process ${pidOfHolder(file)} holds the lock of the folder bucket (${folder}/${file})`,
    {
      hint:
        state === "elsewhere"
          ? `it ran on another host or in another container and cannot be looked up from here; once it has ended, rename that file to "free"`
          : `wait until it has ended; if that process is not vsync, rename that file to "free"`,
    },
  );
}
