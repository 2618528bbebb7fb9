// Credentials for somebody else than this machine: an application's read-only key, a teammate's own.

import { CliError } from "../cli-error.ts";
import type { Context } from "../context.ts";
import { readSecretKey } from "./secret-input.ts";

export interface OwnCredentialsFlags {
  readonly accessKey?: string;
  readonly secretKeyFile?: string;
}

export interface Credentials {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
}

/** The bucket, opened by these credentials instead of its own, or of its AWS profile. */
export function openedBy<T extends Credentials & { readonly awsProfile?: string }>(
  { awsProfile: _notTheirs, ...s3 }: T,
  credentials: Credentials,
): Omit<T, "awsProfile"> {
  return { ...s3, ...credentials };
}

/** From `--access-key` and `--secret-key-file`, or by asking for the secret; null: those of this machine are meant. */
export async function readOwnCredentials(
  context: Context,
  { accessKey, secretKeyFile }: OwnCredentialsFlags,
): Promise<Credentials | null> {
  if (accessKey === undefined && secretKeyFile === undefined) return null;
  if (accessKey === undefined) {
    throw new CliError("USAGE", "--secret-key-file needs the key's id", "add --access-key <id>");
  }
  if (secretKeyFile !== undefined) {
    const secretAccessKey = await readSecretKey(context, secretKeyFile);
    return { accessKeyId: accessKey, secretAccessKey };
  }
  if (context.terminal.interactive) {
    return {
      accessKeyId: accessKey,
      secretAccessKey: await context.terminal.askSecret(`Secret key of ${accessKey}`),
    };
  }
  throw new CliError(
    "USAGE",
    "--access-key needs the key's secret",
    "add --secret-key-file <path>, or - for standard input",
  );
}
