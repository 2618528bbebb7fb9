// `vsync run <env> -- command`: the scalars as a command's environment, and nothing of vsync's own.

import { setTimeout as delay } from "node:timers/promises";
import { debuglog } from "node:util";
import { encodeConfigBlob, parseEnv } from "@vsync/envelope";
import { temporaryVariables } from "@vsync/store";
import { CliError } from "../cli-error.ts";
import type { EnvConfig } from "../config/env-config.ts";
import type { Context, Said } from "../context.ts";
import { requirePassphrase } from "../keys/passphrase.ts";
import { type Child, startChild } from "../running/child.ts";
import { visible } from "../terminal.ts";
import { currentCredentials } from "../vault/bucket.ts";
import { knownGeneration, loadLedger } from "../vault/ledger.ts";
import { locateVault } from "../vault/local-vault.ts";
import type { Located } from "../vault/located.ts";
import { runtimeConfig } from "../vault/runtime-config.ts";
import { readScalars } from "../vault/scalars.ts";
import { pathsInForce } from "../vault/setup-journal.ts";

export interface RunInput {
  readonly env: string;
  readonly command: readonly string[];
  /** From the bucket, without touching the disk. */
  readonly remote?: boolean;
  /** Masks values in what the command writes. */
  readonly redact?: boolean;
  /** Restarts the command when a new generation appears; means `remote`. */
  readonly watch?: boolean;
}

/** The command's exit status, 128 + n when a signal ended it. */
export interface RunResult {
  readonly status: number;
}

/** What --dry-run gives instead: nothing was started. */
export interface PlannedRun {
  readonly env: string;
  readonly command: readonly string[];
  /** Of the values that it would have, sorted. */
  readonly names: readonly string[];
  readonly dryRun: true;
}

interface Source {
  readonly scalars: ReadonlyMap<string, string>;
  /** Null: the vault folder, which nothing is watched in. */
  readonly vault: { hasNewVersion(): Promise<boolean>; close(): Promise<void> } | null;
}

const WATCH_EVERY_MS = 30_000;
const PATIENCE_MS = 10_000;
const OURS = /^VSYNC_/i;

export async function run(context: Context, input: RunInput): Promise<RunResult | PlannedRun> {
  const [command, ...args] = input.command;
  if (!command) {
    throw new CliError(
      "USAGE",
      "there is no command to run",
      `vsync run ${input.env} -- <command> [argument...]`,
    );
  }
  refuseSpawnLog(input.env);
  const remote = input.remote === true || input.watch === true;
  const located = await locateVault(context, input.env);
  const open = async (): Promise<Source> =>
    remote ? await openRemote(context, located) : { scalars: readScalars(located).pairs, vault: null };
  let source = await open();
  if (context.flags.dryRun) {
    await source.vault?.close();
    const names = Object.keys(valuesOf(source)).sort();
    return { env: input.env, command: input.command, names, dryRun: true };
  }
  const ours = [...source.scalars.keys()].filter((name) => OURS.test(name)).map(visible);
  if (ours.length > 0)
    context.terminal.warn(
      `${ours.join(", ")} of the vault: not passed on, as nothing that begins with VSYNC_`,
    );
  context.ownSignals();
  for (;;) {
    const { host } = context;
    const env = { ...childEnvironment(host.env, located.config), ...valuesOf(source) };
    const child = startChild([command, ...args], {
      cwd: host.cwd,
      env,
      redact: input.redact ? source.scalars.values() : null,
    });
    const next = input.watch ? await watch(context, child, source, open) : null;
    if (next === null) {
      const { status, notStarted } = await child.ended;
      await source.vault?.close();
      if (notStarted !== null) context.terminal.warn(`${command}: ${explain(notStarted)}`);
      return { status };
    }
    context.terminal.note("a new generation is in the bucket; restarting");
    await child.stop(PATIENCE_MS);
    await source.vault?.close();
    source = next;
  }
}

