// What `init` makes sure of in the bucket before it changes anything on this machine.

import { deriveKeys, judgeManifest, wipe } from "@vsync/envelope";
import { type ObjectStore, openStore, StoreError } from "@vsync/store";
import { CliError } from "../cli-error.ts";
import type { EnvConfig } from "../config/env-config.ts";
import type { Names } from "../config/paths.ts";
import type { Context } from "../context.ts";
import { requirePassphrase } from "../keys/passphrase.ts";
import { regionFlags } from "../vault/bucket.ts";
import { getManifest } from "../vault/remote.ts";
import type { Location } from "./location.ts";
import { probeStore } from "./store-probe.ts";

/**
 * Opens the bucket for `use` and closes it. A folder bucket that is not there is made, unless nothing may change, or it
 * `wasThere` before: then its disk may not be mounted.
 */
export async function withBucket<T>(
  { host, flags }: Context,
  location: Location,
  wasThere: boolean,
  use: (store: ObjectStore) => Promise<T>,
): Promise<T> {
  const store = await openStore(location, {
    createBucket: !flags.dryRun && !wasThere,
    env: host.env,
    explainRegion: (theirs) =>
      `the bucket is in ${theirs}; the same command with: ${regionFlags(location, theirs)}`,
  });
  try {
    return await use(store);
  } finally {
    await store.close();
  }
}

/** Whether the prefix holds a vault, be it one whose manifest is gone. */
export async function holdsVault(store: ObjectStore, { endpoint, prefix }: Location): Promise<boolean> {
  let step: "head" | "list" = "head";
  try {
    if ((await store.head(`${prefix}manifest`)) !== null) return true;
    step = "list";
    for await (const _ of store.list(`${prefix}v=`)) return true;
  } catch (error) {
    const code = error instanceof StoreError ? error.code : null;
    const folderToBeMade = code === "BUCKET_MISSING" && endpoint.startsWith("file:"); // under --dry-run
    // Credentials that may not list still set up an environment; the manifest has been looked for.
    const mayNotList = code === "ACCESS_DENIED" && step === "list";
    if (!folderToBeMade && !mayNotList) throw error;
  }
  return false;
}

/** `isHere`: this machine has that very environment. */
export function refuseOccupied(
  env: string,
  { prefix }: Location,
  { description }: ObjectStore,
  isHere: boolean,
): CliError {
  const join = isHere
    ? `to go on with it: vsync init ${env} --keep`
    : "to join it: vsync share import <file>";
  return new CliError(
    "CONFLICT",
    `${description} already holds a vault under ${prefix}`,
    `${join}; to replace it for good: the same command with --take-over; or choose another --prefix`,
  );
}

/** Throws unless the vault under the new location, if there is one, is under the key that this environment keeps. */
export async function requireOwnVault(
  context: Context,
  store: ObjectStore,
  names: Names,
  { encryption }: EnvConfig,
  prefix: string,
): Promise<void> {
  const manifest = await getManifest({ store, prefix });
  if (manifest === null) return;
  const { text } = await requirePassphrase(context, names.repo, names.env);
  const keys = await deriveKeys(text, encryption.salt, encryption.iterations);
  const verdict = await judgeManifest(keys, prefix, manifest, context.host.now());
  wipe(keys.master, keys.sealKey, keys.chainKey);
  if (verdict.kind === "verified") return;
  throw new CliError(
    "CONFLICT",
    `${store.description} holds a vault under ${prefix} that this environment's passphrase did not seal`,
    "choose another --prefix, or start anew there: --overwrite --take-over",
  );
}

/** Writes, reads and races a probe object; throws UNSAFE_STORE when writers could overwrite each other unnoticed. */
export async function probeBucket(
  { host, terminal }: Context,
  store: ObjectStore,
  prefix: string,
  singleWriter: boolean,
): Promise<boolean> {
  const { conditionalWrites, leftover } = await probeStore(store, prefix, (size) => host.random(size));
  if (leftover !== null) {
    terminal.warn(
      `the probe object ${leftover} could not be removed again (no permission to delete?); it is harmless`,
    );
  }
  if (conditionalWrites || singleWriter) return conditionalWrites;
  throw new CliError(
    "UNSAFE_STORE",
    `${store.description} does not do conditional writes: two people who push at once would lose one's work`,
    "use another server, or accept that only one writer works at a time: --single-writer",
  );
}
