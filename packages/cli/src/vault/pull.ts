// Making the vault folder equal to a version from the bucket, without losing anybody's edits.

import type { VaultFiles } from "@vsync/envelope";
import { type AuditInput, auditIntent } from "../audit/intent.ts";
import { CliError, toCliError } from "../cli-error.ts";
import {
  type Changes,
  compareVaults,
  countChanges,
  countFiles,
  editsLost,
  formatChanges,
  isProvenUnchanged,
} from "./changes.ts";
import type { Environment } from "./environment.ts";
import { withModes } from "./file-modes.ts";
import { replaceFolder } from "./folder-swap.ts";
import { findVersion } from "./history.ts";
import { keepBase, loadBase, pruneBackups, pruneBases, saveBackup } from "./kept-bundles.ts";
import { loadLedger, type Synced, saveLedger, withSynced } from "./ledger.ts";
import { type FetchedVersion, fetchOlderVersion } from "./older-version.ts";
import { bundleKey, type CurrentVersion, fetchVersion, type Remote } from "./remote.ts";
import { missingManifest, readStanding } from "./standing.ts";
import { type Listing, listVault, readVault, recordListing, sizeOf, syncedHere } from "./vault-folder.ts";

export interface PullInput extends AuditInput {
  readonly env: string;
  /** Discards local edits. */
  readonly force?: boolean;
  /** Keeps local edits, encrypted, before they are replaced. */
  readonly backup?: boolean;
  readonly version?: string;
  /** The passphrase of that version's time. */
  readonly oldPassphrase?: string | null;
  readonly acceptRollback?: boolean;
}

/** The changes are what the pull did to the vault folder, or with --dry-run would do. */
export interface PullResult extends Changes {
  readonly env: string;
  /** False: the folder was equal already, or --dry-run. */
  readonly updated: boolean;
  readonly generation: number;
  readonly timestamp: string;
  readonly files: number;
  readonly bytes: number;
  /** Path of the backup, or null when none was needed or asked for. */
  readonly backup: string | null;
}

const STEPS = 4;

export async function pullVault(
  environment: Environment,
  input: PullInput,
  dryRun = false,
): Promise<PullResult> {
  const { env } = input;
  const { remote, local, vaultFolder, terminal, writeAuditRow } = environment;
  const audit = auditIntent(environment, "pull", input);

  terminal.step(1, STEPS, `looking at ${vaultFolder}`);
  const listing = listVault(vaultFolder);

  terminal.step(2, STEPS, `asking ${remote.store.description} for the current version`);
  const { ledger, current } = await readStanding(environment, input.acceptRollback);
  if (current === null) throw missingManifest(environment, ledger) ?? nothingYet(remote);
  const synced = syncedHere(ledger, listing, vaultFolder);
  const wanted = await findVersion(remote, current, input.version ?? current.timestamp);
  if (listing !== null && synced?.timestamp === wanted && isProvenUnchanged(listing, synced)) {
    const { timestamp, generation } = synced;
    return { env, updated: false, generation, timestamp, ...sizeOf(listing), ...NO_CHANGES, backup: null };
  }

  terminal.step(3, STEPS, `fetching and decrypting version ${wanted}`);
  const [version, isOnlyHere] = await Promise.all([
    fetchWanted(environment, current, wanted, input.oldPassphrase ?? null),
    synced !== null && synced.timestamp !== wanted && isLost(remote, current, synced),
  ]);
  const vault = listing === null ? null : readVault(listing);
  const { platform } = local;
  const changes = compareVaults(withModes(platform, vault?.files ?? NO_FILES, version.files), version.files);
  const result = describe(env, version, changes);
  if (vault !== null && countChanges(changes) === 0) {
    if (!dryRun) adopt(environment, version, vault.listing);
    return { ...result, updated: false };
  }
  const base =
    synced === null || (vault === null && !isOnlyHere)
      ? null
      : await loadBase(local.paths, remote, synced.timestamp);
  const mine = withModes(platform, vault?.files ?? NO_FILES, base ?? version.files);
  // What somebody did to the folder since it was synced and the pull would undo.
  const edits = vault === null ? NO_CHANGES : editsLost(base ?? NO_FILES, mine, version.files);
  const isEdited = countChanges(edits) > 0;
  if (isEdited && !input.backup && !input.force)
    throw localChanges(input, edits, synced?.timestamp === current.timestamp);
  if (dryRun) return { ...result, updated: false };
  const lost = isOnlyHere ? (vault === null ? base : mine) : null;
  if (lost !== null)
    terminal.warn(
      `version ${synced?.timestamp} is not in the bucket any more: what it was here is kept as a backup`,
    );
  const kept = lost ?? (isEdited && input.backup ? mine : null);
  const backup = kept === null ? null : await saveBackup(local.paths, remote.keys, kept, local.now());

  terminal.step(4, STEPS, `replacing ${vaultFolder}: ${countFiles(version.files.size)}`);
  const { timestamp, generation } = version;
  replaceFolder(local.paths, {
    folder: vaultFolder,
    before: vault?.listing ?? null,
    files: version.files,
    becomes: { timestamp, generation, operation: "pull", bundle: version.bundle },
    audit,
    now: local.now,
  });
  if (audit !== null) await writeAuditRow(audit, version, false);
  const dropped = backup === null ? [] : pruneBackups(local.paths);
  if (dropped.length > 0) terminal.note(`of the backups the newest ten stay; dropped: ${dropped.join(", ")}`);
  return { ...result, updated: true, backup };
}

