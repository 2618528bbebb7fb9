// What setting up an environment changes in the repository: vault folder, .gitignore, .vsync. Each change comes with
// the way back, for when a later step fails.

import {
  chmodSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmdirSync,
  rmSync,
  unlinkSync,
  writeFileSync,
} from "node:fs";
import { basename, dirname, isAbsolute, join, relative, resolve, sep } from "node:path";
import { canonicalName, nameProblem } from "@vsync/envelope";
import { CliError } from "../cli-error.ts";
import { createPrivateFile, nameTemporary, removeLeftovers, syncDir } from "../config/private-file.ts";
import type { Host } from "../host.ts";
import { gitIgnores } from "../identity/git.ts";
import { type Repository, VSYNC_FILE } from "../identity/repository.ts";
import { shellWord } from "../shell-word.ts";
import { visible } from "../terminal.ts";

/** Takes a change back. */
export type Undo = () => void;

/** Does something, or puts back what it had done of it when it failed. Returns the way back. */
export function orBack(act: () => void, putBack: Undo): Undo {
  try {
    act();
  } catch (error) {
    try {
      putBack();
    } catch {
      // The first failure is the one to tell.
    }
    throw error;
  }
  return putBack;
}

/** The vault folder as the config holds it: relative to the root, `/`-separated, inside the repository. */
export function checkVaultFolder({ root }: Repository, folder: string): string {
  const inside = relative(root, resolve(root, folder)).split(sep).join("/");
  const outside = inside === "" || inside.split("/").includes("..") || isAbsolute(inside);
  const problem = outside ? `it is no folder inside ${root}` : nameProblem(canonicalName(inside));
  if (problem === null) return inside;
  throw new CliError(
    "INPUT",
    `the vault folder cannot be ${visible(folder)}: ${problem}`,
    "give a folder of its own inside the repository: --vault-folder infra/vault/<env>",
  );
}

/** Where the vault folder is unless the user says otherwise; all environments' folders are in one that is vsync's own. */
const VAULTS_FOLDER = "infra/vault";

export function defaultVaultFolder(env: string): string {
  return `${VAULTS_FOLDER}/${env}`;
}

/** Makes the vault folder, 0700; an existing one is narrowed. Follows no link on the way to it. */
export function makeVaultFolder(root: string, folder: string): Undo {
  const made: string[] = [];
  const undo = (): void => {
    for (const path of made.splice(0).reverse()) rmdirSync(path);
  };
  try {
    makeFolders(root, folder, made);
    if (process.platform !== "win32") chmodSync(join(root, folder), 0o700);
  } catch (error) {
    undo();
    throw error;
  }
  return undo;
}

function makeFolders(root: string, folder: string, made: string[]): void {
  const parts = folder.split("/");
  for (const [index] of parts.entries()) {
    const path = join(root, ...parts.slice(0, index + 1));
    const there = lstatSync(path, { throwIfNoEntry: false });
    if (there === undefined) {
      mkdirSync(path);
      made.push(path);
    } else if (!there.isDirectory()) {
      throw new CliError(
        "INPUT",
        `${path} is not a folder (or a link to one)`,
        "move it away, or use --vault-folder",
      );
    }
  }
}

/**
 * Adds what keeps secrets out of git and is not there yet: the vault folder, `.env` files in the root, and share files,
 * which open it. Follows no link: a repository could bring one along.
 */
export function addIgnoreRules(
  host: Host,
  { root, name }: Repository,
  folder: string,
  env: string,
): { readonly added: readonly string[]; readonly undo: Undo } {
  const path = join(root, ".gitignore");
  if (lstatSync(path, { throwIfNoEntry: false })?.isFile() === false) {
    throw new CliError("INPUT", `${path} is not a regular file`, "put a regular file in its place");
  }
  const before = readIfThere(path);
  const lines = new Set(before?.split(/\r?\n/));
  // Only there is the parent known to hold nothing but vaults.
  const ignored = folder === defaultVaultFolder(env) ? VAULTS_FOLDER : folder;
  const rules = [
    { rule: `/${escapeRule(ignored)}/`, covers: `${folder}/.env.${env}` },
    { rule: "/.env", covers: ".env" },
    { rule: `/.env.${env}`, covers: `.env.${env}` },
    { rule: "*.share", covers: `${name}-${env}.share` },
  ].filter(({ rule, covers }) => !lines.has(rule) && gitIgnores(host, root, covers) !== true);
  const added = rules.map(({ rule }) => rule);
  if (added.length === 0) return { added, undo: () => undefined };
  const newline = before?.includes("\r\n") ? "\r\n" : "\n";
  const gap = before === null || before === "" ? "" : before.endsWith("\n") ? newline : newline + newline;
  const text = ["# secrets: vsync keeps them, git does not", ...added, ""].join(newline);
  const undo = orBack(
    () => writeWhole(path, `${before ?? ""}${gap}${text}`),
    () => (before === null ? unlinkSync(path) : writeWhole(path, before)),
  );
  return { added, undo };
}

/** Writes `.vsync`, so that every clone has the repository's name. */
export function writeVsyncFile({ root, name, hasVsyncFile }: Repository): Undo {
  if (hasVsyncFile) return () => undefined;
  const path = join(root, VSYNC_FILE);
  return orBack(
    () => writeWhole(path, `repo=${name}\n`),
    () => unlinkSync(path),
  );
}

/** Whether the root has a `.env.<env>` that could go into the vault folder. */
export function hasRootEnvFile({ root }: Repository, env: string): boolean {
  return lstatSync(join(root, `.env.${env}`), { throwIfNoEntry: false })?.isFile() === true;
}

/** Copies the root's `.env.<env>` into the vault folder; the caller removes the original when all else is done. */
export function takeEnvFile({ root }: Repository, folder: string, env: string): Undo {
  const from = join(root, `.env.${env}`);
  const to = join(root, folder, `.env.${env}`);
  const bytes = readFileSync(from);
  if (lstatSync(to, { throwIfNoEntry: false }) !== undefined) {
    const hint = `compare them (diff ${shellWord(from)} ${shellWord(to)}) and remove one`;
    throw new CliError("INPUT", `${to} exists already; ${from} was not taken`, hint);
  }
  createPrivateFile(to, bytes);
  return () => unlinkSync(to);
}

export function removeRootEnvFile({ root }: Repository, env: string): void {
  unlinkSync(join(root, `.env.${env}`));
}

/** These are for everybody, so the umask decides; as with private files no kill and no full disk leaves half of one. */
function writeWhole(path: string, text: string): void {
  removeLeftovers(dirname(path), basename(path));
  const temporary = nameTemporary(path);
  try {
    const mode = lstatSync(path, { throwIfNoEntry: false })?.mode;
    writeFileSync(temporary, text, {
      flag: "wx",
      flush: true,
      ...(mode !== undefined && { mode: mode & 0o777 }),
    });
    renameSync(temporary, path);
  } catch (error) {
    rmSync(temporary, { force: true });
    throw error;
  }
  syncDir(dirname(path));
}

function readIfThere(path: string): string | null {
  return lstatSync(path, { throwIfNoEntry: false }) === undefined ? null : readFileSync(path, "utf8");
}

// In .gitignore these have a meaning of their own.
function escapeRule(path: string): string {
  return path.replace(/[\\*?[\]!# ]/g, "\\$&");
}
