// Which config an environment gets that comes from another machine, and the bucket's word on it: that it is the latest, and
// whose credentials open it.

import { judgeManifest, type VaultKeys, wipe } from "@vsync/envelope";
import type { StoredObject } from "@vsync/store";
import { CliError, toCliError } from "../cli-error.ts";
import type { EnvConfig } from "../config/env-config.ts";
import type { Context } from "../context.ts";
import { visible } from "../terminal.ts";
import { openBucket } from "../vault/bucket.ts";
import { getManifest } from "../vault/remote.ts";
import { keysOf, type Sender } from "./received-vault.ts";

/** This machine's own config of the same vault, with what only the received one has. */
function bringUpToDate(mine: EnvConfig, theirs: EnvConfig): EnvConfig {
  const known = [mine.minGen, theirs.minGen].filter((minGen) => minGen !== undefined);
  const kept = { ...theirs, ...mine };
  return known.length === 0 ? kept : { ...kept, minGen: Math.max(...known) };
}

/** What this machine has. */
export interface Known {
  /** Of the same vault. */
  readonly config: EnvConfig | null;
  /** Of that vault or, where the config is lost, of whichever; null: none, or one that the user gives up. */
  readonly key: string | null;
}

/**
 * The config to install: what was received or, where this machine has one of the same vault, that one brought up to date.
 * Its own access to the bucket gives way only where the bucket denies it and admits the received one.
 *
 * An old share must not replace a newer key, nor one with a wrong key for the bucket a right one: where it would replace
 * either, the bucket has to say that it is good. Otherwise a bucket that cannot be asked is no reason not to import.
 */
export async function chooseConfig(
  context: Context,
  env: string,
  received: EnvConfig,
  key: string,
  sender: Sender,
  known: Known,
): Promise<EnvConfig> {
  const { host, terminal } = context;
  const own = known.config === null ? received : bringUpToDate(known.config, received);
  const [keys, { config, manifest }] = await Promise.all([
    keysOf(received, key),
    readManifest(host, env, own, received),
  ]);
  const takesAccess = config !== own;
  try {
    const replaces = takesAccess || (known.key !== null && known.key !== key);
    const again = `the same command again${known.config === null ? " (or now, with --overwrite)" : ""}`;
    const wayOut = `put that right, then run ${again}; or ask for a new one: ${sender.anew(env)}`;
    await requireInForce(context, env, received, keys, manifest, sender, replaces ? wayOut : null);
  } finally {
    wipe(keys.master, keys.sealKey, keys.chainKey);
  }
  if (takesAccess) {
    terminal.warn(
      `the bucket of ${env} denies this machine's own credentials (${accessOf(own)}): those of the ${sender.name} replace them (${accessOf(config)})`,
    );
  } else if (!sameAccess(own, received)) {
    terminal.note(
      `this machine's own credentials for the bucket of ${env} stay; once the bucket denies them, the same command takes those of the ${sender.name}`,
    );
  }
  return config;
}

/** As `own` says or, where that is denied, with the access that was received. */
async function readManifest(
  host: Context["host"],
  env: string,
  own: EnvConfig,
  received: EnvConfig,
): Promise<{ readonly config: EnvConfig; readonly manifest: StoredObject | CliError | null }> {
  const manifest = await askManifest(host, env, own);
  // A profile whose session has expired is denied too, and a login mends that.
  const mayGiveWay = own.s3.awsProfile === undefined && !sameAccess(own, received);
  if (!mayGiveWay || !(manifest instanceof CliError && manifest.code === "ACCESS_DENIED"))
    return { config: own, manifest };
  const config = { ...own, s3: received.s3 };
  const admitted = await askManifest(host, env, config);
  return admitted instanceof CliError ? { config: own, manifest } : { config, manifest: admitted };
}

async function askManifest(
  host: Context["host"],
  env: string,
  { s3, prefix }: EnvConfig,
): Promise<StoredObject | CliError | null> {
  const store = await openBucket(host, env, s3);
  try {
    return await getManifest({ store, prefix });
  } catch (error) {
    return toCliError(error);
  } finally {
    await store.close();
  }
}

/** `wayOut`: what to do where the bucket does not tell; null: then nothing is lost, and a warning will do. */
async function requireInForce(
  { host, terminal }: Context,
  env: string,
  config: EnvConfig,
  keys: VaultKeys,
  manifest: StoredObject | CliError | null,
  { name, anew }: Sender,
  wayOut: string | null,
): Promise<void> {
  const unseen = (error: CliError): void => {
    const message = `whether the ${name} is the latest of ${env} could not be seen: ${error.message}`;
    if (wayOut === null) {
      terminal.warn(message);
      return;
    }
    throw new CliError(error.code, `${message}; what this machine has of ${env} stays as it is`, wayOut, {
      cause: error,
    });
  };
  if (manifest instanceof CliError) return unseen(manifest);
  if (manifest === null) {
    if (wayOut !== null) unseen(new CliError("NOT_CONFIGURED", "nothing is published there", ""));
    return;
  }
  const verdict = await judgeManifest(keys, config.prefix, manifest, host.now());
  if (verdict.kind === "verified")
    return refuseOlder(env, config, verdict.manifest.generation, { name, anew });
  if (verdict.kind === "unsealed") {
    if (wayOut !== null) unseen(new CliError("CORRUPT", "its manifest has no seal", ""));
    return;
  }
  throw new CliError(
    "WRONG_PASSPHRASE",
    `the ${name} is from before the last rotation of ${env}'s passphrase, or not of this vault`,
    `ask for a new one: ${anew(env)}`,
  );
}

function sameAccess({ s3: a }: EnvConfig, { s3: b }: EnvConfig): boolean {
  return (
    a.accessKeyId === b.accessKeyId &&
    a.secretAccessKey === b.secretAccessKey &&
    a.awsProfile === b.awsProfile &&
    a.region === b.region
  );
}

function accessOf({ s3: { accessKeyId, awsProfile } }: EnvConfig): string {
  return awsProfile === undefined ? `key ${visible(accessKeyId)}` : `AWS profile ${visible(awsProfile)}`;
}

// Whoever made it had seen that generation: then the bucket was rolled back since, or it is made up and would lock us out.
function refuseOlder(
  env: string,
  { minGen = 0 }: EnvConfig,
  generation: number,
  { name, anew }: Sender,
): void {
  if (minGen <= generation) return;
  throw new CliError(
    "ROLLBACK",
    `the ${name} was made at generation ${minGen} of ${env}, but the bucket is at generation ${generation}`,
    `ask who made it what the bucket should hold; then for a new one: ${anew(env)}`,
  );
}
