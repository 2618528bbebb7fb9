// Two people at one vault, and what goes wrong when one of them publishes.

import { type Fault, type FaultyStore, faultyStore, type Request } from "./faulty-store.ts";
import { type MemoryStore, memoryStore } from "./memory-store.ts";
import { makeWriter, PREFIX, type Writer } from "./writer.ts";

export const MANIFEST: string = `${PREFIX}manifest`;

export interface World {
  readonly store: MemoryStore;
  readonly clock: { nowMs: number };
  readonly ann: Writer;
  readonly bob: Writer;
}

/** Both are in step with generation 1; Ann has an edit to publish. */
export async function makeWorld(config: { singleWriter?: true } = {}): Promise<World> {
  const store = memoryStore();
  const clock = { nowMs: Date.UTC(2026, 4, 1, 12) };
  const ann = makeWriter({ store, clock, name: "ann", config });
  const bob = makeWriter({ store, clock, name: "bob", config });
  ann.edit({ ".env.demo": "A=1\n" });
  await ann.push();
  await bob.pull();
  clock.nowMs += 60_000;
  ann.edit({ ".env.demo": "A=2\n" });
  return { store, clock, ann, bob };
}

/** Answers the n-th sending of the manifest with the n-th fault. */
export function manifestFaults(
  store: MemoryStore,
  faults: readonly (Fault | null)[],
  also?: (sending: number) => Promise<void>,
): FaultyStore {
  let sending = 0;
  return faultyStore(store, async ({ operation, key }) => {
    if (key !== MANIFEST || !operation.startsWith("put")) return null;
    const fault = faults[sending++] ?? null;
    await also?.(sending);
    return fault;
  });
}

export function manifestRequests(requests: readonly Request[]): string[] {
  return requests.filter(({ key }) => key === MANIFEST).map(({ operation }) => operation);
}

export async function pushAs(writer: Writer, text: string): Promise<void> {
  writer.edit({ [`${writer.name}.txt`]: text });
  await writer.push();
}
