// `vsync push <env>`: publishes the vault folder as the next version, unless nothing changed or the bucket moved on.

import type { VaultFile } from "@vsync/envelope";
import { CliError } from "../cli-error.ts";
import type { Context, Said } from "../context.ts";
import { formatSize } from "../terminal.ts";
import {
  type Changes,
  compareVaults,
  countChanges,
  formatChanges,
  isProvenUnchanged,
} from "../vault/changes.ts";
import { movedOn, recordCommit, requireCommitted } from "../vault/commit.ts";
import {
  type AuditInput,
  auditIntent,
  type Environment,
  rememberGenuine,
  syncedHere,
  trustOf,
  withEnvironment,
} from "../vault/environment.ts";
import { loadBase } from "../vault/kept-bundles.ts";
import { type Ledger, loadLedger, type Synced, saveLedger } from "../vault/ledger.ts";
import { loadPending } from "../vault/pending.ts";
import { FIRST, publish, type Replaced } from "../vault/publish.ts";
import { type CurrentVersion, fetchVersion, readCurrentVersion } from "../vault/remote.ts";
import { type Listing, listVault, readVault, recordListing } from "../vault/vault-folder.ts";

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

export async function push(context: Context, input: PushInput): Promise<PushResult> {
  return await withEnvironment(context, input.env, async (environment) => {
    const { terminal, flags } = context;
    const { env, force = false, acceptRollback = false } = input;
    const { remote, local, vaultFolder } = environment;
    const audit = auditIntent(environment, "push", input);

    terminal.step(1, STEPS, `reading ${vaultFolder}`);
    const listing = listVault(vaultFolder);
    if (listing === null) throw noVault(vaultFolder, env);

    terminal.step(2, STEPS, `asking ${remote.store.description} for the current version`);
    const before = loadLedger(local.paths);
    const current = await readCurrentVersion(
      remote,
      trustOf(environment, before, acceptRollback),
      local.now(),
    );
    const ledger = current === null ? before : rememberGenuine(environment, before, current, acceptRollback);
    const replaces = current ?? replacesNothing(environment, ledger, input);
    const synced = syncedHere(ledger, listing, vaultFolder);
    const inStep = current !== null && synced?.timestamp === current.timestamp;
    if (current !== null && !inStep && !force) throw await notInStep(environment, synced, current);

    const unchanged = {
      env,
      generation: replaces.generation,
      timestamp: replaces.timestamp,
      superseded: false,
    };
    if (inStep && isProvenUnchanged(listing, synced)) {
      return { ...unchanged, ...NO_CHANGES, published: false, ...sizeOf(listing) };
    }
    const vault = readVault(listing);
    const published = await lastPublished(environment, current, inStep ? synced : null);
    const changes = compareVaults(published ?? new Map(), vault.files);
    const recorded = recordListing(vault.listing, local.now());
    if (published !== null && current !== null && countChanges(changes) === 0) {
      noteTouched(environment, ledger, current, recorded);
      return { ...unchanged, ...changes, published: false, ...sizeOf(vault.listing) };
    }
    if (vault.files.size === 0 && published !== null && published.size > 0 && !force)
      throw emptied(vaultFolder, env);
    if (flags.dryRun) return { ...unchanged, ...changes, published: false, ...sizeOf(vault.listing) };

    const { files, bytes } = sizeOf(vault.listing);
    const outcome = await publish(remote, local, {
      operation: "push",
      files: vault.files,
      replaces,
      packed: recorded,
      audit,
      onStep: (step, size) => {
        if (step === "encrypt") terminal.step(3, STEPS, `encrypting ${files} files, ${formatSize(bytes)}`);
        if (step === "upload") terminal.step(4, STEPS, `uploading the bundle, ${formatSize(size)}`);
        if (step === "swap") terminal.step(5, STEPS, "naming it in the manifest");
      },
    });
    const { superseded } = await requireCommitted(remote, outcome);
    const { pending } = outcome;
    await recordCommit(local.paths, pending, environment.writeAuditRow);
    const { generation, timestamp } = pending;
    return { env, published: true, generation, timestamp, files, bytes, ...changes, superseded };
  });
}

