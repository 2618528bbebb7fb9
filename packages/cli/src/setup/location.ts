// Where an environment's bucket is and what opens it: from flags, a profile, variables, or by asking.

import { locationProblem } from "@vsync/envelope";
import { CliError } from "../cli-error.ts";
import { type EnvConfig, isAwsProfile } from "../config/env-config.ts";
import { requireProfile } from "../config/profiles.ts";
import { readSecretKey } from "../config/secret-input.ts";
import type { Context } from "../context.ts";
import { visible } from "../terminal.ts";

export interface Location {
  readonly endpoint: string;
  readonly region: string;
  readonly bucket: string;
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  /** Stands in for the two above, which are empty then. */
  readonly awsProfile?: string;
  /** The environment's: ends in `/`. */
  readonly prefix: string;
  readonly initProfile?: string;
}

/** What the command line says about it. */
export interface LocationFlags {
  readonly profile?: string;
  readonly endpoint?: string;
  readonly bucket?: string;
  readonly region?: string;
  readonly prefix?: string;
  readonly accessKey?: string;
  readonly secretKeyFile?: string;
  readonly awsProfile?: string;
}

/** Each answer comes from the first that has it: flag, profile, `before` (a config that is edited), variable, question. */
export async function chooseLocation(
  context: Context,
  flags: LocationFlags,
  names: { readonly repo: string; readonly env: string },
  before: Location | null,
): Promise<Location> {
  const profile = flags.profile === undefined ? null : requireProfile(context.host, flags.profile);
  const basePrefix = flags.prefix ?? profile?.prefix;
  const prefix =
    basePrefix === undefined && before !== null
      ? before.prefix
      : environmentPrefix(basePrefix ?? names.repo, names.env);
  const bucket = await chooseBucket(context, { ...flags, prefix }, profile ?? before);
  const initProfile = flags.profile ?? before?.initProfile;
  return { ...bucket, prefix, ...(initProfile !== undefined && { initProfile }) };
}

/** The bucket and what opens it, without a place in it: a flag, then `known`, a variable, a question. */
export async function chooseBucket(
  context: Context,
  flags: Omit<LocationFlags, "profile">,
  known: Omit<Location, "prefix"> | null,
): Promise<Omit<Location, "prefix" | "initProfile">> {
  const awsProfile = chooseAwsProfile(flags, known);
  const given = flags.endpoint ?? known?.endpoint ?? (await profileEndpoint(context, flags, awsProfile));
  const endpoint = (given ?? (await askEndpoint(context))).replace(/(?<=[^/])\/+$/, "");
  const bucket = flags.bucket ?? known?.bucket ?? (await answer(context, "Bucket", "--bucket <name>"));
  checkLocation({ endpoint, bucket, prefix: flags.prefix ?? "" });
  const region = flags.region ?? known?.region ?? (await defaultRegion(context, endpoint, awsProfile));
  if (endpoint.startsWith("file:")) return { endpoint, region, bucket, ...NO_CREDENTIALS };
  const credentials =
    awsProfile === undefined
      ? await chooseCredentials(context, flags, known)
      : { ...NO_CREDENTIALS, awsProfile };
  return { endpoint, region, bucket, ...credentials };
}

/** The location in a config. */
export function locationOf({ s3, prefix, initProfile }: EnvConfig): Location {
  const { endpoint, region, bucket, accessKeyId, secretAccessKey, awsProfile } = s3;
  const credentials = { accessKeyId, secretAccessKey, ...(awsProfile !== undefined && { awsProfile }) };
  return {
    endpoint,
    region,
    bucket,
    ...credentials,
    prefix,
    ...(initProfile !== undefined && { initProfile }),
  };
}

/** Whether what travels to this endpoint can be read on the way. */
export function isPlainHttp(endpoint: string): boolean {
  if (!/^http:/i.test(endpoint)) return false;
  const { hostname } = new URL(endpoint);
  return !/^(localhost|.*\.localhost|127(\.\d+){3}|\[::1\])$/.test(hostname);
}

interface Credentials {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
}

const NO_CREDENTIALS: Credentials = { accessKeyId: "", secretAccessKey: "" };

async function askEndpoint(context: Context): Promise<string> {
  return await answer(
    context,
    "Endpoint (https://..., or file:///folder)",
    "--endpoint <url> or --profile <name>",
    (endpoint) => {
      const problem = locationProblem({ endpoint, bucket: "any", prefix: "" });
      return problem && `the bucket's address ${problem}: ${correction(problem, endpoint)}`;
    },
  );
}

