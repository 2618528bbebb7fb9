// `vsync restore <env> <version>`: publishes an old version as the newest. History keeps everything in between.

import { type AuditInput, auditIntent } from "../audit/intent.ts";
import { CliError } from "../cli-error.ts";
import type { Context, Said } from "../context.ts";
import { readOldPassphrase } from "../keys/old-passphrase.ts";
import { type Changes, compareVaults, countChanges, countFiles, formatChanges } from "../vault/changes.ts";
import { recordCommit, requireCommitted } from "../vault/commit.ts";
import { type Environment, withEnvironment } from "../vault/environment.ts";
import { findVersion } from "../vault/history.ts";
import { fetchOlderVersion } from "../vault/older-version.ts";
import type { Pending } from "../vault/pending.ts";
import { publish } from "../vault/publish.ts";
import { type CurrentVersion, fetchIfSound } from "../vault/remote.ts";
import { missingManifest, readStanding } from "../vault/standing.ts";

export interface RestoreInput extends AuditInput {
  readonly env: string;
  /** A timestamp, or `previous`: the one before the current version. */
  readonly version: string;
  /** A path, or - for standard input. */
  readonly oldPassphraseFile?: string;
  readonly acceptRollback?: boolean;
}

/** The changes are against the version that was current, or, with --dry-run, is. */
export interface RestoreResult extends Changes {
  readonly env: string;
  readonly restored: string;
  /** False with --dry-run. */
  readonly published: boolean;
  readonly generation: number;
  readonly timestamp: string;
  readonly superseded: boolean;
}

const STEPS = 3;

export async function restore(context: Context, input: RestoreInput): Promise<RestoreResult> {
  const oldPassphrase = await readOldPassphrase(context, input);
  return await withEnvironment(context, input.env, async (environment, { recovered }) => {
    const pending = recovered?.became === "committed" ? recovered.pending : null;
    if (pending?.operation !== "restore")
      return await restoreVersion(environment, input, oldPassphrase, context.flags.dryRun);
    const version = await findVersion(environment.remote, before(pending), input.version);
    // Up to vsync 0.9 only the audit row that is owed says so.
    if (version === (pending.restores ?? pending.audit?.meta.restored))
      return finished(input, pending, version);
    return await restoreVersion(environment, { ...input, version }, oldPassphrase, context.flags.dryRun);
  });
}

export function describeRestore(result: RestoreResult): Said {
  const { env, restored, published, generation, timestamp, superseded } = result;
  const what = countChanges(result) === 0 ? "no file differs" : formatChanges(result);
  if (!published)
    return { notes: [`would publish version ${restored} of ${env} as generation ${generation}: ${what}`] };
  const notes = [
    `published version ${restored} of ${env} again, as generation ${generation} (${timestamp})`,
    what,
  ];
  if (superseded) notes.push("somebody has published on top of it since");
  return { notes: [...notes, `the vault folder is as it was; to bring it there too: vsync pull ${env}`] };
}

/** What was current when the interrupted restore was typed, and still is to whoever types `previous` now. */
function before({
  previousTimestamp,
  generation,
}: Pending): Pick<CurrentVersion, "timestamp" | "generation"> {
  return { timestamp: previousTimestamp, generation: generation - 1 };
}

/** The restore that was asked for had been interrupted, and is done now. */
function finished(
  { env }: RestoreInput,
  { timestamp, generation }: Pending,
  restored: string,
): RestoreResult {
  const changes = { added: [], changed: [], removed: [] };
  return { env, restored, published: true, generation, timestamp, superseded: false, ...changes };
}

async function restoreVersion(
  environment: Environment,
  input: RestoreInput,
  oldPassphrase: string | null,
  dryRun: boolean,
): Promise<RestoreResult> {
  const { env } = input;
  const { remote, local, terminal } = environment;
  const { ledger, current } = await readStanding(environment, input.acceptRollback);
  if (current === null) {
    throw (
      missingManifest(environment, ledger) ??
      new CliError("NOT_CONFIGURED", `${env} has no version to go back from`, `vsync push ${env}`)
    );
  }
  const version = await findVersion(remote, current, input.version);
  const audit = auditIntent(environment, "restore", { ...input, meta: { ...input.meta, restored: version } });
  if (version === current.timestamp) {
    throw new CliError(
      "INPUT",
      `version ${version} is the current one of ${env}`,
      `vsync versions ${env}   lists the others`,
    );
  }
  terminal.step(1, STEPS, `fetching version ${version}`);
  const { files } = await fetchOlderVersion(
    environment,
    version,
    oldPassphrase,
    `vsync restore ${env} ${version}`,
  );
  const changes = compareVaults((await fetchIfSound(remote, current)) ?? new Map(), files);
  const described = { env, restored: version, ...changes };
  const { timestamp, generation } = current;
  if (dryRun)
    return { ...described, published: false, generation: generation + 1, timestamp, superseded: false };
  const outcome = await publish(remote, local, {
    operation: "restore",
    files,
    replaces: current,
    restores: version,
    packed: null,
    audit,
    onStep(step) {
      if (step === "encrypt") terminal.step(2, STEPS, `encrypting ${countFiles(files.size)}`);
      if (step === "swap") terminal.step(3, STEPS, "naming it in the manifest");
    },
  });
  const { superseded } = await requireCommitted(remote, outcome);
  await recordCommit(local.paths, outcome.pending, environment.writeAuditRow);
  const { generation: published, timestamp: named } = outcome.pending;
  return { ...described, published: true, generation: published, timestamp: named, superseded };
}
