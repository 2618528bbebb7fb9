// Publishing the current version again under another passphrase, so that at every instant a stored one opens what the
// manifest names. docs/formats.md section 6, "Rotation".

import { formatTimestamp, sealGrace, type VaultKeys } from "@vsync/envelope";
import type { WriteAuditRow } from "../audit/write-row.ts";
import { CliError } from "../cli-error.ts";
import { recordCommit, requireCommitted } from "./commit.ts";
import type { Environment } from "./environment.ts";
import { rekeyKeptBundles } from "./kept-bundles.ts";
import { loadLedger } from "./ledger.ts";
import { type Publication, publish } from "./publish.ts";
import type { CurrentVersion, Remote } from "./remote.ts";
import { type KeyPlaces, promote, stage, unstage } from "./rotation.ts";
import { syncedHere } from "./vault-folder.ts";

export interface RotateVaultInput extends Pick<Publication, "files" | "rotation" | "audit"> {
  readonly current: CurrentVersion;
  /** The passphrase in force: `environment.remote` has its keys. */
  readonly old: string;
  readonly next: { readonly passphrase: string; readonly keys: VaultKeys };
  /** Null where variables stand in for the keystore, and the caller has put the new passphrase into a file. */
  readonly places: KeyPlaces | null;
  /** Under the new keys. */
  readonly writeAuditRow: WriteAuditRow;
  readonly onStep?: (step: "swap" | "promote") => void;
}

export interface Republished {
  readonly timestamp: string;
  readonly generation: number;
}

/** Stages the new passphrase, swaps the manifest, promotes. What a crash cuts short `settleRotation` finishes. */
export async function rotateVault(environment: Environment, input: RotateVaultInput): Promise<Republished> {
  const { remote, local } = environment;
  const { current, files, rotation, audit, old, next, places, writeAuditRow, onStep } = input;
  if (places !== null) await stage(local.paths, places, current.etag, next.passphrase);
  const rotated = { ...environment, remote: { ...remote, keys: next.keys }, writeAuditRow };
  const version = await publishAgain(
    rotated,
    {
      operation: "rotate",
      files,
      replaces: current,
      audit,
      ...(rotation && { rotation }),
      onStep: (step) => step === "swap" && onStep?.(step),
    },
    async () => {
      if (places !== null) await unstage(local.paths, places);
    },
  );
  onStep?.("promote");
  if (places === null) await rekeyKeptBundles(local.paths, remote.keys, next.keys);
  else await promote(local.paths, places, { passphrase: old, keys: remote.keys }, next);
  return version;
}

/**
 * Publishes the current files again. A vault folder that was in step stays so: what it was synced with has a new name.
 * `onLost` runs when it is certain that nothing was published.
 */
export async function publishAgain(
  { remote, local, vaultFolder, writeAuditRow }: Environment,
  publication: Omit<Publication, "packed">,
  onLost: () => Promise<void> = async () => undefined,
): Promise<Republished> {
  const synced = syncedHere(loadLedger(local.paths), null, vaultFolder);
  const inStep = synced !== null && synced.timestamp === publication.replaces.timestamp ? synced : null;
  const outcome = await publish(remote, local, {
    ...publication,
    packed: inStep && { folder: inStep.folder, files: inStep.files, recordedAt: inStep.recordedAt },
  });
  if (outcome.kind === "conflict" || outcome.kind === "failed") await onLost();
  await requireCommitted(remote, outcome);
  await recordCommit(local.paths, outcome.pending, writeAuditRow);
  const { timestamp, generation } = outcome.pending;
  return { timestamp, generation };
}

/** The manifest's `grace`: this version, under the keys of `remote`, until then. */
export async function graceOf(
  { keys, prefix }: Pick<Remote, "keys" | "prefix">,
  { timestamp, generation, seal }: CurrentVersion,
  untilMs: number,
): Promise<string> {
  if (seal === null) {
    throw new CliError(
      "INPUT",
      "a vault without a seal cannot give a grace period",
      "rotate without --grace, or push once first",
    );
  }
  const until = formatTimestamp(untilMs);
  return await sealGrace(keys, prefix, { timestamp, generation, sha256: seal.sha256, until });
}
