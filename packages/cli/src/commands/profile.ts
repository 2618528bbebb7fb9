// `vsync profile ...`: named store credentials, for setting up several environments in one bucket.

import { CliError, toCliError } from "../cli-error.ts";
import { loadEnvConfig } from "../config/env-config.ts";
import { knownRepositories } from "../config/known-repositories.ts";
import {
  listProfiles,
  loadProfile,
  noProfile,
  type Profile,
  removeProfile,
  requireProfile,
  saveProfile,
} from "../config/profiles.ts";
import type { Context, Said } from "../context.ts";
import type { Host } from "../host.ts";
import { chooseBucket, isPlainHttp, type LocationFlags } from "../setup/location.ts";
import { formatTable, visible } from "../terminal.ts";

export interface ProfileAddInput extends Omit<LocationFlags, "profile"> {
  readonly name: string;
  readonly overwrite?: boolean;
}

export interface ShownProfile extends Omit<Profile, "version" | "secretAccessKey"> {
  readonly name: string;
  /** Null: masked, or there is none to show. */
  readonly secretAccessKey: string | null;
  /** `<repo>/<env>` of the environments that were set up from it. */
  readonly usedBy: readonly string[];
}

export interface ProfileAddResult {
  readonly name: string;
  readonly did: "added" | "replaced" | "nothing (dry run)";
  readonly endpoint: string;
  readonly bucket: string;
}

export async function profileAdd(context: Context, input: ProfileAddInput): Promise<ProfileAddResult> {
  const { host, terminal, flags } = context;
  const { name, overwrite = false, prefix } = input;
  const isThere = listProfiles(host).includes(name) || loadProfile(host, name) !== null;
  if (isThere && !overwrite) {
    throw new CliError(
      "INPUT",
      `there is a profile "${name}" already`,
      `look at it (vsync profile show ${name}), then replace it with --overwrite, or choose another name`,
    );
  }
  const place = prefix === undefined || /^$|\/$/.test(prefix) ? prefix : `${prefix}/`; // as `init` will make it
  const bucket = await chooseBucket(
    context,
    { ...input, ...(place !== undefined && { prefix: place }) },
    null,
  );
  if (isPlainHttp(bucket.endpoint)) {
    terminal.warn(`${bucket.endpoint} is not encrypted: who listens on the way sees which objects you use`);
  }
  const profile = { version: 1, ...bucket, ...(prefix !== undefined && { prefix }) } as const;
  if (!flags.dryRun) saveProfile(host, name, profile);
  const did = flags.dryRun ? "nothing (dry run)" : isThere ? "replaced" : "added";
  return { name, did, endpoint: bucket.endpoint, bucket: bucket.bucket };
}

export function describeProfileAdd({ name, did, endpoint, bucket }: ProfileAddResult): Said {
  const where = `${visible(bucket)} at ${visible(endpoint)}`;
  if (did === "nothing (dry run)") return { notes: [`would keep profile ${name}: ${where}`] };
  return { notes: [`${did} profile ${name}: ${where}`, `next: vsync init <env> --profile ${name}`] };
}

export interface ProfileListResult {
  readonly profiles: readonly (
    | Omit<ShownProfile, "secretAccessKey">
    | { readonly name: string; readonly problem: string }
  )[];
}

export function profileList({ host }: Context): ProfileListResult {
  const users = usersOfProfiles(host);
  const profiles = listProfiles(host).map((name) => {
    try {
      const { secretAccessKey: _secret, ...shown } = showProfile(host, name, users, false);
      return shown;
    } catch (error) {
      return { name, problem: toCliError(error).message };
    }
  });
  return { profiles };
}

export function describeProfileList({ profiles }: ProfileListResult): Said {
  if (profiles.length === 0) return { notes: ["no profiles yet: vsync profile add <name>"] };
  const rows = profiles.map((profile) =>
    "problem" in profile
      ? [profile.name, profile.problem]
      : [
          profile.name,
          profile.endpoint,
          profile.bucket,
          profile.region,
          profile.awsProfile ?? profile.accessKeyId,
          profile.usedBy.join(", ") || "nothing",
        ],
  );
  return {
    out: formatTable(["name", "endpoint", "bucket", "region", "access key", "used by"], padded(rows, 6)),
  };
}

