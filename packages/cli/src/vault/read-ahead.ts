// Asks a bucket for an object before its content is needed, so that the answer comes while something else is awaited.

import type { ObjectStore, ReadOptions, StoredObject } from "@vsync/store";

/** Asks for the object now. The next `get` of this key has that answer, unless something was written there in between. */
export type ReadAhead = (key: string, options: ReadOptions) => void;

/** The same store, with a way to read ahead. Closing it gives up what nobody came for. */
export function withReadAhead(store: ObjectStore): {
  readonly store: ObjectStore;
  readonly readAhead: ReadAhead;
} {
  const coming = new Map<string, Promise<StoredObject | null>>();
  const closing = new AbortController();

  function take(key: string): Promise<StoredObject | null> | undefined {
    const answer = coming.get(key);
    coming.delete(key);
    return answer;
  }
  /** What is there from now on is not what was asked for. */
  const written = <T>(key: string, write: () => Promise<T>): Promise<T> => {
    take(key);
    return write();
  };

  return {
    readAhead(key, options) {
      const answer = store.get(key, { ...options, signal: closing.signal });
      answer.catch(() => undefined); // who comes for it is told
      coming.set(key, answer);
    },
    store: {
      description: store.description,
      get: (key, options) => take(key) ?? store.get(key, options),
      head: (key, options) => store.head(key, options),
      put: (key, body, options) => written(key, () => store.put(key, body, options)),
      putIfAbsent: (key, body, options) => written(key, () => store.putIfAbsent(key, body, options)),
      putIfMatch: (key, body, etag, options) =>
        written(key, () => store.putIfMatch(key, body, etag, options)),
      delete: (key, options) => written(key, () => store.delete(key, options)),
      list: (prefix, options) => store.list(prefix, options),
      async close() {
        closing.abort();
        await store.close();
      },
    },
  };
}
