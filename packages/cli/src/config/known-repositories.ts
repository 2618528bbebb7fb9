// The repositories that this machine has environments of: docs/formats.md section 9.

import { readdirSync } from "node:fs";
import { join } from "node:path";
import type { Host } from "../host.ts";
import { configuredEnvs } from "./env-config.ts";
import { configFolder } from "./paths.ts";

export interface KnownRepository {
  readonly repo: string;
  /** Sorted; never empty. */
  readonly envs: readonly string[];
}

/** Sorted by name. */
export function knownRepositories(host: Host): readonly KnownRepository[] {
  return listFolders(join(configFolder(host), "config"))
    .map((repo) => ({ repo, envs: configuredEnvs(host, repo) }))
    .filter(({ envs }) => envs.length > 0);
}

function listFolders(folder: string): readonly string[] {
  try {
    const entries = readdirSync(folder, { withFileTypes: true });
    return entries
      .filter((entry) => entry.isDirectory())
      .map(({ name }) => name)
      .sort();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return [];
    throw error;
  }
}
