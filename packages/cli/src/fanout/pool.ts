// Several at a time, and not more: each is a process that talks to a platform.

import type { Change, Report } from "./platform.ts";
import { ToolFailure } from "./tool.ts";

const AT_A_TIME = 6;

/** Rejects with the first failure, when those that had begun are over; no other is begun then. */
export async function inPool<T>(items: readonly T[], work: (item: T) => Promise<void>): Promise<void> {
  const queue = [...items];
  const failures: unknown[] = [];
  const worker = async (): Promise<void> => {
    for (let item = queue.shift(); item !== undefined && failures.length === 0; item = queue.shift()) {
      await work(item).catch((error: unknown) => void failures.push(error));
    }
  };
  await Promise.all(Array.from({ length: AT_A_TIME }, worker));
  if (failures.length > 0) throw failures[0];
}

/**
 * Makes each change by itself, removals after all else has arrived. One that fails does not keep the others back; but when
 * one has had no answer in time, none is begun any more: they would all wait as long.
 */
export async function sendEach(
  changes: readonly Change[],
  make: (change: Change) => Promise<unknown>,
  report: Report,
): Promise<void> {
  let stop: string | null = null;
  const one = async (change: Change): Promise<void> => {
    if (stop !== null) return report(change, new ToolFailure("skipped", stop));
    try {
      await make(change);
    } catch (error) {
      if (!(error instanceof ToolFailure)) throw error;
      if (error.reason === "silent") stop = "not tried, after another one had no answer";
      else if (change.kind !== "remove") someFailed = true;
      return report(change, error);
    }
    report(change, null);
  };
  let someFailed = false;
  await inPool(
    changes.filter(({ kind }) => kind !== "remove"),
    one,
  );
  if (someFailed) stop ??= "not tried, since not all values arrived";
  await inPool(
    changes.filter(({ kind }) => kind === "remove"),
    one,
  );
}
