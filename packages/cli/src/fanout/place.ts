// Makes sure that the place and the policy are those that were meant, and remembers the place: docs/formats.md section 9.

import { CliError } from "../cli-error.ts";
import { configuredEnvs, loadEnvConfig, saveEnvConfig } from "../config/env-config.ts";
import type { Context } from "../context.ts";
import { type Routing, type Sender, savedRouting, withRouting } from "./routing.ts";
import type { Policy } from "./selection.ts";

/** Asks before what may well be a mistake is done: INPUT where nobody can be asked. */
export async function agree({ terminal, flags }: Context, doubts: readonly string[]): Promise<void> {
  if (doubts.length === 0) return;
  if (!terminal.interactive && !flags.yes) {
    throw new CliError(
      "INPUT",
      `nothing was sent: ${doubts.join("; ")}`,
      "if that is meant: the same command with --yes",
    );
  }
  for (const doubt of doubts) terminal.warn(doubt);
  if (await terminal.confirm("Send the values all the same?")) return;
  throw new CliError("INTERRUPTED", "nothing was sent", "");
}

/** The policy is not that of the last run: one forgotten flag sends names of files instead of what is in them. */
export function policyDoubt(before: Policy | null, now: Policy): string | null {
  if (before === null || flagsOf(before) === flagsOf(now)) return null;
  return `the last run to this place had ${flagsOf(before) || "no policy flags"}, this one has ${flagsOf(now) || "none"}`;
}

/** Another environment goes to the same place, and that was not agreed to before. */
export function placeDoubt({ host }: Context, sender: Sender, routing: Routing): string | null {
  if (isSaved(sender, routing)) return null;
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

function flagsOf({ inlineFileSuffixes, excludeProperties }: Policy): string {
  return [
    ...inlineFileSuffixes.map((suffix) => `--inline-file-suffix ${suffix}`).sort(),
    ...excludeProperties.map((name) => `--exclude-property ${name}`).sort(),
  ].join(" ");
}
