// `vsync doctor [env]`: tries out everything that vsync stands on, and says how to mend what does not hold.

import { CliError } from "../cli-error.ts";
import { configuredEnvs, type EnvConfig, loadEnvConfig, requireEnvConfig } from "../config/env-config.ts";
import type { Context, Said } from "../context.ts";
import { checkBucket } from "../doctor/bucket.ts";
import { type Check, failed, ok } from "../doctor/check.ts";
import { iamPolicies, type Policies } from "../doctor/iam.ts";
import { checkKeystore } from "../doctor/keychain.ts";
import { checkNetwork, checkNodeOptions, checkPermissions, checkVersions } from "../doctor/machine.ts";
import { checkGit, checkIdentity, checkIgnored } from "../doctor/repository.ts";
import { exitStatus } from "../exit-codes.ts";
import { checkEnvName, findRepository, type Repository } from "../identity/repository.ts";
import { requirePassphrase } from "../keys/passphrase.ts";
import { visible } from "../terminal.ts";

export interface DoctorInput {
  /** All of the repository's otherwise. */
  readonly env?: string;
  /** Prints policies for the bucket, and tries nothing out. */
  readonly iam?: boolean;
}

export interface DoctorResult {
  readonly checks: readonly Check[];
  readonly iam: Policies | null;
  /** The process ends with it: that of the first failure, 0 when nothing failed. */
  readonly status: number;
}

export async function doctor(context: Context, { env, iam = false }: DoctorInput): Promise<DoctorResult> {
  const { host, flags } = context;
  if (env !== undefined) checkEnvName(env);
  if (iam) return { checks: [], iam: iamPolicies(onlyConfig(context, env)), status: 0 };
  const checks: Check[] = [
    checkVersions(host),
    checkNodeOptions(host, process.execArgv),
    ...checkNetwork(host),
    checkPermissions(host),
    await checkKeystore(context),
    checkGit(host),
  ];
  try {
    const repository = findRepository(host, flags.repo);
    checks.push(...checkIdentity(host, repository));
    for (const name of envsToCheck(context, repository, env)) {
      checks.push(...(await checkEnvironment(context, repository, name)));
    }
  } catch (error) {
    checks.push(failed("repository", error));
  }
  const code = checks.find((check) => check.level === "fail")?.code ?? null;
  return { checks, iam: null, status: code === null ? 0 : exitStatus(code) };
}

/** `quiet`: without what is well. */
export function describeDoctor({ checks, iam }: DoctorResult, quiet = false): Said {
  if (iam !== null) {
    const notes = [
      "writer: for those who push; reader: for applications (vsync runtime-token <env> --access-key <id>)",
      "a key that may not list gets 403 from S3 for an object that is not there",
    ];
    return { out: JSON.stringify(iam, null, 2), notes };
  }
  const told = quiet ? checks.filter(({ level }) => level !== "ok") : checks;
  const width = Math.max(...told.map(({ name }) => name.length));
  const lines = told.flatMap(({ name, level, says, fix }) => [
    `${level.padEnd(4)}  ${name.padEnd(width)}  ${visible(says)}`,
    ...(fix === "" ? [] : [`${" ".repeat(width + 8)}${visible(fix)}`]),
  ]);
  const count = (level: Check["level"]) => checks.filter((check) => check.level === level).length;
  return {
    ...(lines.length > 0 && { out: lines.join("\n") }),
    notes: [`${count("ok")} ok, ${count("warn")} to know, ${count("fail")} to mend`],
  };
}

async function checkEnvironment(context: Context, repository: Repository, env: string): Promise<Check[]> {
  let config: EnvConfig;
  try {
    config = requireEnvConfig(context.host, repository.name, env);
  } catch (error) {
    return [failed(`${env}: config`, error)];
  }
  const { name: repo } = repository;
  const { key, passphrase } = await checkKey(context, repo, env);
  return [
    checkIgnored(context.host, repository, env, config),
    key,
    ...(await checkBucket(context, { repo, env, config, passphrase })),
  ];
}

async function checkKey(
  context: Context,
  repo: string,
  env: string,
): Promise<{ readonly key: Check; readonly passphrase: string | null }> {
  const name = `${env}: key`;
  try {
    const { source, text } = await requirePassphrase(context, repo, env);
    return { key: ok(name, `from ${source}`), passphrase: text };
  } catch (error) {
    return { key: failed(name, error), passphrase: null };
  }
}

function envsToCheck({ host }: Context, { name }: Repository, env: string | undefined): readonly string[] {
  return env === undefined ? configuredEnvs(host, name) : [env];
}

function onlyConfig(context: Context, env: string | undefined): EnvConfig {
  const { host, flags } = context;
  const { name } = findRepository(host, flags.repo);
  const envs = configuredEnvs(host, name);
  const [first] = envs;
  if (env !== undefined) return requireEnvConfig(host, name, env);
  const config = envs.length === 1 && first !== undefined ? loadEnvConfig(host, name, first) : null;
  if (config !== null) return config;
  throw new CliError(
    "USAGE",
    "each environment has a policy of its own",
    `vsync doctor <env> --iam   (there are: ${envs.join(", ") || "none yet"})`,
  );
}
