// Each environment of a repository has a vault folder of its own: a push takes everything below it, and a pull replaces it.

import { posix } from "node:path";
import { CliError } from "../cli-error.ts";
import { configuredEnvs, loadEnvConfig } from "../config/env-config.ts";
import type { Names } from "../config/paths.ts";
import type { Host } from "../host.ts";
import { visible } from "../terminal.ts";

/** The vault folders of a repository's other environments on this machine, by environment. */
export function otherVaultFolders(host: Host, { repo, env }: Names): ReadonlyMap<string, string> {
  const others = configuredEnvs(host, repo).filter((other) => other !== env);
  return new Map(
    others.flatMap((other) => {
      const folder = loadIfSound(host, repo, other)?.files.vaultFolder;
      return folder === undefined ? [] : [[other, folder]];
    }),
  );
}

/** Throws unless the folder has nothing in common with the others. `hint`: what to do about the other environment. */
export function requireOwnFolder(
  folder: string,
  others: ReadonlyMap<string, string>,
  hint: (other: string) => string,
): void {
  const shared = findShared(folder, others);
  if (shared !== null) throw new CliError("INPUT", shared.problem, hint(shared.other));
}

/** The environment that the folder has something in common with; null: there is none. */
export function findShared(
  folder: string,
  others: ReadonlyMap<string, string>,
): { readonly other: string; readonly problem: string } | null {
  const found = [...others].find(([, theirs]) => overlap(folder, theirs));
  if (found === undefined) return null;
  const [other, theirs] = found;
  const where = folder === theirs ? "is" : "overlaps with";
  const problem = `the vault folder ${visible(folder)} ${where} that of ${other} (${visible(theirs)}): a push of one would publish the other's secrets`;
  return { other, problem };
}

/** For who cannot choose the folder: the other one has to give way. */
export function moveOther(other: string): string {
  return `give ${other} another folder first: vsync init ${other} --edit --vault-folder <folder>   then vsync pull ${other}, and run the same command again`;
}

function overlap(a: string, b: string): boolean {
  const [one, other] = [comparable(a), comparable(b)];
  return one.startsWith(other) || other.startsWith(one);
}

// Some file systems tell neither case nor forms of Unicode apart.
function comparable(folder: string): string {
  return `${posix.normalize(folder).replace(/\/$/, "").normalize("NFC").toLowerCase()}/`;
}

// What is damaged is told to whoever wants to use it.
function loadIfSound(host: Host, repo: string, env: string): ReturnType<typeof loadEnvConfig> {
  try {
    return loadEnvConfig(host, repo, env);
  } catch (error) {
    if (error instanceof CliError) return null;
    throw error;
  }
}