export interface ProfileShowInput {
  readonly name: string;
  /** The secret too, on a terminal and after a question. */
  readonly reveal?: boolean;
}

export async function profileShow(
  { host, terminal }: Context,
  { name, reveal = false }: ProfileShowInput,
): Promise<ShownProfile> {
  const masked = showProfile(host, name, usersOfProfiles(host), false);
  if (!reveal) return masked;
  const without = `without the secret: vsync profile show ${name}`;
  if (!terminal.interactive) {
    throw new CliError(
      "INPUT",
      "a secret key is shown only on a terminal, to somebody who was asked",
      without,
    );
  }
  const question = `Show the secret key of profile ${name} here? Who sees it can use the bucket`;
  if (!(await terminal.confirm(question))) throw new CliError("INPUT", "not shown", without);
  return showProfile(host, name, new Map([[name, masked.usedBy]]), true);
}

export function describeProfileShow(profile: ShownProfile): Said {
  const { name, endpoint, region, bucket, prefix, accessKeyId, secretAccessKey, awsProfile, usedBy } =
    profile;
  const key = [
    ["access key", accessKeyId],
    ["secret key", secretAccessKey ?? (accessKeyId === "" ? "" : "********")],
  ] as const;
  const lines = [
    ["profile", name],
    ["endpoint", endpoint],
    ["region", region],
    ["bucket", bucket],
    ["prefix", prefix ?? "(the repository's name)"],
    ...(awsProfile === undefined ? key : [["AWS profile", awsProfile] as const]),
    ["used by", usedBy.join(", ") || "nothing"],
  ] as const;
  return { out: lines.map(([label, text]) => `${label.padEnd(12)}${visible(text)}`.trimEnd()).join("\n") };
}

export interface ProfileRemoveResult {
  readonly name: string;
  readonly did: "removed" | "nothing (dry run)";
  readonly usedBy: readonly string[];
}

export async function profileRemove(
  { host, terminal, flags }: Context,
  { name }: { readonly name: string },
): Promise<ProfileRemoveResult> {
  // One that is damaged can be removed too, so it is not opened.
  if (!listProfiles(host).includes(name)) throw noProfile(host, name);
  const usedBy = usersOfProfiles(host).get(name) ?? [];
  if (usedBy.length > 0) {
    terminal.warn(
      `${usedBy.join(", ")} came from profile ${name}; they go on working, with the credentials in their own config`,
    );
    if (!flags.dryRun && terminal.interactive && !(await terminal.confirm(`Remove profile ${name}?`))) {
      throw new CliError("INPUT", "not removed", `vsync profile show ${name}`);
    }
  }
  if (!flags.dryRun) removeProfile(host, name);
  return { name, did: flags.dryRun ? "nothing (dry run)" : "removed", usedBy };
}

export function describeProfileRemove({ name, did }: ProfileRemoveResult): Said {
  return { notes: [did === "removed" ? `removed profile ${name}` : `would remove profile ${name}`] };
}

function showProfile(
  host: Host,
  name: string,
  users: ReadonlyMap<string, readonly string[]>,
  reveal: boolean,
): ShownProfile {
  const profile = requireProfile(host, name);
  const { version: _version, secretAccessKey, ...fields } = profile;
  return { name, ...fields, secretAccessKey: reveal ? secretAccessKey : null, usedBy: users.get(name) ?? [] };
}

/** By profile: the environments that were set up from it. A config that cannot be read says nothing. */
function usersOfProfiles(host: Host): ReadonlyMap<string, readonly string[]> {
  const users = new Map<string, string[]>();
  for (const { repo, envs } of knownRepositories(host)) {
    for (const env of envs) {
      const profile = profileOf(host, repo, env);
      if (profile !== undefined) users.set(profile, [...(users.get(profile) ?? []), `${repo}/${env}`]);
    }
  }
  return users;
}

function profileOf(host: Host, repo: string, env: string): string | undefined {
  try {
    return loadEnvConfig(host, repo, env)?.initProfile;
  } catch {
    return undefined; // `vsync status` says what is wrong with it
  }
}

function padded(rows: readonly (readonly string[])[], columns: number): string[][] {
  return rows.map((row) => Array.from({ length: columns }, (_, column) => row[column] ?? ""));
}
