// What this machine had of an environment before it was set up anew: its state, with its config in it, in a folder of
// its own beside the state of now. With the passphrase of then it opens old versions and the backups in it.

import { existsSync, mkdirSync, readdirSync, renameSync, rmSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { deriveKeys, formatTimestamp, type VaultKeys, wipe } from "@vsync/envelope";
import { CliError } from "../cli-error.ts";
import { type EnvConfig, packEnvConfig, unpackEnvConfig } from "../config/env-config.ts";
import { readPrivateFile, removeLeftovers, syncDir, writePrivateFile } from "../config/private-file.ts";
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

/** Where `putStateAside` will put it; null: there is nothing to put aside. */
export function nameStateAside(folder: string, config: EnvConfig | null, nowMs: number): string | null {
  if (config === null && remembersNothing(statePaths(folder))) return null;
  const name = (ms: number): string => `${basename(folder)}${REPLACED}${formatTimestamp(ms)}`;
  let ms = nowMs;
  while (existsSync(join(dirname(folder), name(ms)))) ms += 1000;
  return name(ms);
}

/**
 * Puts the state aside: what is remembered of a vault under the old key must not be held against the new one. `config`:
 * the one of until now. The lock, which the caller holds, stays where others look for it.
 */
export function putStateAside(folder: string, name: string, config: EnvConfig | null): void {
  const aside = join(dirname(folder), name);
  removeLeftovers(folder); // one that was killed here has left a config of secrets, which nobody would find there
  if (config !== null) writePrivateFile(statePaths(folder).config, packEnvConfig(config));
  renameSync(folder, aside);
  mkdirSync(folder, 0o700);
  moveLock(aside, folder);
  syncDir(dirname(folder));
}

/** The way back, from wherever that was cut short. */
export function bringStateBack(folder: string, name: string): void {
  const aside = join(dirname(folder), name);
  if (existsSync(aside)) {
    if (existsSync(folder)) moveLock(folder, aside);
    rmSync(folder, { recursive: true, force: true });
    renameSync(aside, folder);
  }
  rmSync(statePaths(folder).config, { force: true });
  syncDir(dirname(folder));
}

/** Neither a ledger nor anything else that a command on the vault leaves; a bundle alone was never sent. */
export function remembersNothing(paths: StatePaths): boolean {
  const nothing = [paths.lock, paths.config, paths.pendingBundle].map((path) => basename(path));
  return readdirSync(dirname(paths.ledger)).every((name) => nothing.includes(name) || name.startsWith("."));
}

const REPLACED = ".replaced-";

function moveLock(from: string, to: string): void {
  if (!existsSync(join(from, "lock"))) return;
  rmSync(join(to, "lock"), { recursive: true, force: true }); // of one that was killed on this way
  renameSync(join(from, "lock"), join(to, "lock"));
}

function isSame(a: EnvConfig["encryption"], b: EnvConfig["encryption"]): boolean {
  return a.salt === b.salt && a.iterations === b.iterations;
}
