// `vsync backup list|diff|restore <env>`: what pulls have replaced on this machine.

import { statSync } from "node:fs";
import { scalarsFile, type VaultFiles, type VaultKeys } from "@vsync/envelope";
import { CliError } from "../cli-error.ts";
import type { Context, Said } from "../context.ts";
import { readOldPassphraseFile } from "../keys/old-passphrase.ts";
import { didYouMean } from "../nearest.ts";
import { formatSize, formatTable, visible } from "../terminal.ts";
import { type Changes, compareVaults, countChanges, formatChanges } from "../vault/changes.ts";
import { type Differences, findDifferences, formatDifferences } from "../vault/differences.ts";
import { type Environment, withEnvironment } from "../vault/environment.ts";
import { withModes } from "../vault/file-modes.ts";
import { replaceFolder } from "../vault/folder-swap.ts";
import {
  backupPath,
  findBackup,
  listBackups,
  loadBackup,
  loadKeptBase,
  saveBackup,
} from "../vault/kept-bundles.ts";
import { loadLedger } from "../vault/ledger.ts";
import { locateVault, withVaultKeys } from "../vault/local-vault.ts";
import type { Located } from "../vault/located.ts";
import { knownEncryptions, listPutAside, openAsOfThen, type PutAside } from "../vault/put-aside.ts";
import type { StatePaths } from "../vault/state-paths.ts";
import { type Listing, listVault, readVault, syncedHere } from "../vault/vault-folder.ts";

export interface BackupListResult {
  readonly env: string;
  /** Newest first. */
  readonly backups: readonly {
    readonly backup: string;
    readonly size: number;
    readonly path: string;
    /** From before the environment was set up anew: it opens with the passphrase of then. */
    readonly putAside: boolean;
  }[];
}

export interface BackupInput {
  readonly env: string;
  /** The newest otherwise. */
  readonly backup?: string;
  /** A path, or - for standard input: for one from before a take-over, or whatever brought another passphrase. */
  readonly oldPassphraseFile?: string;
}

export interface BackupDiffInput extends BackupInput {
  /** Values and lines too. */
  readonly reveal?: boolean;
}

/** What bringing the backup back would do to the vault folder. */
export interface BackupDiffResult extends Differences {
  readonly env: string;
  readonly backup: string;
}

/** The changes are what the restore did to the vault folder. */
export interface BackupRestoreResult extends Changes {
  readonly env: string;
  readonly backup: string;
  /** False: the folder was equal already, or --dry-run. */
  readonly updated: boolean;
  /** The backup that holds what the folder held before; null when nothing was replaced, or `was` tells. */
  readonly kept: string | null;
  /** The version that the folder held before, unedited: it needs no backup. Null otherwise. */
  readonly was: string | null;
}

export async function backupList(
  context: Context,
  { env }: { readonly env: string },
): Promise<BackupListResult> {
  const { paths } = await locateVault(context, env);
  const known = allBackups(paths);
  const saltless = known.filter(({ config }) => config === null).map(({ backup }) => backup);
  if (saltless.length > 0) context.terminal.warn(`no salt is kept for ${saltless.join(", ")}: ${NO_SALT}`);
  const backups = known.map(({ backup, paths: of }) => {
    const path = backupPath(of, backup);
    return { backup, size: statSync(path).size, path, putAside: of !== paths };
  });
  return { env, backups };
}

export function describeBackupList({ env, backups }: BackupListResult): Said {
  if (backups.length === 0) return { notes: [`no pull of ${env} has replaced anything with --backup yet`] };
  const anyPutAside = backups.some(({ putAside }) => putAside);
  const rows = backups.map(({ backup, size, putAside }) => [
    backup,
    formatSize(size),
    ...(anyPutAside ? [putAside ? "old passphrase" : ""] : []),
  ]);
  return {
    out: formatTable(["backup", "size", ...(anyPutAside ? [""] : [])], rows),
    notes: [
      ...(anyPutAside
        ? [
            `those from before ${env} was set up anew, as far as their salt is kept, open with --old-passphrase-file <file>   (the last one: vsync passphrase show ${env} --replaced --out <file>)`,
          ]
        : []),
      `what one would bring back: vsync backup diff ${env} <backup>; to put all of it in the folder's place: vsync backup restore ${env} <backup>`,
    ],
  };
}

