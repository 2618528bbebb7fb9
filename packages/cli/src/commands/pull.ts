// `vsync pull <env>`: makes the vault folder equal to a version from the bucket, and loses nobody's edits.

import { parseTimestamp, type VaultFiles } from "@vsync/envelope";
import { CliError } from "../cli-error.ts";
import { writePrivateFile } from "../config/private-file.ts";
import { readSecretInput } from "../config/secret-input.ts";
import type { Context, Said } from "../context.ts";
import { formatSize } from "../terminal.ts";
import {
  type Changes,
  compareVaults,
  countChanges,
  editsLost,
  formatChanges,
  isProvenUnchanged,
} from "../vault/changes.ts";
import {
  type AuditInput,
  auditIntent,
  type Environment,
  rememberGenuine,
  syncedHere,
  trustOf,
  withEnvironment,
} from "../vault/environment.ts";
import { replaceFolder } from "../vault/folder-swap.ts";
import { loadBase, saveBackup } from "../vault/kept-bundles.ts";
import { type Ledger, loadLedger, type Synced, saveLedger } from "../vault/ledger.ts";
import { type FetchedVersion, fetchOlderVersion } from "../vault/older-version.ts";
import { type CurrentVersion, fetchVersion, readCurrentVersion } from "../vault/remote.ts";
import { type Listing, listVault, readVault, recordListing } from "../vault/vault-folder.ts";

