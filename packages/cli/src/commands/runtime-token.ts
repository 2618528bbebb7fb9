// `vsync runtime-token <env>`: VSYNC_CONFIG for an application, with credentials that have been tried.
// docs/formats.md section 8.

import { lstatSync, readFileSync } from "node:fs";
import { resolve } from "node:path";
import { encodeConfigBlob } from "@vsync/envelope";
import type { Credentials } from "@vsync/store";
import { type AuditInput, auditIntent } from "../audit/intent.ts";
import { CliError } from "../cli-error.ts";
import type { EnvConfig } from "../config/env-config.ts";
import { type OwnCredentialsFlags, openedBy, readOwnCredentials } from "../config/own-credentials.ts";
import { writePrivateFile } from "../config/private-file.ts";
import type { Context, Said } from "../context.ts";
import { warnIfCommittable } from "../identity/committable.ts";
import { findRepository } from "../identity/repository.ts";
import { currentCredentials, openBucket } from "../vault/bucket.ts";
import { type Environment, withEnvironment } from "../vault/environment.ts";
import { knownGeneration, loadLedger } from "../vault/ledger.ts";
import { type CurrentVersion, manifestKey, readCurrentVersion } from "../vault/remote.ts";
import { runtimeConfig } from "../vault/runtime-config.ts";
import { missingManifest, rememberGenuine, trustOf } from "../vault/standing.ts";

export type TokenFormat = "env" | "k8s" | "compose" | "github" | "systemd";

/** The credentials are the application's own; without them the token carries those of this machine. */
export interface RuntimeTokenInput extends AuditInput, OwnCredentialsFlags {
  readonly env: string;
  /** Takes this machine's credentials although they expire. */
  readonly temporary?: boolean;
  /** False: for work offline. */
  readonly validate?: boolean;
  readonly format?: TokenFormat;
  /** A new file, or one that holds an earlier token in the same format. */
  readonly out?: string;
}

interface Minted {
  /** Null: left out, for a vault without a seal. */
  readonly minGen: number | null;
  readonly validated: boolean;
}

export interface ShownToken extends Minted {
  /** The value of VSYNC_CONFIG. */
  readonly config: string;
  /** What goes to stdout. */
  readonly text: string;
}

export interface WrittenToken extends Minted {
  readonly out: string;
  readonly dryRun: boolean;
}

export type RuntimeTokenResult = ShownToken | WrittenToken;

export async function runtimeToken(
  context: Context,
  input: RuntimeTokenInput & { readonly out?: never },
): Promise<ShownToken>;
export async function runtimeToken(context: Context, input: RuntimeTokenInput): Promise<RuntimeTokenResult>;
export async function runtimeToken(context: Context, input: RuntimeTokenInput): Promise<RuntimeTokenResult> {
  const { env, format, out } = input;
  const path = out === undefined ? null : resolve(context.host.cwd, out);
  const { dryRun } = context.flags;
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
    const text = formatToken(config, format, `vsync-${repo}-${env}`);
    if (path !== null) refuseOtherFile(path, text);
    if (validated && !dryRun) await audit(environment, input, current);
    if (out === undefined || path === null) return { config, minGen, validated, text };
    if (!dryRun) {
      writePrivateFile(path, `${text}\n`);
      warnIfCommittable(context, path);
    }
    return { out, minGen, validated, dryRun };
  });
}

export function describeRuntimeToken(result: RuntimeTokenResult): Said {
  if ("text" in result) return { out: result.text };
  if (result.dryRun) return { notes: [`would write VSYNC_CONFIG to ${result.out}`] };
  return {
    notes: [`wrote VSYNC_CONFIG to ${result.out} (mode 0600); keep it away from the passphrase`],
  };
}

const BLOB = /vsync-cfg-v1:[A-Za-z0-9_-]+/;
const MAX_TOKEN_FILE = 65_536;

/** A token takes the place of an older one in the same format. Anything else of that name was not meant. */
function refuseOtherFile(path: string, text: string): void {
  const found = lstatSync(path, { throwIfNoEntry: false });
  if (found === undefined) return;
  const around = (token: string): string => token.trim().replace(BLOB, "");
  const older = found.isFile() && found.size <= MAX_TOKEN_FILE ? readFileSync(path, "utf8") : "";
  if (BLOB.test(older) && around(older) === around(text)) return;
  throw new CliError(
    "INPUT",
    `${path} exists already, and is not a runtime token in this format`,
    "give --out a new name, or remove that file",
  );
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
    const missing = missingManifest(environment, ledger);
    terminal.warn(
      missing === null
        ? `nothing has been pushed yet; an application cannot start before: vsync push ${remote.env}`
        : `${missing.message}; an application cannot start before it is back: ${missing.hint}`,
    );
  } else {
    rememberGenuine(environment, ledger, current);
  }
  return current;
}

/** What the token makes the application insist on: nothing older, and a seal. Null only for a vault without one. */
function lowestGeneration(
  { terminal }: Context,
  environment: Environment,
  current: CurrentVersion | null,
): number | null {
  if (current?.seal) return current.generation;
  const ledger = loadLedger(environment.local.paths);
  if (!ledger.sealed && (current !== null || ledger.synced.length > 0)) {
    terminal.warn(
      "this vault has no seal: applications with this token accept older states of it, and unsealed ones",
    );
    return null;
  }
  return knownGeneration(environment.config, ledger);
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
