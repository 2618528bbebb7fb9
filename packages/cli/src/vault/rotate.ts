// Publishing the current version again under another passphrase, so that at every instant a stored one opens what the
// manifest names. docs/formats.md section 6, "Rotation".

import { existsSync } from "node:fs";
import { formatTimestamp, sealGrace, type VaultKeys } from "@vsync/envelope";
import type { WriteAuditRow } from "../audit/write-row.ts";
import { CliError } from "../cli-error.ts";
import { recordCommit, requireCommitted } from "./commit.ts";
import type { Environment } from "./environment.ts";
import { rekeyKeptBundles } from "./kept-bundles.ts";
import { loadLedger } from "./ledger.ts";
import { type Outcome, type Publication, publish } from "./publish.ts";
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

/**
 * Stages the new passphrase, swaps the manifest, promotes. What a crash cuts short `settleRotation` finishes. PARTIAL:
 * published, and that is left to it too.
 */
export async function rotateVault(environment: Environment, input: RotateVaultInput): Promise<Republished> {
  const { remote, local } = environment;
  const { current, files, rotation, audit, old, next, places, writeAuditRow, onStep } = input;
  const forget = async (): Promise<void> => {
    if (places !== null) await unstage(local.paths, places);
  };
  // What an attempt before this one has staged stays: what it sent may still arrive.
  const forgetOwn = existsSync(local.paths.rotation)
    ? async () => undefined
    : () => forget().catch(() => undefined);
  try {
    if (places !== null) await stage(local.paths, places, current.etag, next.passphrase);
  } catch (error) {
    await forgetOwn();
    throw error;
  }
  const version = await publishAgain(
    { ...environment, remote: { ...remote, keys: next.keys }, writeAuditRow },
    {
      operation: "rotate",
      files,
      replaces: current,
      audit,
      ...(rotation && { rotation }),
      onStep: (step) => step === "swap" && onStep?.(step),
    },
    { onLost: forget, onUnsent: forgetOwn },
  );
  onStep?.("promote");
  try {
    if (places === null) await rekeyKeptBundles(local.paths, remote.keys, next.keys);
    else await promote(local.paths, places, { passphrase: old, keys: remote.keys }, next, version);
  } catch (error) {
    const message = `${remote.env} is under the new passphrase as generation ${version.generation}, but this machine could not change over: ${(error as Error).message}`;
    const hint = "put that right, then run any vsync command on this environment: it finishes this";
    throw new CliError("PARTIAL", message, hint, { cause: error });
  }
  return version;
}

/** Called when it is certain that nothing was published: somebody or something was in the way, or it was never sent. */
interface NotPublished {
  onLost(): Promise<void>;
  onUnsent(): Promise<void>;
}

const NOTHING_TO_DO: NotPublished = { onLost: async () => undefined, onUnsent: async () => undefined };

/** Publishes the current files again. A vault folder that was in step stays so: what it was synced with has a new name. */
export async function publishAgain(
  { remote, local, vaultFolder, writeAuditRow }: Environment,
  publication: Omit<Publication, "packed">,
  { onLost, onUnsent }: NotPublished = NOTHING_TO_DO,
): Promise<Republished> {
  const synced = syncedHere(loadLedger(local.paths), null, vaultFolder);
  const inStep = synced !== null && synced.timestamp === publication.replaces.timestamp ? synced : null;
  const packed = inStep && { folder: inStep.folder, files: inStep.files, recordedAt: inStep.recordedAt };
  let outcome: Outcome;
  try {
    outcome = await publish(remote, local, { ...publication, packed });
  } catch (error) {
    // As long as anything may have been sent, the pending files say so.
    if (!existsSync(local.paths.pending)) await onUnsent();
    throw error;
  }
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