export function describePush(result: PushResult): Said {
  const { env, published, generation, timestamp, files, bytes, superseded } = result;
  const count = countChanges(result);
  if (!published && count === 0) {
    return {
      notes: [`nothing changed since generation ${generation} (${timestamp}); nothing was published`],
    };
  }
  const what = count === 0 ? "no file differs" : formatChanges(result);
  if (!published) return { notes: [`would publish ${env} as generation ${generation + 1}: ${what}`] };
  const notes = [
    `published ${env} as generation ${generation} (${timestamp}): ${files} files, ${formatSize(bytes)}`,
    what,
  ];
  if (superseded) notes.push(`somebody has published on top of it since: vsync pull ${env}`);
  return { notes };
}

const NO_CHANGES: Changes = { added: [], changed: [], removed: [] };

/** The place of a manifest that is not there: none yet, or, with --recreate, the one that was deleted. */
function replacesNothing(
  environment: Environment,
  { highest }: Ledger,
  { env, recreate }: PushInput,
): Replaced {
  const { config, local, remote } = environment;
  const pending = loadPending(local.paths); // one that could not be settled, because the manifest is gone
  const seen = Math.max(highest?.generation ?? 0, config.minGen ?? 0, pending?.generation ?? 0);
  if (seen === 0) return FIRST;
  const timestamp =
    [highest?.timestamp, pending?.timestamp]
      .filter((it) => it !== undefined)
      .sort()
      .at(-1) ?? null;
  if (recreate) return { etag: null, timestamp, generation: seen };
  throw new CliError(
    "NOT_CONFIGURED",
    `the manifest of ${env} is gone from ${remote.store.description}, though generation ${seen} was there: somebody deleted it`,
    `find out who and why; then publish the vault folder as generation ${seen + 1}: vsync push ${env} --recreate`,
  );
}

/** What a push is compared with: the base, or what --force publishes over; null when there is nothing or it cannot be read. */
async function lastPublished(
  { remote, local }: Environment,
  current: CurrentVersion | null,
  synced: Synced | null,
): Promise<ReadonlyMap<string, VaultFile> | null> {
  if (current === null) return null;
  if (synced !== null) return await loadBase(local.paths, remote, synced.timestamp);
  return (await fetchVersion(remote, current)).files;
}

// Files that were only touched: with fresh stats the next look at them is enough.
function noteTouched(
  { local: { paths } }: Environment,
  ledger: Ledger,
  { timestamp, generation }: CurrentVersion,
  recorded: Pick<Synced, "folder" | "files" | "recordedAt">,
): void {
  saveLedger(paths, { ...ledger, synced: { timestamp, generation, operation: "push", ...recorded } });
}

async function notInStep(
  { remote }: Environment,
  synced: Synced | null,
  current: CurrentVersion,
): Promise<CliError> {
  const what =
    synced === null
      ? "the vault folder was never synced with the bucket"
      : "somebody else published in the meantime";
  return await movedOn(remote, current, what);
}

function noVault(folder: string, env: string): CliError {
  return new CliError(
    "INPUT",
    `there is no vault folder ${folder}`,
    `vsync pull ${env}   or make it and put the secrets in`,
  );
}

function emptied(folder: string, env: string): CliError {
  return new CliError(
    "INPUT",
    `the vault folder ${folder} is empty, the last version is not`,
    `to get it back: vsync pull ${env} --force; to publish an empty vault: vsync push ${env} --force`,
  );
}

function sizeOf({ files }: Listing): { files: number; bytes: number } {
  return { files: files.size, bytes: [...files.values()].reduce((sum, { size }) => sum + size, 0) };
}
