// The passphrase of a version or a backup from before a rotation, for commands that take `--old-passphrase-file`.

import { parseTimestamp } from "@vsync/envelope";
import { CliError } from "../cli-error.ts";
import { readSecretInput } from "../config/secret-input.ts";
import type { Context } from "../context.ts";
import { visible } from "../terminal.ts";
import { PREVIOUS } from "../vault/history.ts";

export interface OlderVersionInput {
  /** A timestamp, or `previous`. */
  readonly version?: string;
  /** A path, or - for standard input. */
  readonly oldPassphraseFile?: string;
}

/** Null when none was given. USAGE when `version` has not the form of one. */
export async function readOldPassphrase(
  context: Context,
  { env, version, oldPassphraseFile }: OlderVersionInput & { readonly env: string },
): Promise<string | null> {
  if (version !== undefined && version !== PREVIOUS && parseTimestamp(version) === null) {
    const message = `${visible(version)} is no version: they look like 20260131-235959 (or: ${PREVIOUS})`;
    throw new CliError("USAGE", message, `vsync versions ${env}   lists those there are`);
  }
  if (oldPassphraseFile === undefined) return null;
  if (version === undefined) {
    throw new CliError("USAGE", "--old-passphrase-file is for an older version", "add --version <timestamp>");
  }
  return await readOldPassphraseFile(context, oldPassphraseFile);
}

/** Null when none was given. */
export async function readOldPassphraseFile(
  context: Context,
  file: string | undefined,
): Promise<string | null> {
  return file === undefined ? null : await readSecretInput(context, file, "--old-passphrase-file");
}