/** What the vault folder would become: from it to the backup. */
export async function backupDiff(context: Context, input: BackupDiffInput): Promise<BackupDiffResult> {
  const { env, reveal = false } = input;
  const oldPassphrase = await readOldPassphraseFile(context, input.oldPassphraseFile);
  const located = await locateVault(context, env);
  const command = `vsync backup diff ${env}`;
  const { backup, files } = await withVaultKeys(context, located, (keys) =>
    openNamed(located, keys, input, oldPassphrase, command),
  );
  const before = readFolder(context.host.platform, located.vaultFolder, files);
  const labels = { from: "vault folder", to: `backup ${backup}` };
  return { env, backup, ...(await findDifferences(env, before.files, files, reveal ? labels : null)) };
}

export function describeBackupDiff({ env, backup, ...differences }: BackupDiffResult): Said {
  const out = formatDifferences(differences);
  if (out === null) return { notes: [`the vault folder of ${env} equals backup ${backup}`] };
  const values = differences.patches === null ? "; values: --reveal" : "";
  return {
    out,
    notes: [
      `(vault folder -> backup ${backup}${values}; one by one: vsync set ${env} <NAME>; all of it, which takes out what was pulled since: vsync backup restore ${env} ${backup})`,
    ],
  };
}

export async function backupRestore(context: Context, input: BackupInput): Promise<BackupRestoreResult> {
  const oldPassphrase = await readOldPassphraseFile(context, input.oldPassphraseFile);
  return await withEnvironment(context, input.env, (environment) =>
    restoreBackup(environment, input, oldPassphrase, context.flags.dryRun),
  );
}

export function describeBackupRestore(result: BackupRestoreResult): Said {
  const { env, backup, updated, kept, was } = result;
  if (!updated && countChanges(result) === 0)
    return { notes: [`the vault folder of ${env} equals backup ${backup} already`] };
  if (!updated) return { notes: [`would bring back backup ${backup}: ${formatChanges(result)}`] };
  const notes = [`the vault folder of ${env} is what backup ${backup} holds: ${formatChanges(result)}`];
  if (kept !== null) notes.push(`what was there is kept as a backup: ${kept}`);
  if (was !== null)
    notes.push(`what was there is version ${was}: vsync pull ${env} --version ${was} --force brings it back`);
  return { notes: [...notes, `nothing is published yet: vsync diff ${env}, then vsync push ${env}`] };
}

async function restoreBackup(
  { config, remote, local, vaultFolder, terminal }: Environment,
  input: BackupInput,
  oldPassphrase: string | null,
  dryRun: boolean,
): Promise<BackupRestoreResult> {
  const { env } = input;
  const { paths } = local;
  const command = `vsync backup restore ${env}`;
  const { backup, files } = await openNamed({ paths, config }, remote.keys, input, oldPassphrase, command);
  const before = readFolder(local.platform, vaultFolder, files);
  const changes = compareVaults(before.files, files);
  const result = { env, backup, ...changes, kept: null, was: null };
  if (countChanges(changes) === 0) return { ...result, updated: false };
  const synced = syncedHere(loadLedger(paths), before.listing, vaultFolder);
  const base = synced && (await loadKeptBase(paths, remote.keys, synced.timestamp));
  const taken = base && (await takenOut(env, base, files));
  if (synced !== null && taken) {
    terminal.warn(
      `backup ${backup} takes out or replaces what version ${synced.timestamp} has: ${taken}. If a teammate published that, a push would undo it: vsync backup diff ${env} shows what is whose, vsync set ${env} <NAME> brings values over one by one`,
    );
  }
  if (dryRun) return { ...result, updated: false };
  if (synced === null) throw neverSynced(env);
  const isBefore = (other: VaultFiles): boolean =>
    countChanges(compareVaults(withModes(local.platform, before.files, other), other)) === 0;
  const isThere = before.listing !== null;
  const was = isThere && base && isBefore(base) ? synced.timestamp : null;
  const kept =
    isThere && was === null
      ? ((await findBackup(paths, remote.keys, isBefore)) ??
        (await saveBackup(paths, remote.keys, before.files, local.now())))
      : null;
  replaceFolder(paths, {
    folder: vaultFolder,
    before: before.listing,
    files,
    becomes: { of: synced },
    audit: null,
    now: local.now,
  });
  return { ...result, updated: true, kept, was };
}

