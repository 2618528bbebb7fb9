// What `init` does about an environment that this machine has already: keep, edit or overwrite.

import { CliError } from "../cli-error.ts";
import type { EnvConfig } from "../config/env-config.ts";
import type { Context } from "../context.ts";

export type Approach = "create" | "keep" | "edit" | "overwrite";

export interface ApproachFlags {
  readonly keep?: boolean;
  readonly edit?: boolean;
  readonly overwrite?: boolean;
  readonly takeOver?: boolean;
  readonly iterations?: number;
}

/** From the flag of that name, or by asking. */
export async function chooseApproach(
  { terminal }: Context,
  flags: ApproachFlags,
  before: EnvConfig | null,
  name: string,
): Promise<Approach> {
  if (before === null) return "create";
  const flagged = (["keep", "edit", "overwrite"] as const).find((approach) => flags[approach]);
  const approach =
    flagged ??
    (terminal.interactive ? await terminal.choose(`${name} exists on this machine`, CHOICES) : null);
  if (approach === null) {
    throw new CliError(
      "INPUT",
      `${name} is set up on this machine already`,
      flags.takeOver
        ? "to replace its config and the vault: the same command with --overwrite --take-over"
        : "say what to do with its config: --keep, --edit or --overwrite",
    );
  }
  if (approach === "keep" || approach === "edit") refuseNewKey(flags, approach);
  return approach;
}

const CHOICES = [
  { value: "keep", label: "Keep its config; look after folder, .gitignore and .vsync" },
  { value: "edit", label: "Edit it: another bucket or other credentials, the same passphrase" },
  { value: "overwrite", label: "Overwrite it: a new passphrase and an empty history" },
] as const;

// The key of what is in the bucket already must not change under it.
function refuseNewKey({ takeOver, iterations }: ApproachFlags, approach: Approach): void {
  const flag = takeOver ? "--take-over" : iterations !== undefined ? "--iterations" : null;
  if (flag === null) return;
  throw new CliError(
    "USAGE",
    `${flag} makes a new key, and --${approach} keeps the old one`,
    `use --overwrite${takeOver ? " --take-over" : ""} instead`,
  );
}
