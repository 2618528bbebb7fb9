// Which repository this is: its root folder, and the name under which its environments are kept.

import { existsSync, readFileSync, realpathSync, statSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { CliError } from "../cli-error.ts";
import { repositoryConfigFolder } from "../config/paths.ts";
import {
  ensurePrivateDir,
  readPrivateFile,
  removeLeftovers,
  writePrivateFile,
} from "../config/private-file.ts";
import type { Host } from "../host.ts";
import { visible } from "../terminal.ts";
import { gitOrigin, gitTopLevel, gitVersion } from "./git.ts";

export interface Repository {
  /** Absolute, links resolved. */
  readonly root: string;
  /** Normalised; names the config and state folders and the keystore's accounts. */
  readonly name: string;
  readonly hasVsyncFile: boolean;
  /** Git's origin as `host/path`, without credentials; null when there is none. */
  readonly origin: string | null;
}

export const VSYNC_FILE = ".vsync";
const MAX_VSYNC_FILE = 4096;
const MAX_NAME = 100;
const RESERVED_NAMES: ReadonlySet<string> = new Set(["profiles", "backups"]);
const WINDOWS_DEVICE = /^(con|prn|aux|nul|com[0-9]|lpt[0-9])(\.|$)/;

/**
 * Finds the repository around the current folder. `repoFlag` (`--repo`) names it when nothing else does, and
 * says so explicitly when another git origin on this machine uses the name.
 */
export function findRepository(host: Host, repoFlag?: string): Repository {
  const marked = nearestParent(host.cwd, (folder) => isFile(join(folder, VSYNC_FILE)));
  const found = marked ?? gitTopLevel(host, host.cwd) ?? (repoFlag === undefined ? null : host.cwd);
  if (found === null) throw nowhere(host);
  const root = realpathSync.native(found);
  const rawOrigin = gitOrigin(host, root);
  const origin = rawOrigin === null ? null : parseOrigin(rawOrigin);
  const name = chooseName(root, repoFlag, marked === null ? null : readVsyncFile(marked), origin);
  const repository = { root, name, hasVsyncFile: marked !== null, origin: origin?.address ?? null };
  if (repoFlag === undefined) refuseForeignName(host, repository);
  return repository;
}

function nowhere(host: Host): CliError {
  const unmarked = `no folder above ${host.cwd} has a ${VSYNC_FILE} file`;
  return gitVersion(host, host.cwd) === null
    ? new CliError(
        "INPUT",
        `git does not run here, and ${unmarked}`,
        "install git, or name the repository: --repo <name>",
      )
    : new CliError(
        "INPUT",
        `${host.cwd} is in no git repository and ${unmarked}`,
        "go into the repository, or name it: --repo <name>",
      );
}

/** Remembers that this repository's git origin uses its name. `init` and `import` call it. */
export function recordOrigin(
  host: Host,
  { name, origin }: Pick<Repository, "name" | "origin"> & Partial<Repository>,
): void {
  const known = knownOrigins(host, name);
  if (origin === null || known.includes(origin)) return;
  const folder = repositoryConfigFolder(host, name);
  ensurePrivateDir(folder);
  removeLeftovers(folder, basename(originsPath(host, name)));
  writePrivateFile(originsPath(host, name), `${[...known, origin].join("\n")}\n`);
}

/** Throws unless `env` can name an environment. */
export function checkEnvName(env: string): void {
  if (/^[a-z][a-z0-9_-]{0,31}$/.test(env)) return;
  throw new CliError(
    "INPUT",
    `"${visible(env)}" cannot name an environment`,
    "use up to 32 of a-z, 0-9, _ and -, with a letter first: dev, staging, prod-eu",
  );
}

/** Lower case, `/` and `-` to `_`, the rest of `[a-z0-9._]` kept, 100 characters at most; throws when nothing usable is left. */
export function normaliseName(raw: string, hint = "choose one: --repo <name>"): string {
  const name = raw
    .toLowerCase()
    .replace(/[/-]/g, "_")
    .replace(/[^a-z0-9._]/g, "")
    .slice(0, MAX_NAME);
  const problem = nameProblem(name);
  if (problem === null) return name;
  const shown = raw.length > MAX_NAME ? `${raw.slice(0, MAX_NAME)}...` : raw; // a file may hold anything
  throw new CliError("INPUT", `"${visible(shown)}" cannot name a repository: it ${problem}`, hint);
}

function nameProblem(name: string): string | null {
  if (!/^[a-z0-9]/.test(name)) return "must start with a letter or digit";
  if (name.includes("..")) return "holds `..`";
  if (name.endsWith(".")) return "ends in a dot, which Windows drops";
  if (WINDOWS_DEVICE.test(name)) return "is a device name on Windows";
  if (RESERVED_NAMES.has(name)) return "is reserved";
  return null;
}

interface Origin {
  /** `host/path`, or the path alone when it is a folder. */
  readonly address: string;
  /** `owner/name`, subgroups kept. */
  readonly path: string;
}

/** Takes git's forms apart: URLs, `user@host:path`, and folders, of which the last two parts count. */
export function parseOrigin(url: string): Origin {
  const remote =
    /^(?:https?|ssh|git|git\+ssh):\/\/(?:[^/@]*@)?([^/:]+)(?::\d+)?\/(.+)$/i.exec(url) ??
    /^(?:[^/@:]+@)?([^/:]{2,}):(?!\/\/)(.+)$/.exec(url);
  const path = (remote?.[2] ?? url.replace(/^file:\/\//i, "").replaceAll("\\", "/"))
    .replace(/^\/+|\/+$/g, "")
    .replace(/\.git$/i, "");
  if (remote !== null) return { address: `${remote[1]}/${path}`.toLowerCase(), path };
  return { address: path, path: path.split("/").slice(-2).join("/") };
}

function chooseName(
  root: string,
  flag: string | undefined,
  marked: string | null,
  origin: Origin | null,
): string {
  const flagged = flag === undefined ? null : normaliseName(flag);
  if (marked !== null) {
    const name = normaliseName(marked, `change the line in ${join(root, VSYNC_FILE)}: repo=<name>`);
    if (flagged === null || flagged === name) return name;
    throw new CliError(
      "INPUT",
      `--repo ${flagged} contradicts ${join(root, VSYNC_FILE)}, which says repo=${name}`,
      `leave out --repo, or change the line in ${VSYNC_FILE}`,
    );
  }
  if (flagged !== null) return flagged;
  if (origin !== null) return normaliseName(origin.path);
  throw new CliError(
    "INPUT",
    `${root} has no name: git has no remote "origin" and there is no ${VSYNC_FILE} file`,
    "name it: --repo <name>   (or: git remote add origin <url>)",
  );
}

// Without this a repository could commit `repo=<another's name>` and have that one's secrets pulled into it.
function refuseForeignName(host: Host, { name, origin }: Repository): void {
  if (origin === null) return;
  const known = knownOrigins(host, name);
  if (known.length === 0 || known.includes(origin)) return;
  throw new CliError(
    "INPUT",
    `the name ${name} belongs to ${known.map(visible).join(", ")} on this machine, but this repository is ${visible(origin)}`,
    `if both are the same project: --repo ${name}; if not, give this one another name: --repo <name>`,
  );
}

/** The git origins that use the name on this machine. */
export function knownOrigins(host: Host, name: string): readonly string[] {
  const bytes = readPrivateFile(originsPath(host, name));
  return bytes === null ? [] : bytes.toString("utf8").split("\n").filter(Boolean);
}

function originsPath(host: Host, name: string): string {
  return join(repositoryConfigFolder(host, name), "origins");
}

function readVsyncFile(root: string): string | null {
  const path = join(root, VSYNC_FILE);
  if (statSync(path).size > MAX_VSYNC_FILE) {
    throw new CliError(
      "INPUT",
      `${path} is larger than ${MAX_VSYNC_FILE} bytes`,
      "it holds one line: repo=<name>",
    );
  }
  return /^\s*repo\s*=\s*(\S+)\s*$/m.exec(readFileSync(path, "utf8"))?.[1] ?? null;
}

function nearestParent(start: string, test: (folder: string) => boolean): string | null {
  for (let folder = start; ; folder = dirname(folder)) {
    if (test(folder)) return folder;
    if (folder === dirname(folder)) return null;
  }
}

function isFile(path: string): boolean {
  return existsSync(path) && statSync(path).isFile();
}
