// The scalars of a vault folder: the pairs of its `.env.<env>`, or of `.env` when there is no such file.
// docs/formats.md section 4.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { parseEnv, scalarsFile } from "@vsync/envelope";
import { CliError } from "../cli-error.ts";
import { ensurePrivateDir, removeLeftovers, writePrivateFile } from "../config/private-file.ts";
import { didYouMean } from "../nearest.ts";
import { visible } from "../terminal.ts";
import { loadLedger } from "./ledger.ts";
import type { Located } from "./located.ts";
import { acquireLock } from "./lock.ts";
import { isSameStat, type Listing, listVault, syncedHere } from "./vault-folder.ts";

export interface Scalars {
  /** Entry name of the file that holds them, or that a first one would go into. */
  readonly file: string;
  /** The file as it is; empty when there is none yet. */
  readonly bytes: Uint8Array;
  readonly pairs: ReadonlyMap<string, string>;
}

/** Reads them from the vault folder; NOT_CONFIGURED when there is no such folder. */
export function readScalars(located: Located): Scalars {
  const { env } = located;
  const listing = requireVault(located);
  const file = scalarsFile(listing.files, env);
  if (file === null) return { file: `.env.${env}`, bytes: new Uint8Array(0), pairs: new Map() };
  const bytes = new Uint8Array(readFileSync((listing.files.get(file) as { path: string }).path));
  return { file, bytes, pairs: parseEnv(bytes) };
}

/** Changes the file, and no other, while no other vsync on this machine works on this environment. */
export function editScalars(located: Located, edit: (scalars: Scalars) => Uint8Array): Scalars {
  ensurePrivateDir(located.stateFolder);
  const lock = acquireLock(located.paths.lock);
  try {
    removeLeftovers(located.vaultFolder);
    const before = readScalars(located);
    const bytes = edit(before);
    if (bytes !== before.bytes) writePrivateFile(join(located.vaultFolder, before.file), bytes);
    return { ...before, bytes, pairs: parseEnv(bytes) };
  } finally {
    lock.release();
  }
}

/** Whether the folder looks different from when it was last synced; by its files' stats, which a mere touch changes too. */
export function isPushDue({ paths, vaultFolder }: Located): boolean {
  const listing = listVault(vaultFolder);
  if (listing === null) return false;
  const synced = syncedHere(loadLedger(paths), listing, vaultFolder);
  if (synced === null || synced.files.size !== listing.files.size) return true;
  return [...listing.files].some(([name, file]) => {
    const then = synced.files.get(name);
    return then === undefined || !isSameStat(file, then);
  });
}

/** Whether `set` takes it: letters, digits, `_`, `.` and `-`. */
export function isScalarName(name: string): boolean {
  return /^[\w.-]+$/.test(name);
}

const NAMES_SHOWN = 10;

export function noSuchScalar({ env }: Located, { file, pairs }: Scalars, name: string): CliError {
  const names = [...pairs.keys()].map(visible).sort();
  const more = names.length - NAMES_SHOWN;
  const shown = `${names.slice(0, NAMES_SHOWN).join(", ")}${more > 0 ? ` and ${more} more` : ""}`;
  const toAdd = isScalarName(name)
    ? `to add it: vsync set ${env} ${name}`
    : `to add another: vsync set ${env} <NAME>`;
  return new CliError(
    "INPUT",
    `${file} of ${env} has no ${visible(name)}${didYouMean(name, names)}`,
    `${names.length > 0 ? `it has ${shown}; ` : ""}${toAdd}`,
  );
}

function requireVault({ vaultFolder, env }: Located): Listing {
  const listing = listVault(vaultFolder);
  if (listing !== null) return listing;
  throw new CliError("NOT_CONFIGURED", `there is no vault folder ${vaultFolder}`, `vsync pull ${env}`);
}
