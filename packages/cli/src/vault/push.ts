// Publishing the vault folder as the next version, unless nothing changed or the bucket moved on.

import type { VaultFiles } from "@vsync/envelope";
import { type AuditInput, auditIntent } from "../audit/intent.ts";
import { CliError } from "../cli-error.ts";
import { formatSize } from "../terminal.ts";
import { type Changes, compareVaults, countChanges, formatFiles, isProvenUnchanged } from "./changes.ts";
import { movedOn, recordCommit, requireCommitted } from "./commit.ts";
import type { Environment } from "./environment.ts";
import { withModes } from "./file-modes.ts";
import { loadBase } from "./kept-bundles.ts";
import { type Ledger, type Synced, saveLedger, withSynced } from "./ledger.ts";
import { loadPending } from "./pending.ts";
import { FIRST, publish, type Replaced } from "./publish.ts";
import { type CurrentVersion, fetchIfSound } from "./remote.ts";
import { readStanding } from "./standing.ts";
import { type Listing, listVault, readVault, recordListing, sizeOf, syncedHere } from "./vault-folder.ts";

export interface PushInput extends AuditInput {
  readonly env: string;
  readonly force?: boolean;
  readonly recreate?: boolean;
  readonly acceptRollback?: boolean;
}

export interface PushResult extends Changes {
  readonly env: string;
  /** False: nothing had changed, or --dry-run. */
  readonly published: boolean;
  /** Of the version that the vault folder now equals; for --dry-run, of the one it would have replaced (0: none). */
  readonly generation: number;
  readonly timestamp: string | null;
  readonly files: number;
  readonly bytes: number;
  /** Somebody has published on top of it already. */
  readonly superseded: boolean;
}

const STEPS = 5;

export async function pushVault(
  environment: Environment,
  input: PushInput,
  dryRun = false,
): Promise<PushResult> {
  const { env, force = false } = input;
  const { remote, local, vaultFolder, terminal } = environment;
  const audit = auditIntent(environment, "push", input);

  terminal.step(1, STEPS, `looking at ${vaultFolder}`);
  const listing = listVault(vaultFolder);
  if (listing === null) throw noVault(vaultFolder, env);

  terminal.step(2, STEPS, `asking ${remote.store.description} for the current version`);
  const { ledger, current } = await readStanding(environment, input.acceptRollback);
  const synced = syncedHere(ledger, listing, vaultFolder);
  const replaces = current ?? replacesNothing(environment, ledger, synced, input);
  const inStep = current !== null && synced?.timestamp === current.timestamp;
  if (current !== null && !inStep && !force) throw await notInStep(environment, listing, synced, current);
  const unpublished = {
    env,
    published: false,
    generation: replaces.generation,
    timestamp: replaces.timestamp,
    superseded: false,
  };
  // --force publishes what the bucket may have lost.
  if (inStep && !force && isProvenUnchanged(listing, synced)) {
    return { ...unpublished, ...NO_CHANGES, ...sizeOf(listing) };
  }

  const vault = readVault(listing);
  const recorded = recordListing(vault.listing, local.now());
  const { files, bytes } = sizeOf(vault.listing);
  const before = await lastPublished(environment, current, inStep);
  const packed = withModes(local.platform, vault.files, before);
  const changes = compareVaults(before ?? new Map(), packed);
  if (current !== null && before !== null && !force && countChanges(changes) === 0) {
    if (!dryRun) noteTouched(environment, ledger, current, recorded);
    return { ...unpublished, ...changes, files, bytes };
  }
  if (files === 0 && !force) throw emptied(vaultFolder, env, before !== null && before.size > 0);
  if (dryRun) return { ...unpublished, ...changes, files, bytes };

  const outcome = await publish(remote, local, {
    operation: "push",
    files: packed,
    replaces,
    packed: recorded,
    audit,
    onStep(step, size) {
      if (step === "encrypt") terminal.step(3, STEPS, `encrypting ${formatFiles(files, bytes)}`);
      if (step === "upload") terminal.step(4, STEPS, `uploading the bundle, ${formatSize(size)}`);
      if (step === "swap") terminal.step(5, STEPS, "naming it in the manifest");
    },
  });
  const { superseded } = await requireCommitted(remote, outcome);
  await recordCommit(local.paths, outcome.pending, environment.writeAuditRow);
  const { generation, timestamp } = outcome.pending;
  return { env, published: true, generation, timestamp, files, bytes, ...changes, superseded };
}

