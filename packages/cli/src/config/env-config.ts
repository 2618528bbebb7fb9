// One environment's config on a writer's machine, gzip(JSON): docs/formats.md section 9.

import { readdirSync } from "node:fs";
import { gunzipSync, gzipSync } from "node:zlib";
import { CliError } from "../cli-error.ts";
import type { Host } from "../host.ts";
import { nearest } from "../nearest.ts";
import { shellWord } from "../shell-word.ts";
import { envConfigPath, repositoryConfigFolder } from "./paths.ts";
import { ensurePrivateDir, readPrivateFile, writePrivateFile } from "./private-file.ts";

export interface EnvConfig {
  readonly version: 1;
  readonly s3: {
    readonly endpoint: string;
    readonly region: string;
    readonly bucket: string;
    readonly accessKeyId: string;
    readonly secretAccessKey: string;
    /** An AWS profile whose credentials are looked up for each run; the two above are empty then. */
    readonly awsProfile?: string;
    /** Written for older tools, never read: the endpoint's scheme decides. */
    readonly useSsl: boolean;
  };
  readonly encryption: { readonly salt: string; readonly iterations: number };
  /** Ends in `/`, or is empty. */
  readonly prefix: string;
  /** Relative to the repository's root, `/`-separated. */
  readonly files: { readonly vaultFolder: string };
  readonly audit: { readonly enabled: boolean };
  readonly singleWriter?: boolean;
  readonly minGen?: number;
  readonly sync?: unknown;
  readonly initProfile?: string;
}

const MAX_JSON = 1024 * 1024;

/** The environment's config, or null when it was never set up here. */
export function loadEnvConfig(host: Host, repo: string, env: string): EnvConfig | null {
  const path = envConfigPath(host, repo, env);
  const bytes = readPrivateFile(path);
  if (bytes === null) return null;
  const config = unpackEnvConfig(bytes);
  if (config !== null) return config;
  throw new CliError(
    "CORRUPT",
    `${path} is not an environment's config (damaged, or of a newer release)`,
    `mv ${shellWord(path)} ${shellWord(`${path}.damaged`)}   then import a share again: vsync share import <file>   or set it up anew: vsync init ${env}`,
  );
}

/** As loadEnvConfig, but an environment that was never set up is an error that says what to run. */
export function requireEnvConfig(host: Host, repo: string, env: string): EnvConfig {
  const config = loadEnvConfig(host, repo, env);
  if (config !== null) return config;
  const known = configuredEnvs(host, repo);
  const meant = nearest(env, known);
  const there = known.length === 0 ? "" : `; there are: ${known.join(", ")}`;
  const setUp = `vsync init ${env}   (or, with a teammate's share: vsync share import <file>${there})`;
  throw new CliError(
    "NOT_CONFIGURED",
    `${repo} has no environment "${env}" on this machine`,
    meant === null ? setUp : `did you mean ${meant}? If not: ${setUp}`,
  );
}

/** The environments of a repository that are set up on this machine, sorted. */
export function configuredEnvs(host: Host, repo: string): readonly string[] {
  try {
    const names = readdirSync(repositoryConfigFolder(host, repo));
    return names.flatMap((name) => /^env_([a-z][a-z0-9_-]{0,31})$/.exec(name)?.[1] ?? []).sort();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return [];
    throw error;
  }
}

export function saveEnvConfig(host: Host, repo: string, env: string, config: EnvConfig): void {
  ensurePrivateDir(repositoryConfigFolder(host, repo));
  writePrivateFile(envConfigPath(host, repo, env), packEnvConfig(config));
}

/** The bytes of a config's file. */
export function packEnvConfig(config: EnvConfig): Uint8Array {
  return gzipSync(JSON.stringify(config));
}

/** Null when they are none. */
export function unpackEnvConfig(bytes: Uint8Array): EnvConfig | null {
  return parseEnvConfig(unpack(bytes));
}

/** Checks a config from a file or a share; null when it is none. Fields that are not known are kept. */
export function parseEnvConfig(value: unknown): EnvConfig | null {
  if (!isRecord(value) || value.version !== 1) return null;
  const { s3, encryption, files, audit, prefix, singleWriter, minGen, initProfile } = value;
  const sound =
    isRecord(s3) &&
    S3_STRINGS.every((name) => typeof s3[name] === "string") &&
    (s3.awsProfile === undefined || isAwsProfile(s3.awsProfile)) &&
    isRecord(encryption) &&
    typeof encryption.salt === "string" &&
    Number.isSafeInteger(encryption.iterations) &&
    isRecord(files) &&
    typeof files.vaultFolder === "string" &&
    isRecord(audit) &&
    typeof audit.enabled === "boolean" &&
    typeof prefix === "string" &&
    (singleWriter === undefined || typeof singleWriter === "boolean") &&
    (minGen === undefined || (Number.isSafeInteger(minGen) && (minGen as number) >= 0)) &&
    (initProfile === undefined || typeof initProfile === "string");
  return sound ? (value as unknown as EnvConfig) : null;
}

/** A name that an AWS profile can have. */
export function isAwsProfile(value: unknown): value is string {
  return typeof value === "string" && /^[\w.@/+][\w.@/+-]{0,127}$/.test(value);
}

const S3_STRINGS = ["endpoint", "region", "bucket", "accessKeyId", "secretAccessKey"] as const;

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function unpack(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(gunzipSync(bytes, { maxOutputLength: MAX_JSON }).toString("utf8"));
  } catch {
    return null;
  }
}
