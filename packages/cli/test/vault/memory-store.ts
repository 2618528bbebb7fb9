// A bucket in memory that behaves like S3: conditional writes, and ETags that cover the body only.

import { createHash } from "node:crypto";
import { type ObjectInfo, type ObjectStore, type StoredObject, StoreError } from "@vsync/store";

interface Kept {
  readonly body: Uint8Array;
  readonly metadata: Readonly<Record<string, string>>;
  readonly lastModified: Date;
}

export interface MemoryStore extends ObjectStore {
  readonly objects: Map<string, Kept>;
  /** A store of its own with the same objects. */
  copy(): MemoryStore;
}

export function memoryStore(objects: Map<string, Kept> = new Map()): MemoryStore {
  const put = (
    key: string,
    body: Uint8Array,
    metadata: Readonly<Record<string, string>> = {},
  ): { etag: string } => {
    const kept = { body: body.slice(), metadata: { ...metadata }, lastModified: new Date(0) };
    objects.set(key, kept);
    return { etag: etagOf(kept) };
  };
  const info = (kept: Kept): ObjectInfo => ({
    etag: etagOf(kept),
    size: kept.body.length,
    metadata: { ...kept.metadata },
    lastModified: kept.lastModified,
    date: null,
  });
  return {
    objects,
    copy: () => memoryStore(new Map(objects)),
    description: "the bucket in memory",
    async get(key, options = {}): Promise<StoredObject | null> {
      const kept = objects.get(key);
      if (kept === undefined) return null;
      if (kept.body.length > (options.maxBytes ?? Number.POSITIVE_INFINITY)) {
        throw new StoreError("TOO_LARGE", `${key} is too large`, { hint: "" });
      }
      return { ...info(kept), body: kept.body.slice() };
    },
    async head(key) {
      const kept = objects.get(key);
      return kept === undefined ? null : info(kept);
    },
    async put(key, body, options) {
      return put(key, body, options?.metadata);
    },
    async putIfAbsent(key, body, options) {
      if (objects.has(key)) throw preconditionFailed(key);
      return put(key, body, options?.metadata);
    },
    async putIfMatch(key, body, etag, options) {
      const kept = objects.get(key);
      if (kept === undefined || etagOf(kept) !== etag) throw preconditionFailed(key);
      return put(key, body, options?.metadata);
    },
    async *list(prefix) {
      for (const key of [...objects.keys()].filter((it) => it.startsWith(prefix)).sort()) {
        yield { key, size: objects.get(key)!.body.length, lastModified: null };
      }
    },
    async delete(key) {
      objects.delete(key);
    },
    async close() {},
  };
}

export function preconditionFailed(key: string): StoreError {
  return new StoreError("PRECONDITION_FAILED", `somebody else wrote ${key}`, { hint: "", status: 412 });
}

function etagOf({ body }: Kept): string {
  return createHash("md5").update(body).digest("hex");
}