export interface PullInput extends AuditInput {
  readonly env: string;
  /** Discards local edits. */
  readonly force?: boolean;
  /** Keeps local edits, encrypted, before they are replaced. */
  readonly backup?: boolean;
  readonly version?: string;
  readonly oldPassphraseFile?: string;
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

export async function pull(context: Context, input: PullInput): Promise<PullResult> {
  return await withEnvironment(context, input.env, async (environment) => {
    const { terminal, flags } = context;
    const { env, acceptRollback = false } = input;
    const { remote, local, vaultFolder, writeAuditRow } = environment;
    const audit = auditIntent(environment, "pull", input);
    const oldPassphrase = await readOldPassphrase(context, input);

    terminal.step(1, STEPS, `looking at ${vaultFolder}`);
    const listing = listVault(vaultFolder);
    const before = loadLedger(local.paths);

    terminal.step(2, STEPS, `asking ${remote.store.description} for the current version`);
    const current = await readCurrentVersion(
      remote,
      trustOf(environment, before, acceptRollback),
      local.now(),
    );
    if (current === null) throw nothingThere(environment, before, env);
    const ledger = rememberGenuine(environment, before, current, acceptRollback);
    const synced = syncedHere(ledger, listing, vaultFolder);
    const wanted = input.version ?? current.timestamp;
    if (listing !== null && synced?.timestamp === wanted && isProvenUnchanged(listing, synced)) {
      const { timestamp, generation } = synced;
      return { env, updated: false, generation, timestamp, ...sizeOf(listing), ...NO_CHANGES, backup: null };
    }

    terminal.step(3, STEPS, `fetching and decrypting version ${wanted}`);
    const version = await fetch(environment, current, wanted, oldPassphrase);
    const vault = listing === null ? null : readVault(listing);
    const changes = compareVaults(vault?.files ?? NO_FILES, version.files);
    const { timestamp, generation } = version;
    const result = { env, timestamp, generation, ...sizesOf(version.files), ...changes, backup: null };
    if (vault !== null && countChanges(changes) === 0) {
      adopt(environment, version, vault.listing);
      return { ...result, updated: false };
    }

    const base =
      synced === null || vault === null ? null : await loadBase(local.paths, remote, synced.timestamp);
    const edits = editsLost(base ?? NO_FILES, vault?.files ?? NO_FILES, version.files);
    const isEdited = vault !== null && countChanges(edits) > 0;
    if (isEdited && !input.backup && !input.force) throw localChanges(env, edits);
    if (flags.dryRun) return { ...result, updated: false };
    const backup =
      isEdited && input.backup ? await saveBackup(local.paths, remote.keys, vault.files, local.now()) : null;

    terminal.step(4, STEPS, `replacing ${vaultFolder}: ${version.files.size} files`);
    const replaced = replaceFolder(local.paths, {
      folder: vaultFolder,
      before: vault?.listing ?? null,
      files: version.files,
      bundle: version.bundle,
      version: { timestamp, generation, operation: "pull" },
      audit,
      now: local.now,
    });
    if (audit !== null) await writeAuditRow(audit, replaced, false);
    return { ...result, updated: true, backup: backup?.path ?? null };
  });
}

export function describePull(result: PullResult): Said {
  const { env, updated, generation, timestamp, files, bytes, backup } = result;
  const at = `generation ${generation} (${timestamp})`;
  const count = countChanges(result);
  if (!updated && count === 0) return { notes: [`${env} is at ${at} already`] };
  const what = formatChanges(result);
  if (!updated) return { notes: [`would bring ${env} to ${at}: ${what}`] };
  const notes = [`${env} is at ${at}: ${files} files, ${formatSize(bytes)}`, what];
  if (backup !== null) notes.push(`what was there before is kept, encrypted, in ${backup}`);
  return { notes };
}

const NO_FILES: VaultFiles = new Map();
const NO_CHANGES: Changes = { added: [], changed: [], removed: [] };

async function readOldPassphrase(
  context: Context,
  { version, oldPassphraseFile }: PullInput,
): Promise<string | null> {
  if (version !== undefined && parseTimestamp(version) === null) {
    const message = `--version ${version} is no version: they look like 20260131-235959`;
    throw new CliError("USAGE", message, "vsync versions <env>   lists those there are");
  }
  if (oldPassphraseFile === undefined) return null;
  if (version === undefined) {
    throw new CliError("USAGE", "--old-passphrase-file is for an older version", "add --version <timestamp>");
  }
  return await readSecretInput(context, oldPassphraseFile, "--old-passphrase-file");
}

async function fetch(
  { config, remote }: Environment,
  current: CurrentVersion,
  wanted: string,
  oldPassphrase: string | null,
): Promise<FetchedVersion> {
  if (wanted !== current.timestamp) {
    return await fetchOlderVersion(remote, wanted, config.encryption, oldPassphrase);
  }
  return { ...(await fetchVersion(remote, current)), timestamp: wanted, generation: current.generation };
}

// The folder is equal to the version although the ledger did not know: it was only touched, or the ledger was lost.
function adopt(
  { local }: Environment,
  { timestamp, generation, bundle }: FetchedVersion,
  listing: Listing,
): void {
  const { paths } = local;
  const synced: Synced = { timestamp, generation, operation: "pull", ...recordListing(listing, local.now()) };
  writePrivateFile(paths.base, bundle);
  saveLedger(paths, { ...loadLedger(paths), synced });
}

function nothingThere({ remote }: Environment, { highest }: Ledger, env: string): CliError {
  const { description } = remote.store;
  if (highest === null) {
    const message = `${description} holds no version of ${env} yet`;
    return new CliError(
      "NOT_CONFIGURED",
      message,
      `put secrets into the vault folder, then: vsync push ${env}`,
    );
  }
  return new CliError(
    "NOT_CONFIGURED",
    `the manifest of ${env} is gone from ${description}, though generation ${highest.generation} was there: somebody deleted it`,
    `find out who and why; then publish the vault folder anew: vsync push ${env} --recreate`,
  );
}

function localChanges(env: string, edits: Changes): CliError {
  return new CliError(
    "LOCAL_CHANGES",
    `pulling ${env} would lose local edits: ${formatChanges(edits)}`,
    `publish them: vsync push ${env}; or keep them aside: vsync pull ${env} --backup; or discard them: vsync pull ${env} --force`,
  );
}

function sizeOf({ files }: Listing): { files: number; bytes: number } {
  return { files: files.size, bytes: [...files.values()].reduce((sum, { size }) => sum + size, 0) };
}

function sizesOf(files: VaultFiles): { files: number; bytes: number } {
  return { files: files.size, bytes: [...files.values()].reduce((sum, { bytes }) => sum + bytes.length, 0) };
}
