// `vsync backup list|restore <env>`: what pulls have replaced on this machine.

import { statSync } from "node:fs";
import { CliError } from "../cli-error.ts";
import type { Context, Said } from "../context.ts";
import { formatSize, formatTable } from "../terminal.ts";
import { type Changes, compareVaults, countChanges, formatChanges } from "../vault/changes.ts";
import { type Environment, withEnvironment } from "../vault/environment.ts";
import { replaceFolder } from "../vault/folder-swap.ts";
import { backupPath, listBackups, loadBackup, pruneBackups, saveBackup } from "../vault/kept-bundles.ts";
import { loadLedger } from "../vault/ledger.ts";
import { locate } from "../vault/located.ts";
import { listVault, readVault, syncedHere } from "../vault/vault-folder.ts";

export interface BackupListResult {
  readonly env: string;
  /** Newest first. */
  readonly backups: readonly { readonly backup: string; readonly size: number; readonly path: string }[];
}

export interface BackupRestoreInput {
  readonly env: string;
  /** The newest otherwise. */
  readonly backup?: string;
}

/** The changes are what the restore did to the vault folder. */
export interface BackupRestoreResult extends Changes {
  readonly env: string;
  readonly backup: string;
  /** False: the folder was equal already, or --dry-run. */
  readonly updated: boolean;
  /** Where what the folder held before is kept now, or null when nothing was replaced. */
  readonly kept: string | null;
}

export async function backupList(
  context: Context,
  { env }: { readonly env: string },
): Promise<BackupListResult> {
  const { paths } = locate(context, env);
  const backups = listBackups(paths).map((backup) => {
    const path = backupPath(paths, backup);
    return { backup, size: statSync(path).size, path };
  });
  return { env, backups: backups.reverse() };
}

export function describeBackupList({ env, backups }: BackupListResult): Said {
  if (backups.length === 0) return { notes: [`no pull of ${env} has replaced anything with --backup yet`] };
  const rows = backups.map(({ backup, size }) => [backup, formatSize(size)]);
  return {
    out: formatTable(["backup", "size"], rows),
    notes: [`to bring one back: vsync backup restore ${env} <backup>`],
  };
}

export async function backupRestore(
  context: Context,
  input: BackupRestoreInput,
): Promise<BackupRestoreResult> {
  return await withEnvironment(context, input.env, (environment) =>
    restoreBackup(environment, input, context.flags.dryRun),
  );
}

export function describeBackupRestore(result: BackupRestoreResult): Said {
  const { env, backup, updated, kept } = result;
  if (!updated && countChanges(result) === 0)
    return { notes: [`the vault folder of ${env} equals backup ${backup} already`] };
  if (!updated) return { notes: [`would bring back backup ${backup}: ${formatChanges(result)}`] };
  const notes = [`the vault folder of ${env} is what backup ${backup} holds: ${formatChanges(result)}`];
  if (kept !== null) notes.push(`what was there is a backup itself now: ${kept}`);
  return { notes: [...notes, `nothing is published yet: vsync diff ${env}, then vsync push ${env}`] };
}

async function restoreBackup(
  { remote, local, vaultFolder }: Environment,
  input: BackupRestoreInput,
  dryRun: boolean,
): Promise<BackupRestoreResult> {
  const { env } = input;
  const { paths } = local;
  const backup = input.backup ?? listBackups(paths).at(-1);
  if (backup === undefined || !listBackups(paths).includes(backup)) {
    const message =
      backup === undefined ? `there is no backup of ${env}` : `there is no backup ${backup} of ${env}`;
    throw new CliError("INPUT", message, `vsync backup list ${env}`);
  }
  const files = await loadBackup(paths, remote.keys, backup);
  if (files === null) {
    const message = `backup ${backup} does not open with the passphrase in force: it is damaged, or older than a rotation`;
    throw new CliError("WRONG_PASSPHRASE", message, `it is the file ${backupPath(paths, backup)}`);
  }
  const listing = listVault(vaultFolder);
  const vault = listing === null ? null : readVault(listing);
  const changes = compareVaults(vault?.files ?? new Map(), files);
  const result = { env, backup, ...changes };
  if (countChanges(changes) === 0 || dryRun) return { ...result, updated: false, kept: null };
  const synced = syncedHere(loadLedger(paths), listing, vaultFolder);
  if (synced === null) throw neverSynced(env);
  const kept = vault === null ? null : await saveBackup(paths, remote.keys, vault.files, local.now());
  replaceFolder(paths, {
    folder: vaultFolder,
    before: vault?.listing ?? null,
    files,
    becomes: { of: synced },
    audit: null,
    now: local.now,
  });
  pruneBackups(paths);
  return { ...result, updated: true, kept };
}

// A backup is what a pull replaced, and a pull leaves a ledger behind.
function neverSynced(env: string): CliError {
  const message = `the vault folder of ${env} was not synced here, so nothing tells what its backups are changes of`;
  return new CliError("NOT_CONFIGURED", message, `first: vsync pull ${env} --backup`);
}
