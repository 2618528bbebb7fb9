// What a committed publish leaves on this machine: its audit row, the base, the ledger. docs/formats.md sections 7 and 9.
// Every step can be taken twice, so that a later process can do again what a crash cut short.

import { findPublisher } from "../audit/publisher.ts";
import type { WriteAuditRow } from "../audit/write-row.ts";
import { CliError } from "../cli-error.ts";
import { installBase, pruneBases } from "./kept-bundles.ts";
import { loadLedger, saveLedger, withGenuine, withSynced } from "./ledger.ts";
import { dropPending, isPendingBundle, type Pending } from "./pending.ts";
import type { Outcome } from "./publish.ts";
import type { Remote } from "./remote.ts";
import type { StatePaths } from "./state-paths.ts";

/** `resumed`: an earlier process may have come this far already. PARTIAL when this machine cannot note it down. */
export async function recordCommit(
  paths: StatePaths,
  pending: Pending,
  writeAuditRow: WriteAuditRow,
  resumed = false,
): Promise<void> {
  const { synced, audit, timestamp, generation, writeId } = pending;
  try {
    if (audit !== null) await writeAuditRow(audit, pending, resumed);
    const isSound = !resumed || (await isPendingBundle(paths, pending));
    if (isSound && synced !== null) installBase(paths, paths.pendingBundle, timestamp);
    const ledger = withGenuine(loadLedger(paths), { generation, writeId, timestamp });
    saveLedger(paths, synced === null ? ledger : withSynced(ledger, synced));
    pruneBases(paths);
    dropPending(paths);
  } catch (error) {
    const message = `version ${timestamp} is published as generation ${generation}, but this machine could not note it down: ${(error as Error).message}`;
    throw new CliError("PARTIAL", message, "put that right, then run any vsync command on this environment", {
      cause: error,
    });
  }
}

/** Returns after a commit; for any other outcome throws what to tell and what to do. */
export async function requireCommitted(remote: Remote, outcome: Outcome): Promise<{ superseded: boolean }> {
  const { env } = remote;
  switch (outcome.kind) {
    case "committed":
      return { superseded: outcome.superseded };
    case "conflict":
      throw await movedOn(remote, outcome.current, "somebody else published first");
    case "failed":
      throw outcome.error;
    case "unknown":
      throw new CliError(
        "OUTCOME_UNKNOWN",
        `${remote.store.description} did not say whether version ${outcome.pending.timestamp} of ${env} was published`,
        `run the same command again: it finds out`,
        { cause: outcome.cause },
      );
  }
}

/** CONFLICT, with who and when as far as the audit log tells. */
export async function movedOn(
  remote: Remote,
  current: { readonly timestamp: string; readonly generation: number },
  what: string,
): Promise<CliError> {
  const { env } = remote;
  const publisher = await findPublisher(remote, current.timestamp);
  const by =
    publisher === null ? "the audit log does not say by whom" : `by ${publisher.who} at ${publisher.when}`;
  return new CliError(
    "CONFLICT",
    `${what}: ${env} is at generation ${current.generation} (${current.timestamp}), ${by}`,
    `vsync pull ${env} --backup   then look at vsync backup diff ${env}, bring your values over one by one (vsync set ${env} <NAME>) and push: restoring the whole backup would take out what was just pulled; or publish over it: vsync push ${env} --force`,
  );
}
