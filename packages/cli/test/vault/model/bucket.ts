// The bucket of the model: a store in memory that holds each manifest, as it is written, to what readers rely on.

import { judgeManifest, openBundle, type VaultKeys } from "@vsync/envelope";
import type { ObjectStore } from "@vsync/store";
import { memoryStore } from "../memory-store.ts";
import { PREFIX } from "../writer.ts";

/** A manifest that was current at some time. */
export interface Published {
  readonly timestamp: string;
  readonly generation: number;
  readonly writeId: string;
  /** The passphrase that it is sealed under. */
  readonly passphrase: string;
  readonly files: Readonly<Record<string, string>>;
}

export interface ModelBucket {
  readonly store: ObjectStore;
  /** Oldest first. The last one is current. */
  readonly published: readonly Published[];
  /** Promises that a write broke, in words. */
  readonly broken: string[];
}

const MANIFEST = `${PREFIX}manifest`;

/** `keyring`: every passphrase that was ever made, with its keys. `nowMs`: the server's clock. */
export function modelBucket(
  keyring: ReadonlyMap<string, VaultKeys>,
  nowMs: () => number,
  onPublished: () => void,
): ModelBucket {
  const memory = memoryStore();
  const published: Published[] = [];
  const broken: string[] = [];
  /** Nobody reads a manifest that is not in `published` yet. */
  let noted: Promise<void> = Promise.resolve();

  // What stands in the bucket at the moment of the write is taken before anything is awaited.
  async function noteManifest(): Promise<void> {
    const manifest = memory.objects.get(MANIFEST)!;
    const timestamp = new TextDecoder().decode(manifest.body);
    const bundle = memory.objects.get(`${PREFIX}v=${timestamp}`);
    const before = published.at(-1)?.generation ?? 0;
    for (const [passphrase, keys] of keyring) {
      const verdict = await judgeManifest(keys, PREFIX, { ...manifest, etag: "", date: null } as never, 0);
      if (verdict.kind !== "verified") continue;
      const { generation, sha256, writeId } = verdict.manifest;
      if (generation !== before + 1) broken.push(`generation ${generation} came after ${before}`);
      if (bundle === undefined) {
        broken.push(`the manifest names bundle ${timestamp}, which is not there`);
        return;
      }
      const files = await openBundle(keys, bundle.body, { timestamp, sha256, sealed: true });
      published.push({ timestamp, generation, writeId, passphrase, files: toText(files) });
      onPublished();
      return;
    }
    broken.push(`the manifest of ${timestamp} is under no passphrase that anybody made`);
  }

  async function noteWrite<T>(key: string, write: () => Promise<T>): Promise<T> {
    const isBundle = key.startsWith(`${PREFIX}v=`);
    const before = isBundle ? memory.objects.get(key) : undefined;
    const result = await write();
    if (before !== undefined) broken.push(`bundle ${key} was replaced`);
    if (key === MANIFEST) {
      noted = noteManifest();
      await noted;
    }
    return result;
  }

  async function read<T extends { date: Date | null }>(act: () => Promise<T | null>): Promise<T | null> {
    await noted;
    const found = await act();
    return found && { ...found, date: new Date(nowMs()) };
  }

  return {
    published,
    broken,
    store: {
      ...memory,
      get: (key, options) => read(() => memory.get(key, options)),
      head: (key) => read(() => memory.head(key)),
      put: (key, body, options) => noteWrite(key, () => memory.put(key, body, options)),
      putIfAbsent: (key, body, options) => noteWrite(key, () => memory.putIfAbsent(key, body, options)),
      putIfMatch: (key, body, etag, options) =>
        noteWrite(key, () => memory.putIfMatch(key, body, etag, options)),
    },
  };
}

function toText(files: ReadonlyMap<string, { bytes: Uint8Array }>): Record<string, string> {
  return Object.fromEntries([...files].map(([name, { bytes }]) => [name, new TextDecoder().decode(bytes)]));
}
