// What an earlier command left half done in an environment that is about to be set up anew: put aside with the state,
// nothing would finish or undo it any more.

import { existsSync } from "node:fs";
import { CliError, toCliError } from "../cli-error.ts";
import { loadEnvConfig } from "../config/env-config.ts";
import type { Context } from "../context.ts";
import { findRepository } from "../identity/repository.ts";
import { shellWord } from "../shell-word.ts";
import { withEnvironment } from "./environment.ts";
import { locate } from "./located.ts";
import { acquireLock } from "./lock.ts";
import { recoverFolder } from "./recover.ts";
import type { StatePaths } from "./state-paths.ts";

/** Settles it under the config and the passphrase of until now, or throws. */
export async function settleUnfinished(context: Context, env: string): Promise<void> {
  const { host, flags, terminal } = context;
  if (loadEnvConfig(host, findRepository(host, flags.repo).name, env) === null) return;
  const { paths, vaultFolder } = locate(context, env);
  if (journals(paths).length === 0) return;
  const settled = withEnvironment(context, env, async () => undefined);
  const failure = await settled.then(() => null, toCliError);
  if (failure !== null) {
    const lock = acquireLock(paths.lock);
    try {
      recoverFolder(paths, vaultFolder, terminal); // needs neither passphrase nor bucket, which may be what failed
    } finally {
      lock.release();
    }
  }
  requireSettled(paths, env, { failure });
}

/** `where`: where the command that settles it has to be typed. */
export function requireSettled(
  paths: StatePaths,
  env: string,
  { failure = null, where = "" }: { readonly failure?: CliError | null; readonly where?: string },
): void {
  const left = journals(paths);
  if (left.length === 0) return;
  const settling = left.includes(paths.rotation) ? `vsync rotate-passphrase ${env}` : `vsync versions ${env}`;
  const giveUp = left.map((path) => `mv ${shellWord(path)} ${shellWord(`${path}.unfinished`)}`).join(" && ");
  throw new CliError(
    failure?.code ?? "CONFLICT",
    `what an earlier command on ${env} left unfinished has to be settled first${failure === null ? "" : `: ${failure.message}`}`,
    `${where}${settling}   then run the same command again; if the bucket or the passphrase of until now is gone for good, instead: ${giveUp}`,
    { cause: failure ?? undefined },
  );
}

function journals({ swap, pending, rotation }: StatePaths): readonly string[] {
  return [swap, pending, rotation].filter((path) => existsSync(path));
}
