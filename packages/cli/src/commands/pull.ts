// `vsync pull <env>`: brings a version from the bucket into the vault folder.

import { parseTimestamp } from "@vsync/envelope";
import { CliError } from "../cli-error.ts";
import { readSecretInput } from "../config/secret-input.ts";
import type { Context, Said } from "../context.ts";
import { formatSize } from "../terminal.ts";
import { countChanges, formatChanges } from "../vault/changes.ts";
import { withEnvironment } from "../vault/environment.ts";
import { type PullResult, pullVault, type PullInput as VaultPullInput } from "../vault/pull.ts";

export interface PullInput extends Omit<VaultPullInput, "oldPassphrase"> {
  /** A path, or - for standard input. */
  readonly oldPassphraseFile?: string;
}

export async function pull(context: Context, input: PullInput): Promise<PullResult> {
  const oldPassphrase = await readOldPassphrase(context, input);
  return await withEnvironment(context, input.env, (environment) =>
    pullVault(environment, { ...input, oldPassphrase }, context.flags.dryRun),
  );
}

export function describePull(result: PullResult): Said {
  const { env, updated, generation, timestamp, files, bytes, backup } = result;
  const at = `generation ${generation} (${timestamp})`;
  const count = countChanges(result);
  if (!updated && count === 0) return { notes: [`${env} is at ${at} already`] };
  const what = formatChanges(result);
  if (!updated) return { notes: [`would bring ${env} to ${at}: ${what}`] };
  const notes = [`${env} is at ${at}: ${files} files, ${formatSize(bytes)}`, what];
  if (backup !== null) notes.push(`what was there before is kept, encrypted, in ${backup}`);
  return { notes };
}

async function readOldPassphrase(
  context: Context,
  { version, oldPassphraseFile }: PullInput,
): Promise<string | null> {
  if (version !== undefined && parseTimestamp(version) === null) {
    const message = `--version ${version} is no version: they look like 20260131-235959`;
    throw new CliError("USAGE", message, "vsync versions <env>   lists those there are");
  }
  if (oldPassphraseFile === undefined) return null;
  if (version === undefined) {
    throw new CliError("USAGE", "--old-passphrase-file is for an older version", "add --version <timestamp>");
  }
  return await readSecretInput(context, oldPassphraseFile, "--old-passphrase-file");
}
