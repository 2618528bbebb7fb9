// Asks a bucket for an object before its content is needed, so that the answer comes while something else is awaited.
// Who takes such an answer takes something older than a reading of now: that is for what is written on condition only.

import type { ObjectStore, ReadOptions, StoredObject } from "@vsync/store";

export interface ReadAhead {
  /** Asks for the object now. */
  expect(key: string, options: ReadOptions): void;
  /** The answer that was expected, once; undefined when none was. */
  take(key: string): Promise<StoredObject | null> | undefined;
  /** Gives up what nobody came for. */
  close(): void;
}

export function openReadAhead(store: ObjectStore): ReadAhead {
  const coming = new Map<string, Promise<StoredObject | null>>();
  const closing = new AbortController();
  return {
    expect(key, options) {
      const answer = store.get(key, { ...options, signal: closing.signal });
      answer.catch(() => undefined); // who comes for it is told
      coming.set(key, answer);
    },
    take(key) {
      const answer = coming.get(key);
      coming.delete(key);
      return answer;
    },
    close: () => closing.abort(),
  };
}
