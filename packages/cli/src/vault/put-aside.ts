// What this machine had of an environment before it was set up anew: its state, with its config in it, in a folder of
// its own beside the state of now. With the passphrase of then it opens old versions and the backups in it.

import { existsSync, mkdirSync, readdirSync, renameSync, rmSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { isDeepStrictEqual } from "node:util";
import { deriveKeys, formatTimestamp, type VaultKeys, wipe } from "@vsync/envelope";
import { CliError } from "../cli-error.ts";
import { type EnvConfig, packEnvConfig, unpackEnvConfig } from "../config/env-config.ts";
import { keyAccount, replacedAccount } from "../config/paths.ts";
import {
  readPrivateFile,
  removeLeftovers,
  removePrivateFile,
  syncDir,
  writePrivateFile,
} from "../config/private-file.ts";
import type { Host } from "../host.ts";
import { openKeystore } from "../keys/keystore.ts";
import { readStateFile, writeStateFile } from "./state-file.ts";
import { type StatePaths, statePaths } from "./state-paths.ts";

export interface PutAside {
  readonly paths: StatePaths;
  /** Null: it was lost before, an earlier release kept none, or it cannot be read. */
  readonly config: EnvConfig | null;
}

/** Latest first. */
export function listPutAside({ ledger }: StatePaths): readonly PutAside[] {
  const folder = dirname(ledger);
  if (!existsSync(dirname(folder))) return [];
  return readdirSync(dirname(folder))
    .filter((name) => name.startsWith(`${basename(folder)}${REPLACED}`))
    .sort()
    .reverse()
    .map((name) => {
      const paths = statePaths(join(dirname(folder), name));
      return { paths, config: readConfig(paths) };
    });
}

// One that cannot be read stands in the way of nothing that needs another.
function readConfig({ config }: StatePaths): EnvConfig | null {
  try {
    const bytes = readPrivateFile(config);
    return bytes && unpackEnvConfig(bytes);
  } catch (error) {
    if (error instanceof CliError) return null;
    throw error;
  }
}

/** Salts and iterations under which this machine may have had versions of the environment, the one in use first. */
export function knownEncryptions(
  paths: StatePaths,
  { encryption }: Pick<EnvConfig, "encryption">,
): readonly EnvConfig["encryption"][] {
  const all = [encryption, ...listPutAside(paths).flatMap(({ config }) => config?.encryption ?? [])];
  return all.filter((one, index) => all.findIndex((other) => isSame(one, other)) === index);
}

/**
 * Opens something under a passphrase of before, with each of the encryptions until `open` answers other than null: one
 * from before a take-over goes with another salt than the one in use.
 */
export async function openAsOfThen<T>(
  passphrase: string,
  encryptions: readonly EnvConfig["encryption"][],
  open: (keys: VaultKeys) => Promise<T | null>,
): Promise<T | null> {
  for (const { salt, iterations } of encryptions) {
    const keys = await deriveKeys(passphrase, salt, iterations);
    try {
      const opened = await open(keys);
      if (opened !== null) return opened;
    } finally {
      wipe(keys.master, keys.sealKey, keys.chainKey);
    }
  }
  return null;
}

/**
 * Puts the state aside: what is remembered of a vault under the old key must not be held against the new one. `config`:
 * the one of until now. The lock, which the caller holds, stays where others look for it. Returns the way back.
 */
export function putStateAside(folder: string, config: EnvConfig | null, nowMs: number): () => void {
  const paths = statePaths(folder);
  if (isNothing(paths, config)) return () => undefined;
  const aside = nameAside(folder, nowMs);
  const putBack = (): void => bringBack(folder, aside);
  try {
    removeLeftovers(folder); // one that was killed here has left a config of secrets, which nobody would find there
    if (config !== null) writePrivateFile(paths.config, packEnvConfig(config));
    renameSync(folder, aside);
    mkdirSync(folder, 0o700);
    moveLock(aside, folder);
    syncDir(dirname(folder));
  } catch (error) {
    putBack();
    throw error;
  }
  return putBack;
}

/**
 * What an init has put aside that was cut short before it had changed the config: what is remembered there still holds.
 * Null: there is nothing.
 */
export function unfinishedAside(paths: StatePaths, config: EnvConfig): PutAside | null {
  if (existsSync(dirname(paths.ledger)) && !remembersNothing(paths)) return null;
  const [latest] = listPutAside(paths);
  return latest !== undefined && isDeepStrictEqual(latest.config, config) ? latest : null;
}

/**
 * Undoes such an init, so that a bucket that was put back meanwhile is found out. Not where its key is in force already:
 * only the same init can finish that. The caller holds the lock.
 */
export async function undoUnfinishedInit(
  host: Host,
  { repo, env }: { readonly repo: string; readonly env: string },
  paths: StatePaths,
  config: EnvConfig,
): Promise<void> {
  const aside = unfinishedAside(paths, config);
  if (aside === null) return;
  if (existsSync(paths.freshKey)) {
    const keystore = await openKeystore(host);
    const key = await keystore.get(keyAccount(repo, env));
    if (key !== null && key !== (await keystore.get(replacedAccount(repo, env)))) return;
  }
  bringBack(dirname(paths.ledger), dirname(aside.paths.ledger));
}

/** What is known of a key that was made here and that nothing is under yet. */
export interface FreshKey {
  /** It was made for a take-over. */
  readonly takeOver: boolean;
}

/** Null unless the key in force is one, as far as this machine can know: its init may never have come to its end. */
export function loadFreshKey(paths: StatePaths): FreshKey | null {
  const parse = ({ takeOver }: Record<string, unknown>): FreshKey => ({ takeOver: takeOver === true });
  const damage = {
    loss: "it says whether anything is under the passphrase in force",
    hint: "then run the same command again",
  };
  const fresh = readStateFile(paths.freshKey, parse, damage);
  return fresh !== null && remembersNothing(paths) ? fresh : null;
}

export function saveFreshKey(paths: StatePaths, fresh: FreshKey | null): void {
  if (fresh === null) removePrivateFile(paths.freshKey);
  else writeStateFile(paths.freshKey, { ...fresh });
}

/**
 * For whoever hands the key out: others may publish under it now, which this machine would not know. Not before it has
 * got its config: nobody can use it, and the same init must not keep it in place of the one before.
 */
export function forgetFreshKey(paths: StatePaths, config: EnvConfig): void {
  if (existsSync(paths.freshKey) && unfinishedAside(paths, config) === null) saveFreshKey(paths, null);
}

const REPLACED = ".replaced-";

function moveLock(from: string, to: string): void {
  if (!existsSync(join(from, "lock"))) return;
  rmSync(join(to, "lock"), { recursive: true, force: true }); // of one that was killed on this way
  renameSync(join(from, "lock"), join(to, "lock"));
}

function bringBack(folder: string, aside: string): void {
  if (existsSync(aside)) {
    if (existsSync(folder)) moveLock(folder, aside);
    rmSync(folder, { recursive: true, force: true });
    renameSync(aside, folder);
  }
  rmSync(statePaths(folder).config, { force: true });
  syncDir(dirname(folder));
}

// Also where an init that was cut short has put it aside already.
function isNothing(paths: StatePaths, config: EnvConfig | null): boolean {
  if (!remembersNothing(paths)) return false;
  if (config === null || loadFreshKey(paths) !== null) return true;
  return listPutAside(paths).some(
    (aside) => aside.config && isSame(aside.config.encryption, config.encryption),
  );
}

/** Neither a ledger nor anything else that a command on the vault leaves; a bundle alone was never sent. */
function remembersNothing(paths: StatePaths): boolean {
  const nothing = [paths.lock, paths.freshKey, paths.config, paths.pendingBundle].map((path) =>
    basename(path),
  );
  return readdirSync(dirname(paths.ledger)).every((name) => nothing.includes(name) || name.startsWith("."));
}

function isSame(a: EnvConfig["encryption"], b: EnvConfig["encryption"]): boolean {
  return a.salt === b.salt && a.iterations === b.iterations;
}

function nameAside(folder: string, nowMs: number): string {
  const name = (ms: number): string => `${folder}${REPLACED}${formatTimestamp(ms)}`;
  let ms = nowMs;
  while (existsSync(name(ms))) ms += 1000;
  return name(ms);
}