const NO_FILES: VaultFiles = new Map();
const NO_CHANGES: Changes = { added: [], changed: [], removed: [] };

async function fetchWanted(
  environment: Environment,
  current: CurrentVersion,
  wanted: string,
  oldPassphrase: string | null,
): Promise<FetchedVersion> {
  const { remote } = environment;
  if (wanted !== current.timestamp) {
    const command = `vsync pull ${remote.env} --version ${wanted}`;
    return await fetchOlderVersion(environment, wanted, oldPassphrase, command);
  }
  return { ...(await fetchVersion(remote, current)), timestamp: wanted, generation: current.generation };
}

// Whether this machine may have the only copy of what it is at: the bucket has it no more, and what is current there does
// not go back to it. One that was followed by others may have been deleted to save room.
async function isLost(
  { store, prefix }: Remote,
  current: CurrentVersion,
  { timestamp, generation }: Synced,
): Promise<boolean> {
  const head = async (version: string) => {
    try {
      return await store.head(bundleKey(prefix, version));
    } catch (error) {
      if (toCliError(error).code === "ACCESS_DENIED") return null; // S3's word for what is not there, without s3:ListBucket
      throw error;
    }
  };
  if ((await head(timestamp)) !== null) return false;
  let at = current.timestamp;
  for (let left = current.generation - generation; left > 0; left--) {
    const previous = (await head(at))?.metadata["prev-ts"];
    if (previous === undefined || previous === timestamp) return previous === undefined;
    at = previous;
  }
  return true;
}

// The folder is equal to the version although the ledger did not know: it was only touched, or the ledger was lost.
function adopt(
  { local }: Environment,
  { timestamp, generation, bundle }: FetchedVersion,
  listing: Listing,
): void {
  const { paths } = local;
  const synced: Synced = { timestamp, generation, operation: "pull", ...recordListing(listing, local.now()) };
  keepBase(paths, timestamp, bundle);
  saveLedger(paths, withSynced(loadLedger(paths), synced));
  pruneBases(paths);
}

function describe(
  env: string,
  { timestamp, generation, files }: FetchedVersion,
  changes: Changes,
): Omit<PullResult, "updated"> {
  const bytes = [...files.values()].reduce((sum, file) => sum + file.bytes.length, 0);
  return { env, generation, timestamp, files: files.size, bytes, ...changes, backup: null };
}

function nothingYet({ env, store }: Remote): CliError {
  return new CliError(
    "NOT_CONFIGURED",
    `${store.description} holds no version of ${env} yet`,
    `put secrets into the vault folder, then: vsync push ${env}`,
  );
}

/** `inStep`: nobody has published since, so that the edits can be. */
function localChanges({ env, version }: PullInput, edits: Changes, inStep: boolean): CliError {
  const pull = `vsync pull ${env}${version === undefined ? "" : ` --version ${version}`}`;
  const aside = `keep them aside: ${pull} --backup; or discard them: ${pull} --force`;
  return new CliError(
    "LOCAL_CHANGES",
    `pulling ${env} would lose local edits: ${formatChanges(edits)}`,
    inStep ? `publish them: vsync push ${env}; or ${aside}` : aside,
  );
}