export function describePlannedRun({ env, command, names }: PlannedRun): Said {
  const values = names.length === 0 ? "no values" : `the values of ${names.map(visible).join(", ")}`;
  return { notes: [`would run ${command.map(visible).join(" ")} with ${values} (${env})`] };
}

// With it Node prints what a child is started with, environment included. It was read when this process began, so that
// taking the variable away now would change nothing.
function refuseSpawnLog(env: string): void {
  if (!debuglog("child_process").enabled) return;
  throw new CliError(
    "INPUT",
    "NODE_DEBUG is set to what has Node print the command's environment on stderr, every value of the vault included",
    `NODE_DEBUG= vsync run ${env} -- env NODE_DEBUG=<what> <command>   gives it to the command alone`,
  );
}

function explain(notStarted: string): string {
  if (notStarted === "ENOENT") return "no such command";
  if (notStarted === "EACCES") return "is no program that this user may run (a folder, or not executable)";
  return `could not be started (${notStarted})`;
}

/** Resolves with the new generation's secrets, or null when the command has ended by itself. */
async function watch(
  context: Context,
  child: Child,
  { vault }: Source,
  open: () => Promise<Source>,
): Promise<Source | null> {
  const over = new AbortController();
  void child.ended.then(() => over.abort());
  let warned = false;
  while (!over.signal.aborted) {
    // Polling is a hint that anybody who can write the bucket can give: so never more often than this.
    await delay(WATCH_EVERY_MS, undefined, { signal: over.signal }).catch(() => undefined);
    if (over.signal.aborted) break;
    try {
      if (await vault?.hasNewVersion()) return await open();
      warned = false;
    } catch (error) {
      if (!warned)
        context.terminal.warn(`still running with what it was started with: ${(error as Error).message}`);
      warned = true;
    }
  }
  return null;
}

async function openRemote(context: Context, located: Located): Promise<Source> {
  const { repository, env, config, paths } = located;
  const { openWith } = await import("@muthuishere/vsync-s3-client");
  const { text: passphrase } = await requirePassphrase(context, repository.name, env);
  const ledger = loadLedger(pathsInForce(paths, config));
  const minGen = knownGeneration(config, ledger);
  const blob = await encodeConfigBlob(
    runtimeConfig(
      env,
      config,
      await currentCredentials(context.host, config.s3),
      ledger.sealed || minGen > 0 ? minGen : null,
    ),
  );
  const vault = await openWith({ config: blob, passphrase });
  for (const file of [`.env.${env}`, ".env"]) {
    const bytes = contentOf(vault, file);
    if (bytes !== null) return { scalars: parseEnv(bytes), vault };
  }
  return { scalars: new Map(), vault };
}

function contentOf(vault: { getAsContent(name: string): Uint8Array }, name: string): Uint8Array | null {
  try {
    return vault.getAsContent(name);
  } catch {
    return null;
  }
}

/** Without vsync's own names: an application that the command starts would take them for its vault. */
function valuesOf({ scalars }: Source): Record<string, string> {
  return Object.fromEntries([...scalars].filter(([name]) => !OURS.test(name)));
}

/** Without vsync's own variables, and without AWS credentials when they are those that open the bucket. */
function childEnvironment(
  env: Context["host"]["env"],
  { s3 }: EnvConfig,
): Record<string, string | undefined> {
  const areTheStores = s3.awsProfile === undefined ? areOf(s3, env) : temporaryVariables(env) !== null;
  const strip = areTheStores ? /^AWS_(ACCESS_KEY_ID|SECRET_ACCESS_KEY|SESSION_TOKEN)$/i : /^$/;
  return Object.fromEntries(Object.entries(env).filter(([name]) => !OURS.test(name) && !strip.test(name)));
}

// A secret that stands without an id is the config's key's, as `init --access-key` takes it.
function areOf(
  s3: EnvConfig["s3"],
  { AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY }: Context["host"]["env"],
): boolean {
  if (!s3.accessKeyId) return false;
  return (
    (AWS_ACCESS_KEY_ID || s3.accessKeyId) === s3.accessKeyId || AWS_SECRET_ACCESS_KEY === s3.secretAccessKey
  );
}