async function answer(
  { terminal }: Context,
  question: string,
  flag: string,
  problem: (text: string) => string | null = () => null,
): Promise<string> {
  if (!terminal.interactive) throw missing(question.replace(/ \(.*/, "").toLowerCase(), flag);
  return await terminal.ask(question, {
    problem: (text) => (text.trim() === "" ? "an answer is needed" : problem(text)),
  });
}

/** One that AWS's own endpoint names, else that of AWS's variables or profile, else what every other server accepts. */
async function defaultRegion(
  context: Context,
  endpoint: string,
  awsProfile: string | undefined,
): Promise<string> {
  if (endpoint.startsWith("file:")) return "";
  const named = /^https:\/\/s3[.-](?:dualstack\.)?([a-z0-9-]+)\.amazonaws\.com/.exec(endpoint)?.[1];
  return named ?? (await awsRegion(context, awsProfile)) ?? "us-east-1";
}

async function awsRegion({ host }: Context, awsProfile: string | undefined): Promise<string | null> {
  const { AWS_REGION, AWS_DEFAULT_REGION } = host.env;
  if (AWS_REGION || AWS_DEFAULT_REGION || awsProfile === undefined) {
    return AWS_REGION || AWS_DEFAULT_REGION || null;
  }
  const { findProfileRegion } = await import("@vsync/store");
  return await findProfileRegion(awsProfile);
}

/** A key on the command line, or in a stored profile that is named there, takes the place of an edited config's. */
function chooseAwsProfile(
  { awsProfile, accessKey, secretKeyFile }: Omit<LocationFlags, "profile">,
  known: Omit<Location, "prefix"> | null,
): string | undefined {
  const ownKey =
    accessKey !== undefined ? "--access-key" : secretKeyFile !== undefined ? "--secret-key-file" : null;
  if (awsProfile === undefined) return ownKey === null ? known?.awsProfile : undefined;
  if (ownKey !== null) {
    throw new CliError(
      "USAGE",
      `${ownKey} is a key of its own, and --aws-profile has others`,
      "leave out one of them",
    );
  }
  if (isAwsProfile(awsProfile)) return awsProfile;
  throw new CliError(
    "INPUT",
    `"${visible(awsProfile)}" cannot name an AWS profile`,
    "aws configure list-profiles",
  );
}

/** Amazon's endpoint in the region that was given, or that the AWS profile names; null when there is no such. */
async function profileEndpoint(
  context: Context,
  { region }: Omit<LocationFlags, "profile">,
  awsProfile: string | undefined,
): Promise<string | null> {
  const named = awsProfile === undefined ? null : (region ?? (await awsRegion(context, awsProfile)));
  return named && `https://s3.${named}.amazonaws.com${named.startsWith("cn-") ? ".cn" : ""}`;
}

async function chooseCredentials(
  context: Context,
  flags: LocationFlags,
  known: Credentials | null,
): Promise<Credentials> {
  const { env } = context.host;
  const accessKeyId =
    flags.accessKey ||
    known?.accessKeyId ||
    env.AWS_ACCESS_KEY_ID ||
    (await answer(context, "Access key id", "--access-key <id> or AWS_ACCESS_KEY_ID"));
  return { accessKeyId, secretAccessKey: await chooseSecret(context, flags, known, accessKeyId) };
}

async function chooseSecret(
  context: Context,
  flags: LocationFlags,
  known: Credentials | null,
  accessKeyId: string,
): Promise<string> {
  const { env } = context.host;
  if (flags.secretKeyFile !== undefined) {
    return await readSecretKey(context, flags.secretKeyFile);
  }
  // A secret belongs to its access key: neither the stored one nor the variable's is taken for another.
  if (known?.secretAccessKey && known.accessKeyId === accessKeyId) return known.secretAccessKey;
  if (env.AWS_SECRET_ACCESS_KEY && (env.AWS_ACCESS_KEY_ID || accessKeyId) === accessKeyId) {
    if (!env.AWS_SESSION_TOKEN) return env.AWS_SECRET_ACCESS_KEY;
    throw new CliError(
      "INPUT",
      "AWS_SESSION_TOKEN is set: these credentials are temporary, and an environment's config outlives them",
      "give a profile, whose credentials are looked up for each run (--aws-profile <name>; default takes these variables too), or a lasting key: --access-key <id> --secret-key-file <path>",
    );
  }
  if (context.terminal.interactive) {
    const secret = await context.terminal.askSecret(`Secret key of ${accessKeyId}`);
    if (secret !== "") return secret;
  }
  throw missing(
    "secret key",
    "--secret-key-file <path>, --secret-key-file - (standard input) or AWS_SECRET_ACCESS_KEY",
  );
}

/** `<base>/<env>/`; an empty base leaves `<env>/`. */
function environmentPrefix(base: string, env: string): string {
  return base === "" || base.endsWith("/") ? `${base}${env}/` : `${base}/${env}/`;
}

function checkLocation(location: Pick<Location, "endpoint" | "bucket" | "prefix">): void {
  const emptyPart = location.prefix.startsWith("/") || location.prefix.includes("//");
  const problem = emptyPart ? "has an empty part in its prefix" : locationProblem(location);
  if (problem === null) return;
  throw new CliError("INPUT", `the bucket's address ${problem}`, correction(problem, location.endpoint));
}

// What to type instead: where only the start of the endpoint is wrong, with the rest of it.
function correction(problem: string, endpoint: string): string {
  if (problem.includes("prefix")) return "parts between single slashes, such as --prefix team/shop";
  if (!problem.includes("endpoint")) return "--bucket <name>";
  if (problem.includes("file endpoint"))
    return '--endpoint "file://$HOME/buckets", or another absolute folder';
  const [, host] = /^([a-z0-9-]+(?:\.[a-z0-9-]+)+(?::\d+)?)\/*$/i.exec(endpoint) ?? [];
  if (host !== undefined) return `--endpoint https://${host}`;
  return 'for instance --endpoint https://s3.eu-central-1.amazonaws.com, or --endpoint "file://$HOME/buckets"';
}

function missing(what: string, ways: string): CliError {
  return new CliError("INPUT", `no ${what} was given, and there is no terminal to ask on`, `give ${ways}`);
}
