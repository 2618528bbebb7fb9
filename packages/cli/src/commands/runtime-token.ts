// `vsync runtime-token <env>`: VSYNC_CONFIG for an application, with credentials that have been tried.
// docs/formats.md section 8.

import { encodeConfigBlob } from "@vsync/envelope";
import type { Credentials } from "@vsync/store";
import { type AuditInput, auditIntent } from "../audit/intent.ts";
import { CliError } from "../cli-error.ts";
import type { EnvConfig } from "../config/env-config.ts";
import { type OwnCredentialsFlags, openedBy, readOwnCredentials } from "../config/own-credentials.ts";
import type { Context, Said } from "../context.ts";
import { findRepository } from "../identity/repository.ts";
import { currentCredentials, openBucket } from "../vault/bucket.ts";
import { type Environment, withEnvironment } from "../vault/environment.ts";
import { loadLedger } from "../vault/ledger.ts";
import { type CurrentVersion, manifestKey, readCurrentVersion } from "../vault/remote.ts";
import { runtimeConfig } from "../vault/runtime-config.ts";
import { rememberGenuine, trustOf } from "../vault/standing.ts";

export type TokenFormat = "env" | "k8s" | "compose" | "github" | "systemd";

/** The credentials are the application's own; without them the token carries those of this machine. */
export interface RuntimeTokenInput extends AuditInput, OwnCredentialsFlags {
  readonly env: string;
  /** Takes this machine's credentials although they expire. */
  readonly temporary?: boolean;
  /** False: for work offline. */
  readonly validate?: boolean;
  readonly format?: TokenFormat;
}

export interface RuntimeTokenResult {
  /** The value of VSYNC_CONFIG. */
  readonly config: string;
  /** Null: left out, for a vault without a seal. */
  readonly minGen: number | null;
  readonly validated: boolean;
  /** What goes to stdout. */
  readonly text: string;
}

export async function runtimeToken(context: Context, input: RuntimeTokenInput): Promise<RuntimeTokenResult> {
  const { env, format } = input;
  const own = await readOwnCredentials(context, input);
  const { name: repo } = findRepository(context.host, context.flags.repo);
  return await withEnvironment(context, env, async (environment) => {
    const { s3, prefix } = environment.config;
    const credentials = own ?? (await ownCredentials(context, env, s3, input.temporary === true));
    const validated = input.validate !== false;
    if (validated) await tryCredentials(context, env, openedBy(s3, credentials), prefix);
    const current = validated ? await currentVersion(context, environment) : null;
    const minGen = lowestGeneration(context, environment, current);
    const config = await encodeConfigBlob(runtimeConfig(env, environment.config, credentials, minGen));
    if (validated && !context.flags.dryRun) await audit(environment, input, current);
    return { config, minGen, validated, text: formatToken(config, format, `vsync-${repo}-${env}`) };
  });
}

export function describeRuntimeToken({ text }: RuntimeTokenResult): Said {
  return { out: text };
}

/** Those of this machine. Temporary ones only when that is meant: an application that starts again later would not. */
async function ownCredentials(
  { host, terminal }: Context,
  env: string,
  s3: EnvConfig["s3"],
  temporary: boolean,
): Promise<Credentials> {
  const credentials = await currentCredentials(host, s3);
  const { sessionToken, expiration } = credentials;
  if (sessionToken === undefined) return credentials;
  const expiry = `expire${expiration === undefined ? "" : ` at ${expiration.toISOString()}`}`;
  if (!temporary) {
    throw new CliError(
      "INPUT",
      `the credentials of AWS profile ${s3.awsProfile} are temporary: they ${expiry}, and a token that holds them with them`,
      `vsync runtime-token ${env} --access-key <id> --secret-key-file <path>   (or, for a job of minutes: --temporary)`,
    );
  }
  terminal.warn(`the token holds temporary credentials: they ${expiry}, and it with them`);
  return credentials;
}

async function tryCredentials(
  { host }: Context,
  env: string,
  s3: EnvConfig["s3"] & Credentials,
  prefix: string,
): Promise<void> {
  const store = await openBucket(host, env, s3);
  try {
    await store.head(manifestKey(prefix));
  } finally {
    await store.close();
  }
}

async function currentVersion(
  { terminal, host }: Context,
  environment: Environment,
): Promise<CurrentVersion | null> {
  const { remote, local } = environment;
  const ledger = loadLedger(local.paths);
  const current = await readCurrentVersion(remote, trustOf(environment, ledger), host.now());
  if (current === null) {
    terminal.warn(
      `nothing has been pushed yet; an application cannot start before: vsync push ${remote.env}`,
    );
  } else {
    rememberGenuine(environment, ledger, current);
  }
  return current;
}

/** What the token makes the application insist on: nothing older, and a seal. Null only for a vault without one. */
function lowestGeneration(
  { terminal }: Context,
  { config, local }: Environment,
  current: CurrentVersion | null,
): number | null {
  if (current?.seal) return current.generation;
  const { sealed, highest, synced } = loadLedger(local.paths);
  if (!sealed && (current !== null || synced.length > 0)) {
    terminal.warn(
      "this vault has no seal: applications with this token accept older states of it, and unsealed ones",
    );
    return null;
  }
  return Math.max(highest?.generation ?? 0, config.minGen ?? 0);
}

async function audit(
  environment: Environment,
  input: RuntimeTokenInput,
  current: CurrentVersion | null,
): Promise<void> {
  const intent = auditIntent(environment, "runtime-token", input);
  if (intent === null) return;
  const { timestamp, generation } = current ?? { timestamp: "", generation: 0 };
  await environment.writeAuditRow(intent, { timestamp, generation }, false);
}

/** A blob holds letters, digits, `:`, `-` and `_` only: nothing below needs escaping. */
function formatToken(config: string, format: TokenFormat | undefined, name: string): string {
  switch (format) {
    case undefined:
      return config;
    case "env": // docker --env-file, dotenv, EnvironmentFile=
    case "github": // gh secret set --env-file -, and $GITHUB_ENV
      return `VSYNC_CONFIG=${config}`;
    case "k8s":
      return [
        "apiVersion: v1",
        "kind: Secret",
        "metadata:",
        `  name: ${name.replace(/[^a-z0-9]+/g, "-").replace(/-$/, "")}`,
        "type: Opaque",
        "stringData:",
        `  VSYNC_CONFIG: "${config}"`,
      ].join("\n");
    case "compose":
      return ["services:", "  app:", "    environment:", `      VSYNC_CONFIG: "${config}"`].join("\n");
    case "systemd":
      return ["[Service]", `Environment="VSYNC_CONFIG=${config}"`].join("\n");
  }
}
