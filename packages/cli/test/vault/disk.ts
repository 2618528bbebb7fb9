// Watches every change that the code under test makes on the disk, and lets a test stop any of them.

import fs from "node:fs";
import { syncBuiltinESMExports } from "node:module";

export interface DiskStep {
  /** From 0. */
  readonly index: number;
  readonly operation: string;
  readonly path: string;
}

/** What `node:fs` exports that changes something; opening counts when it is for writing. */
const CHANGING = [
  "openSync",
  "writeFileSync",
  "fsyncSync",
  "fchmodSync",
  "chmodSync",
  "mkdirSync",
  "renameSync",
  "unlinkSync",
  "rmdirSync",
  "rmSync",
] as const;

/**
 * Calls `before` ahead of each change while `work` runs; what it throws, the change throws instead of happening.
 * Only calls by way of `node:fs`'s exports are seen: the steps inside of rmSync are not.
 */
export async function watchDisk<T>(before: (step: DiskStep) => void, work: () => Promise<T>): Promise<T> {
  const original = Object.fromEntries(CHANGING.map((name) => [name, fs[name]]));
  const paths = new Map<number, string>();
  let index = 0;
  for (const name of CHANGING) {
    const act = original[name] as (...args: unknown[]) => unknown;
    const watched = (...args: unknown[]): unknown => {
      const path = typeof args[0] === "number" ? (paths.get(args[0]) ?? "") : String(args[0]);
      const isReading = name === "openSync" && isForReading(args[1]);
      if (!isReading) before({ index: index++, operation: name.replace(/Sync$/, ""), path });
      const result = act(...args);
      if (name === "openSync") paths.set(result as number, path);
      return result;
    };
    Object.assign(fs, { [name]: watched });
  }
  syncBuiltinESMExports();
  try {
    return await work();
  } finally {
    Object.assign(fs, original);
    syncBuiltinESMExports();
  }
}

function isForReading(flags: unknown): boolean {
  const { O_WRONLY, O_RDWR } = fs.constants;
  return typeof flags === "number"
    ? (flags & (O_WRONLY | O_RDWR)) === 0
    : flags === undefined || flags === "r";
}
