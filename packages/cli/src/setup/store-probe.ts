// Finds out what a bucket can do by doing it: write, read, and refuse all but one of several writers at once
// (docs/formats.md section 6, "Servers without conditional PUT").

import { toHex, utf8 } from "@vsync/envelope";
import { type ObjectStore, StoreError } from "@vsync/store";

export interface StoreProbe {
  /** False: two writers could overwrite each other without noticing. */
  readonly conditionalWrites: boolean;
  /** The probe's key when it could not be removed again (credentials without permission to delete), else null. */
  readonly leftover: string | null;
}

const WRITERS = 8;

/** Throws StoreError when the bucket cannot be reached, written or read with these credentials. */
export async function probeStore(
  store: ObjectStore,
  prefix: string,
  random: (size: number) => Uint8Array,
): Promise<StoreProbe> {
  const key = `${prefix}probe-${toHex(random(8))}`;
  let conditionalWrites = false;
  try {
    conditionalWrites = await conditionsHold(store, key);
  } catch (error) {
    await remove(store, key);
    throw error;
  }
  return { conditionalWrites, leftover: (await remove(store, key)) ? null : key };
}

async function conditionsHold(store: ObjectStore, key: string): Promise<boolean> {
  const created = await race("create", (body) => store.putIfAbsent(key, body));
  if (created === null) {
    // No conditions at all, or none that hold: plain writing and reading must still work.
    await store.put(key, utf8("vsync probe"));
    await store.get(key);
    return false;
  }
  const replaced = await race("replace", (body) => store.putIfMatch(key, body, created.etag));
  const stands = await store.get(key);
  if (replaced === null || stands === null || stands.etag !== replaced.etag) return false;
  return await refuses(() => store.putIfMatch(key, utf8("vsync probe, stale"), created.etag));
}

/** Several writers at once: the winner's answer, or null when there was not exactly one. */
async function race(
  what: string,
  write: (body: Uint8Array) => Promise<{ etag: string }>,
): Promise<{ etag: string } | null> {
  // No two bodies alike: an ETag names a content, and a write that changes nothing would leave it as it is.
  const bodies = Array.from({ length: WRITERS }, (_, writer) =>
    utf8(`vsync probe, ${what}, writer ${writer}`),
  );
  const outcomes = await Promise.allSettled(bodies.map(write));
  const winners = outcomes.flatMap((outcome) => (outcome.status === "fulfilled" ? [outcome.value] : []));
  const [winner] = winners;
  if (winner !== undefined) return winners.length === 1 ? winner : null;
  const failures = outcomes.flatMap((outcome) => (outcome.status === "rejected" ? [outcome.reason] : []));
  // Nobody won. "Not supported" and "refused" are findings; anything else is why the bucket cannot be used.
  const failure = failures.find(
    (error) => !isCode(error, "NOT_SUPPORTED") && !isCode(error, "PRECONDITION_FAILED"),
  );
  if (failure !== undefined) throw failure;
  return null;
}

async function refuses(write: () => Promise<unknown>): Promise<boolean> {
  try {
    await write();
    return false;
  } catch (error) {
    if (isCode(error, "PRECONDITION_FAILED")) return true;
    throw error;
  }
}

async function remove(store: ObjectStore, key: string): Promise<boolean> {
  try {
    await store.delete(key);
    return true;
  } catch {
    return false; // what the probe found stands all the same
  }
}

function isCode(error: unknown, code: StoreError["code"]): boolean {
  return error instanceof StoreError && error.code === code;
}