const NO_CHANGES: Changes = { added: [], changed: [], removed: [] };

/** The place of a manifest that is not there: none yet, or, with --recreate, the one that was deleted. */
function replacesNothing(
  environment: Environment,
  { highest }: Ledger,
  synced: Synced | null,
  { env, recreate, force = false }: PushInput,
): Replaced {
  const { config, local, remote, terminal } = environment;
  const pending = loadPending(local.paths); // one that could not be settled, because the manifest is gone
  const seen = Math.max(highest?.generation ?? 0, config.minGen ?? 0, pending?.generation ?? 0);
  if (seen === 0) return FIRST;
  const timestamp =
    [highest?.timestamp, pending?.timestamp]
      .filter((it) => it !== undefined)
      .sort()
      .at(-1) ?? null;
  if (recreate) {
    // What this machine was publishing itself it has in its folder.
    const base = Math.max(synced?.generation ?? 0, pending?.synced?.generation ?? 0);
    if (base < seen) {
      const stale = `the vault folder is based on ${base === 0 ? "no version" : `generation ${base}`} of ${env}, and generation ${seen} was there: what came in between would be missing`;
      if (!force) throw behind(env, stale);
      terminal.warn(stale);
    }
    return { etag: null, timestamp, generation: seen };
  }
  throw new CliError(
    "NOT_CONFIGURED",
    `the manifest of ${env} is gone from ${remote.store.description}, though generation ${seen} was there: somebody deleted it`,
    `find out who and why; then publish the vault folder as generation ${seen + 1}: vsync push ${env} --recreate`,
  );
}

function behind(env: string, stale: string): CliError {
  const audit = `vsync audit ${env}   tells who published last: let whoever is furthest ahead recreate`;
  return new CliError(
    "CONFLICT",
    stale,
    `${audit}; if nobody has more than this folder: vsync push ${env} --recreate --force`,
  );
}

/** What a push is compared with: the base, or what --force publishes over. Null: nothing, or it cannot be read. */
async function lastPublished(
  { remote, local }: Environment,
  current: CurrentVersion | null,
  inStep: boolean,
): Promise<VaultFiles | null> {
  if (current === null) return null;
  if (inStep) return await loadBase(local.paths, remote, current.timestamp);
  return await fetchIfSound(remote, current);
}

// Files that were only touched: with fresh stats the next look at them is enough.
function noteTouched(
  { local: { paths } }: Environment,
  ledger: Ledger,
  { timestamp, generation }: CurrentVersion,
  recorded: Pick<Synced, "folder" | "files" | "recordedAt">,
): void {
  saveLedger(paths, withSynced(ledger, { timestamp, generation, operation: "push", ...recorded }));
}

async function notInStep(
  environment: Environment,
  listing: Listing,
  synced: Synced | null,
  current: CurrentVersion,
): Promise<CliError> {
  const { remote } = environment;
  const base = synced === null ? "on no version of this bucket" : `on version ${synced.timestamp}`;
  const what = `the vault folder is based ${base}, and the bucket has another`;
  const error = await movedOn(remote, current, what);
  if (synced === null || (await isEdited(environment, listing, synced))) return error;
  return new CliError(error.code, error.message, `the vault folder has no edits: vsync pull ${remote.env}`);
}

async function isEdited(
  { remote, local: { paths, platform } }: Environment,
  listing: Listing,
  synced: Synced,
): Promise<boolean> {
  if (isProvenUnchanged(listing, synced)) return false;
  const base = await loadBase(paths, remote, synced.timestamp);
  if (base === null) return true;
  return countChanges(compareVaults(base, withModes(platform, readVault(listing).files, base))) > 0;
}

function noVault(folder: string, env: string): CliError {
  return new CliError(
    "INPUT",
    `there is no vault folder ${folder}`,
    `vsync pull ${env}   or make it and put the secrets in`,
  );
}

function emptied(folder: string, env: string, wasFull: boolean): CliError {
  const all = `to publish an empty vault all the same: vsync push ${env} --force`;
  if (wasFull) {
    const message = `the vault folder ${folder} is empty, the last version is not`;
    return new CliError("INPUT", message, `to get it back: vsync pull ${env} --force; ${all}`);
  }
  const message = `the vault folder ${folder} is empty: there is nothing to publish yet`;
  return new CliError("INPUT", message, `put a .env.${env} there, or: vsync set ${env} <NAME>; ${all}`);
}
