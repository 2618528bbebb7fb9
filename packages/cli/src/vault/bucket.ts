// An environment's bucket, with errors that say what to run; and the credentials that open it, for those who need them
// themselves.

import {
  type Credentials,
  CredentialsError,
  type ObjectStore,
  openStore,
  resolveCredentials,
} from "@vsync/store";
import { CliError } from "../cli-error.ts";
import type { EnvConfig } from "../config/env-config.ts";
import type { Host } from "../host.ts";

type Bucket = EnvConfig["s3"];

export async function openBucket({ env }: Pick<Host, "env">, name: string, s3: Bucket): Promise<ObjectStore> {
  const explainRegion = (theirs: string): string =>
    `the bucket is in ${theirs}: vsync init ${name} --edit ${regionFlags(s3, theirs)}`;
  return await openStore(s3, { env, explainRegion });
}

/** The flags of `init` that put the region right: with the endpoint, where that is a region's own. */
export function regionFlags(
  { endpoint, region }: Pick<Bucket, "endpoint" | "region">,
  theirs: string,
): string {
  const aws = /^(https?:\/\/s3)[.-](?:(?:dualstack\.)?[a-z0-9-]+\.)?(amazonaws\.com(?:\.cn)?)$/.exec(
    endpoint,
  );
  // Others have a region as one part of the host's name, or none.
  const elsewhere = endpoint.replace(`.${region}.`, `.${theirs}.`).replace(`//${region}.`, `//${theirs}.`);
  const named = aws === null ? elsewhere : `${aws[1]}.${theirs}.${aws[2]}`;
  return `--region ${theirs}${named === endpoint ? "" : ` --endpoint ${named}`}`;
}

/** What opens the bucket now. ACCESS_DENIED when an AWS profile gives nothing. */
export async function currentCredentials({ env }: Pick<Host, "env">, s3: Bucket): Promise<Credentials> {
  try {
    return await resolveCredentials(s3, env);
  } catch (error) {
    if (!(error instanceof CredentialsError)) throw error;
    throw new CliError("ACCESS_DENIED", error.message, error.hint, { cause: error });
  }
}
