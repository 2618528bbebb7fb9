// The part of `init` that changes this machine: all of it, or none.

import { existsSync, renameSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";
import { formatTimestamp } from "@vsync/envelope";
import { CliError, toCliError } from "../cli-error.ts";
import { type EnvConfig, saveEnvConfig } from "../config/env-config.ts";
import { envConfigPath, envStateFolder } from "../config/paths.ts";
import { removePrivateFile, syncDir } from "../config/private-file.ts";
import type { Context } from "../context.ts";
import type { Host } from "../host.ts";
import { type Repository, recordOrigin } from "../identity/repository.ts";
import { shellWord } from "../shell-word.ts";
import { acquireLock } from "../vault/lock.ts";
import { statePaths } from "../vault/state-paths.ts";
import type { NewKey } from "./new-key.ts";
import {
  addIgnoreRules,
  makeVaultFolder,
  orBack,
  removeRootEnvFile,
  takeEnvFile,
  type Undo,
  writeVsyncFile,
} from "./repository-files.ts";

export interface Installation {
  readonly repository: Repository;
  readonly env: string;
  readonly before: EnvConfig | null;
  readonly config: EnvConfig;
  /** Null: the environment keeps its key, and with it its state. */
  readonly key: NewKey | null;
  /** The key is another one of the same vault: what is remembered of it still holds. */
  readonly keepsState?: boolean;
  readonly takesEnvFile: boolean;
}

/**
 * Installs, then runs `last`; whatever fails, everything is put back as it was. Unless `last` has called what it is
 * given: from then on the bucket may be under the new key, and nothing here is taken back any more. Returns the rules
 * that .gitignore got.
 */
export async function installEnvironment(
  { host }: Context,
  { repository, env, before, config, key, keepsState = false, takesEnvFile }: Installation,
  last: (leaveNoWayBack: () => void) => Promise<void>,
): Promise<readonly string[]> {
  const { root, name } = repository;
  const { vaultFolder } = config.files;
  const undo: UndoStep[] = [];
  let ignored: readonly string[] = [];
  try {
    undo.push(makeVaultFolder(root, vaultFolder));
    const rules = addIgnoreRules(host, repository, vaultFolder, env);
    undo.push(rules.undo);
    ignored = rules.added;
    undo.push(writeVsyncFile(repository));
    if (takesEnvFile) undo.push(takeEnvFile(repository, vaultFolder, env));
    recordOrigin(host, repository);
    await installKeyAndConfig(host, { repo: name, env, before, config, key, keepsState }, undo);
    await last(() => void undo.splice(0));
  } catch (error) {
    await takeBack(undo, error);
  }
  if (takesEnvFile) removeOriginal(repository, env);
  return ignored;
}

/** The part that needs no repository, for an environment whose clone is still to be made. All of it, or nothing. */
export async function installWithoutRepository(
  host: Host,
  parts: Omit<Installation, "repository" | "takesEnvFile"> & { readonly repo: string },
): Promise<void> {
  const undo: UndoStep[] = [];
  try {
    await installKeyAndConfig(host, parts, undo);
  } catch (error) {
    await takeBack(undo, error);
  }
}

async function installKeyAndConfig(
  host: Host,
  {
    repo,
    env,
    before,
    config,
    key,
    keepsState,
  }: Omit<Installation, "repository" | "takesEnvFile"> & { readonly repo: string },
  undo: UndoStep[],
): Promise<void> {
  if (key !== null) {
    undo.push(await key.store());
    if (!keepsState) undo.push(putStateAside(host, repo, env));
  }
  undo.push(replaceConfig(host, repo, env, before, config));
}

type UndoStep = () => void | Promise<void>;

/** Takes every step back, the latest first, and throws the error; one that cannot be taken back is added to it. */
async function takeBack(undo: readonly UndoStep[], error: unknown): Promise<never> {
  const left: string[] = [];
  for (const step of undo.toReversed()) {
    try {
      await step();
    } catch (failure) {
      left.push(toCliError(failure).message);
    }
  }
  if (left.length === 0) throw error;
  const { code, message, hint } = toCliError(error);
  throw new CliError(code, `${message}; and not all could be put back: ${left.join("; ")}`, hint, {
    cause: error,
  });
}

function replaceConfig(
  host: Host,
  repo: string,
  env: string,
  before: EnvConfig | null,
  config: EnvConfig,
): Undo {
  const putBack = (): void => {
    if (before === null) removePrivateFile(envConfigPath(host, repo, env));
    else saveEnvConfig(host, repo, env, before);
  };
  return orBack(() => saveEnvConfig(host, repo, env, config), putBack);
}

// What is remembered of a vault under the old key must not be held against the new one; its backups are kept beside it.
function putStateAside(host: Host, repo: string, env: string): Undo {
  const folder = envStateFolder(host, repo, env);
  if (!existsSync(folder)) return () => undefined;
  const { lock } = statePaths(folder);
  const held = acquireLock(lock); // throws when another vsync is at work in it; moves away with the folder
  const aside = `${folder}.replaced-${formatTimestamp(host.now())}`;
  renameSync(folder, aside);
  rmSync(join(aside, "lock"), { recursive: true, force: true });
  held.release();
  syncDir(dirname(folder));
  return () => {
    rmSync(folder, { recursive: true, force: true });
    renameSync(aside, folder);
    syncDir(dirname(folder));
  };
}

function removeOriginal(repository: Repository, env: string): void {
  try {
    removeRootEnvFile(repository, env);
  } catch (error) {
    const path = join(repository.root, `.env.${env}`);
    throw new CliError(
      "PARTIAL",
      `all is set up, but ${path} could not be removed`,
      `rm ${shellWord(path)}`,
      {
        cause: error,
      },
    );
  }
}
