// Makes sure that the place is the one that was meant, and remembers it: docs/formats.md section 9.

import { CliError } from "../cli-error.ts";
import { configuredEnvs, loadEnvConfig, saveEnvConfig } from "../config/env-config.ts";
import type { Context } from "../context.ts";
import { type Routing, type Sender, savedRouting, withRouting } from "./routing.ts";

/** Asks, once for each place, when another environment of the repository goes there too. */
export async function agreeOnPlace(context: Context, sender: Sender, routing: Routing): Promise<void> {
  const { terminal, flags } = context;
  if (isSaved(sender, routing)) return;
  const problem = conflictAt(context, sender, routing);
  if (problem === null) return;
  if (!terminal.interactive && !flags.yes) {
    throw new CliError("INPUT", problem, "choose another place, or run the same command with --yes");
  }
  terminal.warn(problem);
  if (await terminal.confirm(`Send the values of ${sender.env} there all the same?`)) return;
  throw new CliError("INTERRUPTED", "nothing was sent", "");
}

/** Another environment with the same place, in words; null when there is none. */
export function conflictAt({ host }: Context, sender: Sender, routing: Routing): string | null {
  const { repo, env, platform, target } = sender;
  const here = platform.describe(routing);
  const other = configuredEnvs(host, repo).find((name) => {
    const config = name === env ? null : loadEnvConfig(host, repo, name);
    const saved = config === null ? null : savedRouting(config, platform, target);
    return saved !== null && platform.describe(saved) === here;
  });
  return other === undefined ? null : `${other} goes to ${here} too: each would overwrite the other's values`;
}

/** Saves the routing in the environment's config, and says so. Nobody else may be working on the environment. */
export function rememberPlace({ host, terminal }: Context, sender: Sender, routing: Routing): void {
  const { repo, env, config, platform, target } = sender;
  const before = savedRouting(config, platform, target);
  if (JSON.stringify(before) === JSON.stringify(routing)) return;
  saveEnvConfig(host, repo, env, withRouting(config, target, routing));
  const instead = before === null ? "" : `, no more to ${platform.describe(before)}`;
  terminal.note(`saved: vsync sync ${env} ${target} goes there from now on${instead}`);
}

function isSaved({ config, platform, target }: Sender, routing: Routing): boolean {
  const saved = savedRouting(config, platform, target);
  return saved !== null && platform.describe(saved) === platform.describe(routing);
}
