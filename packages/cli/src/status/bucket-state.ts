// How an environment stands to its bucket, by two reads at most. Nothing is remembered of what was seen.

import type { VaultKeys } from "@vsync/envelope";
import { findPublisher } from "../audit/publisher.ts";
import { toCliError } from "../cli-error.ts";
import type { EnvConfig } from "../config/env-config.ts";
import type { Context } from "../context.ts";
import { openBucket } from "../vault/bucket.ts";
import { runningGrace } from "../vault/grace.ts";
import type { Ledger, Synced } from "../vault/ledger.ts";
import { type Remote, readCurrentVersion } from "../vault/remote.ts";
import { trustOf } from "../vault/standing.ts";
import type { BucketState } from "./status-types.ts";

export interface Asked {
  readonly bucket: BucketState;
  /** What to do about a problem; empty where there is none. */
  readonly hint: string;
}

export async function askBucket(
  { host }: Context,
  { env, config, ledger, synced }: { env: string; config: EnvConfig; ledger: Ledger; synced: Synced | null },
  keys: VaultKeys,
): Promise<Asked> {
  try {
    const store = await openBucket(host, env, config.s3);
    try {
      const { prefix } = config;
      const remote: Remote = { store, keys, prefix, env, singleWriter: config.singleWriter === true };
      const current = await readCurrentVersion(remote, trustOf({ config }, ledger), host.now());
      if (current === null) {
        const wasThere = ledger.highest !== null || ledger.synced.length > 0 || (config.minGen ?? 0) > 0;
        return { bucket: { state: wasThere ? "manifest-gone" : "empty" }, hint: "" };
      }
      const { timestamp, generation } = current;
      const grace = runningGrace(current, host.now());
      if (synced?.timestamp === timestamp) return { bucket: { state: "in-step", grace }, hint: "" };
      const by = Math.max(1, generation - (synced?.generation ?? 0));
      const publisher = await findPublisher(remote, timestamp);
      return { bucket: { state: "behind", by, timestamp, generation, publisher, grace }, hint: "" };
    } finally {
      await store.close();
    }
  } catch (error) {
    const { code, message, hint } = toCliError(error);
    return { bucket: { state: "problem", code, message }, hint };
  }
}
