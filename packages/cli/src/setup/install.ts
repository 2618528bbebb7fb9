// The part of `init` that changes this machine: all of it, or none.

import { CliError, toCliError } from "../cli-error.ts";
import { type EnvConfig, saveEnvConfig } from "../config/env-config.ts";
import { envStateFolder, type Names } from "../config/paths.ts";
import type { Context } from "../context.ts";
import type { Host } from "../host.ts";
import { type Repository, recordOrigin } from "../identity/repository.ts";
import { bringStateBack, nameStateAside, putStateAside } from "../vault/put-aside.ts";
import { endSetup, restoreConfig, saveSetup } from "../vault/setup-journal.ts";
import { statePaths } from "../vault/state-paths.ts";
import { type Found, whileAsFound } from "./found.ts";
import type { NewKey } from "./new-key.ts";
import {
  addIgnoreRules,
  makeVaultFolder,
  orBack,
  removeRootEnvFile,
  takeEnvFile,
  writeVsyncFile,
} from "./repository-files.ts";

export interface Installation {
  readonly repository: Repository;
  readonly env: string;
  /** What there was when this was decided: nothing is installed over anything else. */
  readonly found: Found;
  readonly config: EnvConfig;
  /** Null: the environment keeps its key. */
  readonly key: NewKey | null;
  /** It is the same vault, perhaps under another key: what is remembered of it still holds. */
  readonly keepsState: boolean;
  readonly takesEnvFile: boolean;
}

/**
 * Installs, then runs `last`; whatever fails, everything is put back as it was. Unless `last` has called what it is
 * given: from then on the bucket may be under the new key, and nothing here is taken back any more. Returns the rules
 * that .gitignore got.
 */
export async function installEnvironment(
  { host }: Context,
  { repository, env, found, config, key, keepsState, takesEnvFile }: Installation,
  last: ((leaveNoWayBack: () => void) => Promise<void>) | null,
): Promise<readonly string[]> {
  const { root, name } = repository;
  const { vaultFolder } = config.files;
  const names = { repo: name, env };
  const undo: UndoStep[] = [];
  const install = async (): Promise<readonly string[]> => {
    undo.push(makeVaultFolder(root, vaultFolder));
    const rules = addIgnoreRules(host, repository, vaultFolder, env);
    undo.push(rules.undo);
    undo.push(writeVsyncFile(repository));
    if (takesEnvFile) undo.push(takeEnvFile(repository, vaultFolder, env));
    recordOrigin(host, repository);
    await installKeyAndConfig(host, names, { found, config, key, keepsState }, last !== null, undo);
    return rules.added;
  };
  return await whileAsFound(host, names, found, async () => {
    const ignored = await orTakeBack(undo, install);
    if (last !== null) await orTakeBack(undo, () => last(() => void undo.splice(0)));
    endSetup(statePaths(envStateFolder(host, name, env)));
    if (takesEnvFile) removeRootEnvFile(repository, vaultFolder, env);
    return ignored;
  });
}

/** The part that needs no repository, for an environment whose clone is still to be made. All of it, or nothing. */
export async function installWithoutRepository(host: Host, names: Names, parts: KeyAndConfig): Promise<void> {
  const undo: UndoStep[] = [];
  await whileAsFound(host, names, parts.found, async () => {
    await orTakeBack(undo, () => installKeyAndConfig(host, names, parts, false, undo));
    endSetup(statePaths(envStateFolder(host, names.repo, names.env)));
  });
}

type KeyAndConfig = Pick<Installation, "found" | "config" | "key" | "keepsState">;

async function installKeyAndConfig(
  host: Host,
  names: Names,
  { found, config, key, keepsState }: KeyAndConfig,
  takeOver: boolean,
  undo: UndoStep[],
): Promise<void> {
  const state = envStateFolder(host, names.repo, names.env);
  const paths = statePaths(state);
  const aside = keepsState ? null : nameStateAside(state, found.config, host.now());
  undo.push(() => endSetup(paths));
  saveSetup(paths, { config: found.config, aside, key: "kept", takeOver });
  if (aside !== null)
    undo.push(
      orBack(
        () => putStateAside(state, aside, found.config),
        () => bringStateBack(state, aside),
      ),
    );
  if (key !== null) undo.push(await key.store());
  undo.push(
    orBack(
      () => saveEnvConfig(host, names.repo, names.env, config),
      () => restoreConfig(host, names, found.config),
    ),
  );
}

type UndoStep = () => void | Promise<void>;

async function orTakeBack<T>(undo: readonly UndoStep[], work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    return await takeBack(undo, error);
  }
}

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
