// What this machine knows of an environment, held against what the bucket says: docs/formats.md section 6.

import { existsSync } from "node:fs";
import { parseTimestamp } from "@vsync/envelope";
import { CliError } from "../cli-error.ts";
import { shellWord } from "../shell-word.ts";
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

/** Where no manifest is: that there was one, and how to go on; null when there never was. */
export function missingManifest(
  { config, remote: { env, store }, vaultFolder }: Environment,
  ledger: Ledger,
): CliError | null {
  const seen = knownGeneration(config, ledger);
  if (seen === 0) return null;
  const recreate = `vsync push ${env} --recreate`;
  // The history is still in the bucket, and a manifest leads to it again.
  const outOfNothing =
    ledger.highest === null
      ? ""
      : `; if nobody has: mkdir -p ${shellWord(vaultFolder)} && ${recreate} --force && vsync restore ${env} previous && vsync pull ${env}`;
  const next = existsSync(vaultFolder)
    ? `publish the vault folder anew: ${recreate}`
    : `where somebody has a vault folder: ${recreate}${outOfNothing}`;
  return new CliError(
    "NOT_CONFIGURED",
    `the manifest of ${env} is gone from ${store.description}, though generation ${seen} was there: somebody deleted it`,
    `find out who and why; then ${next}`,
  );
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
