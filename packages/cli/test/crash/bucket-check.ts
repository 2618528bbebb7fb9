// The bucket as somebody else's code sees it: packages/envelope/test/independent, written from the format document.

import assert from "node:assert/strict";
import { readArchive } from "../../../envelope/test/independent/archive.ts";
import { digest, masterKey, openEnvelope, openPointerSeal } from "../../../envelope/test/independent/keys.ts";
import { readLog, readVerdict } from "../../../envelope/test/independent/texts.ts";
import type { FakeObject } from "../../../store/test/fake-s3.ts";
import { PREFIX } from "./world.ts";

export interface BucketState {
  readonly generation: number;
  readonly timestamp: string;
  /** The one of those given that the manifest is under. */
  readonly passphrase: string;
  readonly files: Readonly<Record<string, string>>;
}

export interface VaultKey {
  readonly salt: string;
  readonly iterations: number;
}

/** Throws where an invariant of the bucket does not hold (spec, faults: 1, 2 and 8). */
export function checkBucket(
  objects: ReadonlyMap<string, FakeObject>,
  { salt, iterations }: VaultKey,
  passphrases: readonly string[],
): BucketState {
  const get = (name: string): FakeObject => {
    const object = objects.get(PREFIX + name);
    assert(object, `${name} is missing`);
    return object;
  };
  const manifest = get("manifest");
  const timestamp = new TextDecoder().decode(manifest.body);
  const passphrase = passphrases.find(
    (it) => readVerdict(masterKey(it, salt, iterations), PREFIX, timestamp, manifest.metadata) === "verified",
  );
  assert(passphrase !== undefined, "no passphrase at hand verifies the manifest");
  const bundle = get(`v=${timestamp}`);
  assert.equal(digest(bundle.body), manifest.metadata.sha256, "the bundle's digest");
  const generation = Number(manifest.metadata.gen);
  const { files, sealed } = openFiles(bundle.body, masterKey(passphrase, salt, iterations));
  assert.equal(sealed, timestamp, "the timestamp inside");
  const chain = followBack(get, timestamp, generation);
  checkAudit(
    objects,
    passphrases.map((it) => masterKey(it, salt, iterations)),
    chain,
  );
  return { generation, timestamp, passphrase, files };
}

/** A bundle's files, and the version that it says it is. */
export function openFiles(
  bundle: Uint8Array,
  master: Uint8Array,
): { readonly files: Record<string, string>; readonly sealed: string } {
  const { timestamp, payload } = openPointerSeal(openEnvelope(master, bundle));
  const files = readArchive(payload).map(
    ({ name, bytes }) => [name, new TextDecoder().decode(bytes)] as const,
  );
  return { files: Object.fromEntries(files.sort(([a], [b]) => (a < b ? -1 : 1))), sealed: timestamp };
}

/** Every generation from this one back to the first, one by one. */
function followBack(get: (name: string) => FakeObject, newest: string, highest: number): string[] {
  const chain: string[] = [];
  let timestamp = newest;
  for (let generation = highest; generation > 0; generation--) {
    const { gen, "prev-ts": previous = "" } = get(`v=${timestamp}`).metadata;
    assert.equal(gen, String(generation), `the generation of ${timestamp}`);
    chain.push(timestamp);
    assert(
      generation === 1 ? previous === "" : previous !== "" && previous < timestamp,
      `what ${timestamp} follows`,
    );
    timestamp = previous;
  }
  return chain;
}

/** Its chain holds under one passphrase, and no row claims a version that is not in the history, or one twice. */
function checkAudit(
  objects: ReadonlyMap<string, FakeObject>,
  masters: readonly Uint8Array[],
  chain: readonly string[],
): void {
  const log = objects.get(`${PREFIX}audit.csv`);
  if (log === undefined) return;
  const found = masters.map((master) => readLog(master, log.body)).find(({ firstBad }) => firstBad === null);
  assert(found, "the audit chain holds under no passphrase at hand");
  const published = found.rows.filter(([, action]) =>
    ["push", "restore", "rotate"].includes(action as string),
  );
  const claimed = published.map(([, , version]) => version as string);
  assert.deepEqual(
    claimed.filter((it) => !chain.includes(it)),
    [],
    "rows of versions that are not there",
  );
  assert.equal(new Set(claimed).size, claimed.length, "a version with two rows");
}
