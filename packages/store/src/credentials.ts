// Which credentials open a bucket: those of its location, or the ones that the environment or an AWS profile has now.

import type { StoreLocation } from "./open-store.ts";

export interface Credentials {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  /** Temporary ones have it. */
  readonly sessionToken?: string;
  readonly expiration?: Date;
}

/** An AWS profile gave no credentials. The message says why, in the SDK's words. */
export class CredentialsError extends Error {
  /** What to do about it. */
  readonly hint: string;

  constructor(message: string, hint: string, options: ErrorOptions) {
    super(message, options);
    this.hint = hint;
  }
}

type Variables = Readonly<Record<string, string | undefined>>;

/**
 * The credentials of a location, now. With an AWS profile the temporary ones in AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY
 * and AWS_SESSION_TOKEN come first, as a CI system or `aws configure export-credentials` hands them over; else what the
 * SDK makes of the profile, which is loaded only then. Rejects with CredentialsError.
 */
export async function resolveCredentials(
  location: Pick<StoreLocation, "accessKeyId" | "secretAccessKey" | "sessionToken" | "awsProfile" | "region">,
  env: Variables,
): Promise<Credentials> {
  const { accessKeyId, secretAccessKey, sessionToken, awsProfile, region } = location;
  if (awsProfile === undefined) {
    return { accessKeyId, secretAccessKey, ...(sessionToken !== undefined && { sessionToken }) };
  }
  const temporary = temporaryVariables(env);
  if (temporary !== null) return temporary;
  const { profileCredentials } = await import("./aws-profile.ts");
  try {
    return await profileCredentials(awsProfile, region);
  } catch (error) {
    throw explain(awsProfile, error);
  }
}

/** The region that an AWS profile names, or null. */
export async function findProfileRegion(profile: string): Promise<string | null> {
  return await (await import("./aws-profile.ts")).profileRegion(profile);
}

/** Null unless all three are set: a lasting key in the environment is another account's as often as not. */
export function temporaryVariables(env: Variables): Credentials | null {
  const { AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN } = env;
  if (!AWS_ACCESS_KEY_ID || !AWS_SECRET_ACCESS_KEY || !AWS_SESSION_TOKEN) return null;
  return {
    accessKeyId: AWS_ACCESS_KEY_ID,
    secretAccessKey: AWS_SECRET_ACCESS_KEY,
    sessionToken: AWS_SESSION_TOKEN,
  };
}

function explain(profile: string, error: unknown): CredentialsError {
  const why = (error instanceof Error ? error.message : String(error)).replace(/[^ -~]+/g, " ").slice(0, 300);
  const message = `the AWS profile ${profile} gives no credentials: ${why}`;
  return new CredentialsError(message, adviceFor(profile, why), { cause: error });
}

function adviceFor(profile: string, why: string): string {
  if (/^Could not resolve credentials using profile/.test(why)) {
    return "see the profiles of this machine (aws configure list-profiles) and name yours: vsync init <env> --edit --aws-profile <name>";
  }
  if (/\bsso\b/i.test(why)) return `aws sso login --profile ${profile}`;
  return `see what the profile gives: aws sts get-caller-identity --profile ${profile}`;
}
