// Finishes or undoes what an earlier process left half done, before anything else is done: docs/formats.md section 6.

import { dirname } from "node:path";
import type { WriteAuditRow } from "../audit/write-row.ts";
import { CliError } from "../cli-error.ts";
import { removeLeftovers } from "../config/private-file.ts";
import type { Terminal } from "../terminal.ts";
import { recordCommit } from "./commit.ts";
import type { Environment } from "./environment.ts";
import { type RecoveredSwap, recoverSwap } from "./folder-swap.ts";
import { dropPending, loadPending, type Pending } from "./pending.ts";
import type { Remote } from "./remote.ts";
import { isPlaced, type Settlement, settle, swapManifest } from "./settle.ts";
import type { StatePaths } from "./state-paths.ts";

export interface RecoveredPublish {
  readonly pending: Pending;
  /**
   * `committed`: it is in the history, perhaps only now. `dropped`: it is certainly not. `untraceable`: the history does
   * not tell any more, and nothing can be sent again. `manifest-gone`: somebody deleted the manifest; it stays pending.
   */
  readonly became: "committed" | "dropped" | "untraceable" | "manifest-gone";
}

/**
 * Every command's first step. Returns what it found of an interrupted publish; null: there was none. One that the bucket
 * does not tell of stays pending: it stops the command, unless that `readsOnly` and the keys stay the same.
 */
export async function recoverEarlierWork(
  { remote, local: { paths }, vaultFolder, terminal, writeAuditRow }: Environment,
  readsOnly = false,
): Promise<RecoveredPublish | null> {
  removeLeftovers(vaultFolder); // of a `set` that was killed: a push would publish it
  removeLeftovers(dirname(paths.ledger));
  removeLeftovers(paths.backups);
  removeLeftovers(paths.bases);
  const finished = recoverFolder(paths, vaultFolder, terminal)?.finished;
  if (finished?.audit) await writeAuditRow(finished.audit, finished.synced, true);
  const publish = await recoverPublish(remote, paths, writeAuditRow).catch((error: unknown) => {
    const isUndecided = error instanceof CliError && error.code === "OUTCOME_UNKNOWN";
    // While a rotation or a take-over is on its way, these keys may not be those of what the bucket has.
    const { operation = "" } = loadPending(paths) ?? {};
    if (!readsOnly || !isUndecided || !["push", "restore"].includes(operation)) throw error;
    terminal.note(`${error.message}; this is what it has now`);
    return null;
  });
  if (publish !== null) terminal.note(describePublish(publish));
  return publish;
}

/** The part that asks neither the key nor the bucket. The caller holds the lock. */
export function recoverFolder(
  paths: StatePaths,
  vaultFolder: string,
  terminal: Pick<Terminal, "note" | "warn">,
): RecoveredSwap | null {
  const swap = recoverSwap(paths, vaultFolder, terminal.warn);
  if (swap !== null) terminal.note(describeSwap(swap));
  return swap;
}

/**
 * Finds out what became of the pending publish. One whose bundle is in the bucket is finished, one that had not come
 * that far is dropped. Throws OUTCOME_UNKNOWN, or the store's error, while the bucket does not tell. Null: none pending.
 */
export async function recoverPublish(
  remote: Remote,
  paths: StatePaths,
  writeAuditRow: WriteAuditRow,
): Promise<RecoveredPublish | null> {
  const pending = loadPending(paths);
  if (pending === null) {
    dropPending(paths); // a bundle alone was never sent
    return null;
  }
  const found = await settle(remote, pending);
  const settled = found.kind === "unchanged" ? await resume(remote, pending) : found;
  switch (settled.kind) {
    case "committed":
      await recordCommit(paths, pending, writeAuditRow, true);
      return { pending, became: "committed" };
    case "unchanged":
    case "conflict":
      dropPending(paths);
      return { pending, became: "dropped" };
    case "untraceable":
      if (settled.why === "gone") return { pending, became: "manifest-gone" };
      dropPending(paths);
      return { pending, became: "untraceable" };
  }
}

function describeSwap({ folder, finished }: RecoveredSwap): string {
  return finished === null
    ? `an interrupted pull was undone; ${folder} is as it was before`
    : `an interrupted pull was finished; ${folder} is at version ${finished.synced.timestamp}`;
}

function describePublish({ pending, became }: RecoveredPublish): string {
  const { operation, timestamp, generation, synced } = pending;
  const earlier = `an interrupted ${operation} (version ${timestamp})`;
  switch (became) {
    case "committed":
      return `${earlier} is published as generation ${generation}`;
    case "dropped":
      return `${earlier} was not published${operation === "push" && synced ? `; what it would have changed is still in ${synced.folder.path}` : ""}`;
    case "untraceable":
      return `${earlier} may have been published once, but the bucket's history does not lead back to it`;
    case "manifest-gone":
      return `${earlier} cannot be settled: the manifest was deleted from the bucket`;
  }
}

// The manifest was sent only if the bundle had been placed. If so, sending it again is the one way to be certain:
// the first sending could still arrive.
async function resume(remote: Remote, pending: Pending): Promise<Settlement> {
  if (!(await isPlaced(remote, pending))) return { kind: "unchanged" };
  const outcome = await swapManifest(remote, pending);
  if (outcome.kind === "failed") return await settle(remote, pending); // refused now; what was sent then is long gone
  if (outcome.kind !== "unknown") return outcome;
  throw new CliError(
    "OUTCOME_UNKNOWN",
    `${remote.store.description} does not say whether version ${pending.timestamp} of ${remote.env} was published`,
    "run the same command again: it finds out",
    { cause: outcome.cause },
  );
}
