// What setting up an environment changes in the repository: vault folder, .gitignore, .vsync. Each change comes with
// the way back, for when a later step fails.

import {
  appendFileSync,
  chmodSync,
  existsSync,
  linkSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmdirSync,
  rmSync,
  truncateSync,
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

const LINE_FEED = 0x0a;

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
  repository: Repository,
  folder: string,
  env: string,
): { readonly added: readonly string[]; readonly undo: Undo } {
  const { root, name } = repository;
  const path = join(root, ".gitignore");
  if (lstatSync(path, { throwIfNoEntry: false })?.isFile() === false) {
    throw new CliError("INPUT", `${path} is not a regular file`, "put a regular file in its place");
  }
  // Only there is the parent known to hold nothing but vaults.
  const ignored = folder === defaultVaultFolder(env) ? VAULTS_FOLDER : folder;
  const wanted = [
    { rule: `/${escapeRule(ignored)}/`, covers: `${folder}/.env.${env}` },
    { rule: "/.env", covers: ".env" },
    { rule: `/.env.${env}`, covers: `.env.${env}` },
    { rule: "*.share", covers: `${name}-${env}.share` },
  ].filter(({ covers }) => gitIgnores(host, root, covers) !== true);
  const before = readIfThere(path);
  if (before !== null) clearTemporaries(path);
  const lines = new Set(before?.toString("utf8").split(/\r?\n/));
  const added = wanted.map(({ rule }) => rule).filter((rule) => !lines.has(rule));
  if (added.length === 0) return { added, undo: () => undefined };
  const newline = before?.includes("\r\n") ? "\r\n" : "\n";
  const text = ["# secrets: vsync keeps them, git does not", ...added, ""].join(newline);
  if (before === null) {
    const undo = createWhole(path, text);
    return undo === null ? addIgnoreRules(host, repository, folder, env) : { added, undo };
  }
  const gap = before.length === 0 ? "" : before.at(-1) === LINE_FEED ? newline : newline + newline;
  return { added, undo: append(path, before, gap + text) };
}

/** Writes `.vsync`, so that every clone has the repository's name. */
export function writeVsyncFile({ root, name, hasVsyncFile }: Repository): Undo {
  const path = join(root, VSYNC_FILE);
  if (hasVsyncFile) clearTemporaries(path);
  const undo = hasVsyncFile ? null : createWhole(path, `repo=${name}\n`);
  return undo ?? (() => undefined);
}

/** Whether the root has a `.env.<env>` that could go into the vault folder. */
export function hasRootEnvFile({ root }: Repository, env: string): boolean {
  return lstatSync(join(root, `.env.${env}`), { throwIfNoEntry: false })?.isFile() === true;
}

/** Copies the root's `.env.<env>` into the vault folder; the caller removes the original when all else is done. */
export function takeEnvFile(repository: Repository, folder: string, env: string): Undo {
  const [from, to] = envFilePaths(repository, folder, env);
  const bytes = readFileSync(from);
  if (isCopy(to, bytes)) return () => undefined; // of an init that was cut short
  if (lstatSync(to, { throwIfNoEntry: false }) !== undefined) {
    const hint = `compare them (diff ${shellWord(from)} ${shellWord(to)}) and remove one`;
    throw new CliError("INPUT", `${to} exists already; ${from} was not taken`, hint);
  }
  createPrivateFile(to, bytes);
  return () => unlinkSync(to);
}

/**
 * Removes the root's `.env.<env>`, whose copy is in the vault folder. One that was edited since stays: it is moved aside
 * first, so that nothing can be saved into it between the look and the removal.
 */
export function removeRootEnvFile(repository: Repository, folder: string, env: string): void {
  if (!hasRootEnvFile(repository, env)) return;
  const [from, to] = envFilePaths(repository, folder, env);
  const aside = nameTemporary(from);
  try {
    renameSync(from, aside);
    if (isCopy(to, readFileSync(aside))) {
      unlinkSync(aside);
      return;
    }
  } catch (cause) {
    const left = existsSync(aside) ? aside : from;
    const message = `all is set up, but ${left} could not be removed`;
    throw new CliError("PARTIAL", message, `rm ${shellWord(left)}`, { cause });
  }
  const left = linkNew(aside, from) ? from : aside;
  if (left === from) rmSync(aside, { force: true });
  const [edited, copy] = [shellWord(left), shellWord(to)];
  throw new CliError(
    "PARTIAL",
    `all is set up, but ${left} was edited meanwhile: ${to} is not its copy any more, and both are kept`,
    `compare them (diff ${edited} ${copy}); to take the edit: mv ${edited} ${copy}   or to drop it: rm ${edited}`,
  );
}

/** In the root, in the vault folder. */
function envFilePaths({ root }: Repository, folder: string, env: string): readonly [string, string] {
  const name = `.env.${env}`;
  return [join(root, name), join(root, folder, name)];
}

// Through a link it could be the original itself.
function isCopy(path: string, bytes: Buffer): boolean {
  return lstatSync(path, { throwIfNoEntry: false })?.isFile() === true && readFileSync(path).equals(bytes);
}

/**
 * Null when there is such a file already, which stays. It is for everybody, so the umask decides; as with private files
 * no kill and no full disk leaves half of one.
 */
function createWhole(path: string, text: string): Undo | null {
  const temporary = nameTemporary(path);
  try {
    writeFileSync(temporary, text, { flag: "wx", flush: true });
    if (!linkNew(temporary, path)) return null;
  } finally {
    rmSync(temporary, { force: true });
  }
  return orBack(
    () => {
      clearTemporaries(path);
      syncDir(dirname(path));
    },
    () => cutBack(path, null, text),
  );
}

/** Of a file that is there: whoever is just then about to create it finds it, and needs none any more. */
function clearTemporaries(path: string): void {
  removeLeftovers(dirname(path), basename(path));
}

function linkNew(temporary: string, path: string): boolean {
  try {
    linkSync(temporary, path);
  } catch {
    if (lstatSync(path, { throwIfNoEntry: false })?.isFile()) return false;
    renameSync(temporary, path); // a file system may have no hard links
  }
  return true;
}

/** At the end of whatever is there by then: what others write at the same time stays. */
function append(path: string, before: Buffer, text: string): Undo {
  return orBack(
    () => appendFileSync(path, text, { flush: true }),
    () => cutBack(path, before, text),
  );
}

/** Takes back what was written, all of it or as much as a full disk took, unless somebody has changed the file since. */
function cutBack(path: string, before: Buffer | null, text: string): void {
  const now = readIfThere(path);
  const kept = before?.length ?? 0;
  const written = Buffer.concat([before ?? Buffer.alloc(0), Buffer.from(text)]);
  if (now === null || now.length < kept || !written.subarray(0, now.length).equals(now)) {
    throw new CliError("CONFLICT", `${path} was changed meanwhile and stays as it is`, "");
  }
  if (before === null) unlinkSync(path);
  else truncateSync(path, kept);
}

function readIfThere(path: string): Buffer | null {
  return lstatSync(path, { throwIfNoEntry: false }) === undefined ? null : readFileSync(path);
}

// In .gitignore these have a meaning of their own.
function escapeRule(path: string): string {
  return path.replace(/[\\*?[\]!# ]/g, "\\$&");
}
