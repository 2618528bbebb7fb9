// `vsync use [env]`: makes the repository's `.env` a link to the vault's `.env.<env>`, or says where it leads.

import { lstatSync, readlinkSync, symlinkSync, unlinkSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";
import { CliError } from "../cli-error.ts";
import { configuredEnvs, loadEnvConfig } from "../config/env-config.ts";
import type { Context, Said } from "../context.ts";
import { gitIgnores } from "../identity/git.ts";
import { findRepository } from "../identity/repository.ts";
import { shellWord } from "../shell-word.ts";
import { locateVault } from "../vault/local-vault.ts";
import { readScalars } from "../vault/scalars.ts";

export interface UseInput {
  readonly env?: string;
}

export interface UseResult {
  /** The environment that `.env` leads to; null when it leads to none. */
  readonly env: string | null;
  /** Where the link points, relative to the root; null when there is none. */
  readonly target: string | null;
  readonly changed: boolean;
  /** The link is as it was. */
  readonly dryRun: boolean;
}

export async function use(context: Context, { env }: UseInput): Promise<UseResult> {
  const { dryRun, repo } = context.flags;
  const { name, root } = findRepository(context.host, repo);
  const link = join(root, ".env");
  const before = readLink(link);
  const used = before === null ? null : envOfTarget(context, name, root, resolve(root, before));
  if (env === undefined) return { env: used, target: before, changed: false, dryRun };

  const located = await locateVault(context, env);
  const { file, pairs } = readScalars(located);
  if (pairs.size === 0) {
    const hint = `vsync pull ${env}   or   vsync set ${env} <NAME>`;
    throw new CliError("NOT_CONFIGURED", `the vault folder of ${env} holds no scalars to link to`, hint);
  }
  warnUnlessIgnored(context, root, [link, located.vaultFolder]);
  const target = relative(root, join(located.vaultFolder, file));
  if (before === target) return { env, target, changed: false, dryRun };
  if (before !== null && used === null) {
    const message = `${link} is a link to ${before}, which no environment of vsync owns`;
    throw new CliError(
      "INPUT",
      message,
      `if it is not needed: rm ${shellWord(link)}; then: vsync use ${env}`,
    );
  }
  if (!dryRun) replaceLink(link, target, before);
  return { env, target, changed: true, dryRun };
}

export function describeUse({ env, target, changed, dryRun }: UseResult): Said {
  if (env === null) {
    const what =
      target === null ? ".env is no link" : `.env is a link to ${target}, which is no environment's`;
    return { notes: [`${what}; choose an environment: vsync use <env>`] };
  }
  if (changed && dryRun) return { notes: [`.env would lead to ${target}`] };
  return { out: env, notes: [`.env ${changed ? "now leads" : "leads"} to ${target}`] };
}

/** Where the link points; null when nothing is there. A regular file is an error: it is somebody's. */
function readLink(link: string): string | null {
  const found = lstatSync(link, { throwIfNoEntry: false });
  if (found === undefined) return null;
  if (found.isSymbolicLink()) return readlinkSync(link);
  throw new CliError(
    "INPUT",
    `${link} is no link; vsync does not touch it`,
    `move it away (for instance into the vault folder), then run the same command again`,
  );
}

function envOfTarget({ host }: Context, repo: string, root: string, target: string): string | null {
  const owner = configuredEnvs(host, repo).find((env) => {
    const config = loadEnvConfig(host, repo, env);
    return config !== null && dirname(target) === join(root, ...config.files.vaultFolder.split("/"));
  });
  return owner ?? null;
}

// symlink() fails when something has come up there meanwhile: nobody's file is overwritten.
function replaceLink(link: string, target: string, before: string | null): void {
  if (before !== null) unlinkSync(link);
  try {
    symlinkSync(target, link, "file");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EPERM" || process.platform !== "win32") throw error;
    const hint = "turn on Windows' developer mode, or use: vsync run <env> -- <command>";
    throw new CliError("LOCAL_IO", "Windows does not let this user make links", hint, { cause: error });
  }
}

function warnUnlessIgnored({ host, terminal }: Context, root: string, paths: readonly string[]): void {
  for (const path of paths) {
    if (gitIgnores(host, root, path) === false) {
      terminal.warn(
        `git does not ignore ${path}: add /${relative(root, path)} to .gitignore before you commit`,
      );
    }
  }
}
