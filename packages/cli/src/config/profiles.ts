// Named store credentials, for setting up several environments in one bucket: docs/formats.md section 9.

import { readdirSync } from "node:fs";
import { join } from "node:path";
import { CliError } from "../cli-error.ts";
import type { Host } from "../host.ts";
import { didYouMean } from "../nearest.ts";
import { visible } from "../terminal.ts";
import { isAwsProfile } from "./env-config.ts";
import { profilesFolder } from "./paths.ts";
import { ensurePrivateDir, readPrivateFile, removePrivateFile, writePrivateFile } from "./private-file.ts";

export interface Profile {
  readonly version: 1;
  readonly endpoint: string;
  readonly region: string;
  readonly bucket: string;
  readonly prefix?: string;
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  /** An AWS profile; the two above are empty then. */
  readonly awsProfile?: string;
}

/** Names of the stored profiles, in order. */
export function listProfiles(host: Host): readonly string[] {
  let files: readonly string[];
  try {
    files = readdirSync(profilesFolder(host));
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return [];
    throw error;
  }
  return files.flatMap((file) => /^(\w.*)\.json$/.exec(file)?.[1] ?? []).sort();
}

/** The profile, or null when there is none of that name. */
export function loadProfile(host: Host, name: string): Profile | null {
  const path = profilePath(host, name);
  const bytes = readPrivateFile(path);
  if (bytes === null) return null;
  const profile = parseProfile(bytes.toString("utf8"));
  if (profile !== null) return profile;
  throw new CliError(
    "CORRUPT",
    `${path} is not a profile`,
    `remove it and add it again: vsync profile add ${name}`,
  );
}

/** As loadProfile, but one that there is not is an error that says which there are. */
export function requireProfile(host: Host, name: string): Profile {
  const profile = loadProfile(host, name);
  if (profile === null) throw noProfile(host, name);
  return profile;
}

export function noProfile(host: Host, name: string): CliError {
  profilePath(host, name); // of a name that no profile can have, it says that
  const known = listProfiles(host);
  const message = `there is no profile "${visible(name)}"${didYouMean(name, known)}`;
  const there = known.length === 0 ? "" : `there are: ${known.join(", ")}; to make this one: `;
  return new CliError("INPUT", message, `${there}vsync profile add ${name}`);
}

export function saveProfile(host: Host, name: string, profile: Profile): void {
  ensurePrivateDir(profilesFolder(host));
  writePrivateFile(profilePath(host, name), `${JSON.stringify(profile, null, 2)}\n`);
}

export function removeProfile(host: Host, name: string): void {
  removePrivateFile(profilePath(host, name));
}

function profilePath(host: Host, name: string): string {
  if (/^[a-z0-9][a-z0-9_-]{0,63}$/i.test(name)) return join(profilesFolder(host), `${name}.json`);
  throw new CliError(
    "INPUT",
    `"${visible(name)}" cannot name a profile`,
    "use up to 64 letters, digits, _ and -",
  );
}

const REQUIRED = ["endpoint", "region", "bucket", "accessKeyId", "secretAccessKey"] as const;

function parseProfile(text: string): Profile | null {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return null;
  }
  if (typeof value !== "object" || value === null) return null;
  const fields = value as Record<string, unknown>;
  const sound =
    fields.version === 1 &&
    REQUIRED.every((name) => typeof fields[name] === "string") &&
    (fields.prefix === undefined || typeof fields.prefix === "string") &&
    (fields.awsProfile === undefined || isAwsProfile(fields.awsProfile));
  return sound ? (value as Profile) : null;
}