/** Names of values and files of the base that the backup does not have, or has otherwise; null: there are none. */
async function takenOut(env: string, base: VaultFiles, files: VaultFiles): Promise<string | null> {
  const { scalars, files: entries } = await findDifferences(env, base, files, null);
  const named = countChanges(scalars) > 0;
  const isScalars = (name: string): boolean => named && name === scalarsFile(base, env);
  const taken = {
    added: [],
    changed: [...scalars.changed, ...entries.changed.filter((name) => !isScalars(name))],
    removed: [...scalars.removed, ...entries.removed.filter((name) => !isScalars(name))],
  };
  return countChanges(taken) === 0 ? null : visible(formatChanges(taken));
}

/** Newest first; after those of now the ones from before the environment was set up anew. */
function allBackups(paths: StatePaths): readonly (BackupState & { readonly backup: string })[] {
  const states: readonly BackupState[] = [{ paths }, ...listPutAside(paths)];
  return states.flatMap((state) =>
    listBackups(state.paths)
      .reverse()
      .map((backup) => ({ ...state, backup })),
  );
}

/** `config`: null where the salt of then is gone with it; that of the state of now is in force. */
type BackupState = Pick<PutAside, "paths"> & Partial<Pick<PutAside, "config">>;

const NO_SALT =
  "the config of then was not put aside (earlier releases did not), or cannot be read; without its salt the passphrase of then opens none, unless the salt is one that was kept since";

/** The backup that was named, or the newest. `command`: what was typed to get it, for the hint. */
async function openNamed(
  { paths, config }: Pick<Located, "paths" | "config">,
  keys: VaultKeys,
  { env, backup: named }: BackupInput,
  oldPassphrase: string | null,
  command: string,
): Promise<{ backup: string; files: VaultFiles }> {
  const known = allBackups(paths);
  const found = named === undefined ? known[0] : known.find(({ backup }) => backup === named);
  if (found === undefined) {
    if (named === undefined || known.length === 0) {
      const message = `there is no backup of ${env}: no pull has replaced anything with --backup yet`;
      throw new CliError("INPUT", message, `vsync pull ${env} --backup   makes one of the edits it replaces`);
    }
    const names = known.map(({ backup }) => backup);
    const message = `there is no backup "${visible(named)}" of ${env}${didYouMean(named, names)}`;
    throw new CliError("INPUT", message, `vsync backup list ${env}`);
  }
  const { backup } = found;
  const open = async (under: VaultKeys) => await loadBackup(found.paths, under, backup);
  const files =
    (await open(keys)) ??
    (oldPassphrase && (await openAsOfThen(oldPassphrase, knownEncryptions(paths, config), open)));
  if (files) return { backup, files };
  const path = backupPath(found.paths, backup);
  if (oldPassphrase !== null) {
    const why =
      found.config === null ? `no salt is kept for it: ${NO_SALT}` : "it is of another time, or damaged";
    const message = `backup ${backup} opens with neither passphrase: ${why}`;
    const older = `an older passphrase, if one is kept: vsync passphrase show ${env} --replaced --nth 2 --out <file>   (3 for the one before, and so on); `;
    const hint = `${found.config === null ? "" : older}it is the file ${path}`;
    throw new CliError("WRONG_PASSPHRASE", message, hint);
  }
  if (found.config === null) {
    const message = `backup ${backup} does not open with the passphrase in force, and no salt is kept for it: ${NO_SALT}`;
    throw new CliError("WRONG_PASSPHRASE", message, `it is the file ${path}`);
  }
  const message = `backup ${backup} does not open with the passphrase in force: it is older than a rotation or take-over, or damaged (${path})`;
  const hint = `${command} ${backup} --old-passphrase-file <file with the passphrase of its time>   (the last one: vsync passphrase show ${env} --replaced --out <file>)`;
  throw new CliError("WRONG_PASSPHRASE", message, hint);
}

/** No folder at all counts as an empty one. `known`: what it is compared with. */
function readFolder(
  platform: NodeJS.Platform,
  folder: string,
  known: VaultFiles,
): { listing: Listing | null; files: VaultFiles } {
  const listing = listVault(folder);
  if (listing === null) return { listing, files: new Map() };
  const vault = readVault(listing);
  return { listing: vault.listing, files: withModes(platform, vault.files, known) };
}

// A backup is what a pull replaced, and a pull leaves a ledger behind.
function neverSynced(env: string): CliError {
  const message = `the vault folder of ${env} was not synced here, so nothing tells what its backups are changes of`;
  return new CliError("NOT_CONFIGURED", message, `first: vsync pull ${env} --backup`);
}
