// One environment as it lies on this machine: what commands need that ask neither the keystore nor the bucket.

import { type EnvConfig, requireEnvConfig } from "../config/env-config.ts";
import { envStateFolder } from "../config/paths.ts";
import type { Context } from "../context.ts";
import { checkEnvName, findRepository, type Repository } from "../identity/repository.ts";
import { type StatePaths, statePaths } from "./state-paths.ts";
import { resolveVaultFolder } from "./vault-folder.ts";

export interface Located {
  readonly repository: Repository;
  readonly env: string;
  readonly config: EnvConfig;
  /** Absolute; whether it is there is another question. */
  readonly vaultFolder: string;
  /** Below this folder, which need not exist yet. */
  readonly stateFolder: string;
  readonly paths: StatePaths;
}

/** Finds a configured environment of the repository around the current folder. NOT_CONFIGURED when it is none. */
export function locate({ host, flags }: Context, env: string): Located {
  checkEnvName(env);
  const repository = findRepository(host, flags.repo);
  const config = requireEnvConfig(host, repository.name, env);
  const vaultFolder = resolveVaultFolder(repository.root, config.files.vaultFolder);
  const stateFolder = envStateFolder(host, repository.name, env);
  return { repository, env, config, vaultFolder, stateFolder, paths: statePaths(stateFolder) };
}
