// What this machine knows of an environment, held against what the bucket says: docs/formats.md section 6.

import { parseTimestamp } from "@vsync/envelope";
import type { Environment } from "./environment.ts";
import { knownGeneration, type Ledger, loadLedger, saveLedger, withGenuine } from "./ledger.ts";
import { type CurrentVersion, readCurrentVersion, type Trust } from "./remote.ts";

// Clocks differ by minutes, and publishes in the same second move on by one each.
const FAR_AHEAD_MS = 3600_000;

/** The bucket's current version, judged by all that this machine knows and remembered by it; null: there is none. */
export async function readStanding(
  environment: Environment,
  acceptRollback = false,
): Promise<{ readonly ledger: Ledger; readonly current: CurrentVersion | null }> {
  const { remote, local } = environment;
  const ledger = loadLedger(local.paths);
  const current = await readCurrentVersion(remote, trustOf(environment, ledger, acceptRollback), local.now());
  if (current === null) return { ledger, current };
  const aheadMs = (parseTimestamp(current.timestamp) as number) - local.now();
  if (aheadMs > FAR_AHEAD_MS) {
    environment.terminal.warn(
      `version ${current.timestamp} is dated ahead of this machine's clock: one of the two clocks is wrong (the generation is what counts)`,
    );
  }
  return { ledger: rememberGenuine(environment, ledger, current, acceptRollback), current };
}

/** Where no manifest is: what is wrong with that, or null when there never was one. */
export function missingManifest(environment: Pick<Environment, "config">, ledger: Ledger): string | null {
  const seen = knownGeneration(environment.config, ledger);
  return seen === 0 ? null : `the manifest is gone, though generation ${seen} was there: somebody deleted it`;
}

/** What the manifest is held against, from all that this machine knows. */
export function trustOf(
  environment: Pick<Environment, "config">,
  ledger: Ledger,
  acceptRollback = false,
): Trust {
  return {
    sealRequired: ledger.sealed || environment.config.minGen !== undefined,
    highest: ledger.highest,
    minGen: knownGeneration(environment.config, ledger),
    acceptRollback,
  };
}

/** Remembers a version that has proved genuine: whatever happens next, an older one is a rollback from now on. */
export function rememberGenuine(
  { config, local: { paths } }: Environment,
  ledger: Ledger,
  { timestamp, generation, seal }: CurrentVersion,
  acceptRollback = false,
): Ledger {
  if (seal === null) return ledger;
  const seen = { generation, timestamp, writeId: seal.writeId };
  const waives = acceptRollback && (config.minGen ?? 0) > generation;
  const waivedMinGen = waives ? (config.minGen as number) : ledger.waivedMinGen;
  const next = withGenuine(acceptRollback ? { ...ledger, highest: null, waivedMinGen } : ledger, seen);
  const isNews = waives || next.sealed !== ledger.sealed || next.highest?.writeId !== ledger.highest?.writeId;
  if (isNews) saveLedger(paths, next);
  return next;
}
