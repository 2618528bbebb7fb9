// `vsync rotate-passphrase <env>`: the same secrets under a new passphrase. docs/formats.md section 6, "Rotation".

import { existsSync } from "node:fs";
import { resolve } from "node:path";
import { deriveKeys, generatePassphrase, passphraseProblem, wipe } from "@vsync/envelope";
import { type AuditInput, auditIntent } from "../audit/intent.ts";
import { findPublisher } from "../audit/publisher.ts";
import { auditRowWriter } from "../audit/write-row.ts";
import { CliError, toCliError } from "../cli-error.ts";
import { createPrivateFile, removePrivateFile } from "../config/private-file.ts";
import { readSecretInput } from "../config/secret-input.ts";
import type { Context, Said } from "../context.ts";
import { warnIfCommittable } from "../identity/committable.ts";
import { passphraseFromVariables } from "../keys/passphrase.ts";
import { shellWord } from "../shell-word.ts";
import { type Environment, type Opened, withEnvironment } from "../vault/environment.ts";
import { type Grace, isoSeconds, runningGrace } from "../vault/grace.ts";
import { rekeyKeptBundles } from "../vault/kept-bundles.ts";
import { type CurrentVersion, fetchVersion } from "../vault/remote.ts";
import { graceOf, publishAgain, rotateVault } from "../vault/rotate.ts";
import { type FinishedRotation, keyPlaces, stagedPassphrase } from "../vault/rotation.ts";
import { missingManifest, readStanding } from "../vault/standing.ts";
import { syncedHere } from "../vault/vault-folder.ts";

export interface RotateInput extends AuditInput {
  readonly env: string;
  /** `30m`, `24h`, `7d`: how long applications may still start with the old passphrase. */
  readonly grace?: string;
  /** Ends a grace period before its time; rotates nothing. */
  readonly finish?: boolean;
  /** Rotates although a grace period still runs, and so ends it. */
  readonly force?: boolean;
  /** The new passphrase, a path or - for standard input; generated otherwise. */
  readonly newPassphraseFile?: string;
  /** Where to write the new passphrase: needed where there is no keystore to keep it in. */
  readonly out?: string;
}

export interface RotateResult {
  readonly env: string;
  /** False with --dry-run. */
  readonly published: boolean;
  readonly did: "rotate" | "finish";
  readonly generation: number;
  readonly timestamp: string;
  /** ISO 8601: until then applications may start with the old passphrase; null: they cannot any more. */
  readonly graceUntil: string | null;
  /** Where the new passphrase is; null after --finish. */
  readonly passphraseIn: string | null;
}

const STEPS = 4;
const UNITS = { m: 60_000, h: 3_600_000, d: 86_400_000 } as const;
const LONGEST_GRACE_MS = 90 * UNITS.d;

export async function rotatePassphrase(context: Context, input: RotateInput): Promise<RotateResult> {
  const graceMs = input.grace === undefined ? null : parseDuration(input.grace);
  if (
    input.finish &&
    (graceMs !== null || input.force || input.newPassphraseFile !== undefined || input.out !== undefined)
  ) {
    throw new CliError(
      "USAGE",
      "--finish ends a grace period and rotates nothing",
      "leave out the other flags",
    );
  }
  const { newPassphraseFile } = input;
  const chosen =
    newPassphraseFile === undefined
      ? null
      : await readSecretInput(context, newPassphraseFile, "--new-passphrase-file");
  return await withEnvironment(context, input.env, async (environment, opened) => {
    const standing = await readStanding(environment).catch(async (error: unknown) => {
      const done = await changeOver(context, environment, input, chosen, error);
      if (done === null) throw error;
      return done;
    });
    if ("did" in standing) return standing;
    const { ledger, current } = standing;
    if (current === null) {
      const hint = `vsync push ${input.env}   first; or, if nobody has the passphrase yet: vsync init ${input.env} --overwrite`;
      const message = `nothing of ${input.env} is in the bucket to bring under a new passphrase`;
      throw missingManifest(environment, ledger) ?? new CliError("NOT_CONFIGURED", message, hint);
    }
    if (input.finish) return await finish(context, environment, opened, input, current);
    const running = runningGrace(current, environment.local.now());
    if (opened.finishedRotation !== null && (chosen ?? opened.passphrase.text) === opened.passphrase.text) {
      return describeFinished(opened, opened.finishedRotation, input, running);
    }
    if (running !== null) endGrace(environment, input, running);
    const synced = syncedHere(ledger, null, environment.vaultFolder);
    if (synced?.timestamp !== current.timestamp) await warnOfUnseen(environment, current);
    return await rotate(context, environment, opened, input, current, graceMs, chosen);
  });
}

export function describeRotatePassphrase({
  env,
  published,
  did,
  generation,
  timestamp,
  graceUntil,
  passphraseIn,
}: RotateResult): Said {
  if (!published)
    return {
      notes: [
        `would ${did === "finish" ? "end the grace period of" : "rotate the passphrase of"} ${env} as generation ${generation}`,
      ],
    };
  if (did === "finish")
    return {
      notes: [
        `the grace period of ${env} is over, as generation ${generation} (${timestamp}): the old passphrase opens nothing new`,
      ],
    };
  const race =
    graceUntil === null
      ? "until you have given applications the new passphrase, one that starts fails with WrongPassphraseError; those that run go on"
      : `until ${graceUntil} applications may still start with the old passphrase, and see the secrets of this moment`;
  return {
    notes: [
      `${env} is under a new passphrase as generation ${generation} (${timestamp})`,
      `passphrase    ${passphraseIn}`,
      `meanwhile     ${race}`,
      "next:",
      `  1. applications: vsync passphrase show ${env} --out <file>, set it as VSYNC_PASSPHRASE, restart them (tokens stay valid)`,
      `  2. teammates: vsync share export ${env}, and they: vsync share import <file>`,
      ...(graceUntil === null ? [] : [`  3. when all have it: vsync rotate-passphrase ${env} --finish`]),
      `older versions open only with the passphrase of their time: keep the old one for as long as you want them (--old-passphrase-file)`,
      "after a leak the order matters: take away bucket writes from whoever may have it, rotate without --grace, redeploy, then change the secrets themselves",
    ],
  };
}

/** The rotation that was asked for had been interrupted, and is done now: a second one would cut its grace short. */
function describeFinished(
  { passphrase }: Opened,
  { timestamp, generation }: FinishedRotation,
  { env }: RotateInput,
  running: Grace | null,
): RotateResult {
  return {
    env,
    published: true,
    did: "rotate",
    generation,
    timestamp,
    graceUntil: running?.until ?? null,
    passphraseIn: passphrase.source,
  };
}

/**
 * Where variables stand in for the keystore, a rotation that was cut short has left its passphrase in the file of --out
 * only. The same command finds it there, and what is kept on this machine comes under it. Null: it was none such.
 */
async function changeOver(
  context: Context,
  { remote, local, config, ...environment }: Environment,
  { env, out }: RotateInput,
  chosen: string | null,
  error: unknown,
): Promise<RotateResult | null> {
  if (out === undefined || context.flags.dryRun || toCliError(error).code !== "WRONG_PASSPHRASE") return null;
  const path = resolve(context.host.cwd, out);
  if ((await passphraseFromVariables(context)) === null || !existsSync(path)) return null;
  const next = await readSecretInput(context, path, "--out");
  if (chosen !== null && chosen !== next) return null;
  const { salt, iterations } = config.encryption;
  const keys = await deriveKeys(next, salt, iterations);
  try {
    const under = { remote: { ...remote, keys }, local, config, ...environment };
    const { current } = await readStanding(under).catch(() => ({ current: null }));
    if (current === null) return null;
    await rekeyKeptBundles(local.paths, remote.keys, keys);
    const { timestamp, generation } = current;
    const graceUntil = runningGrace(current, local.now())?.until ?? null;
    return { env, published: true, did: "rotate", generation, timestamp, graceUntil, passphraseIn: out };
  } finally {
    wipe(keys.master, keys.sealKey, keys.chainKey);
  }
}

// The manifest has room for one grace only: whoever was promised this one would be shut out before its time.
function endGrace({ terminal }: Environment, { env, force }: RotateInput, { until }: Grace): void {
  const ends = "applications still on the passphrase before then fail at their next start";
  if (force) {
    terminal.warn(`this ends the grace period of ${env}, which runs until ${until}: ${ends}`);
    return;
  }
  throw new CliError(
    "CONFLICT",
    `a grace period of ${env} runs until ${until}, and another rotation would end it at once: ${ends}`,
    `when all of them have the new one: vsync rotate-passphrase ${env} --finish   and then rotate; after a leak, without waiting: vsync rotate-passphrase ${env} --force`,
  );
}

async function rotate(
  context: Context,
  environment: Environment,
  { located, passphrase: old }: Opened,
  input: RotateInput,
  current: CurrentVersion,
  graceMs: number | null,
  chosen: string | null,
): Promise<RotateResult> {
  const { env } = input;
  const { remote, local, config, terminal } = environment;
  const isStored = (await passphraseFromVariables(context)) === null;
  if (!isStored && input.out === undefined) {
    const message = `${old.source} gives the passphrase of ${env}, so there is no keystore to keep the new one in`;
    throw new CliError("INPUT", message, `vsync rotate-passphrase ${env} --out <file>`);
  }
  const places = await keyPlaces(context, located);
  const earlier = isStored ? await stagedPassphrase(local.paths, places) : null;
  const next = choosePassphrase(context, env, chosen, config.encryption.iterations, old.text, earlier);
  const rotatedAtMs = local.now();
  const untilMs = graceMs === null ? null : rotatedAtMs + graceMs;
  const described = {
    env,
    did: "rotate",
    graceUntil: untilMs === null ? null : isoSeconds(untilMs),
  } as const;
  if (context.flags.dryRun) {
    const { generation, timestamp } = current;
    return { ...described, published: false, generation: generation + 1, timestamp, passphraseIn: null };
  }

  terminal.step(1, STEPS, `fetching version ${current.timestamp}`);
  const { files } = await fetchVersion(remote, current);
  terminal.step(2, STEPS, "deriving the new key");
  const { salt, iterations } = config.encryption;
  const keys = await deriveKeys(next, salt, iterations);
  try {
    const grace = untilMs === null ? undefined : await graceOf(remote, current, untilMs);
    const path = input.out === undefined ? null : resolve(context.host.cwd, input.out);
    if (path !== null) {
      writeOut(path, next);
      warnIfCommittable(context, path);
    }
    const writeAuditRow = auditRowWriter(
      context,
      { ...remote, keys, former: remote.keys },
      local.paths,
      located.repository.root,
    );
    const version = await rotateVault(environment, {
      current,
      files,
      rotation: { rotatedAt: isoSeconds(rotatedAtMs), ...(grace !== undefined && { grace }) },
      audit: auditIntent(environment, "rotate", input),
      old: old.text,
      next: { passphrase: next, keys },
      places: isStored ? places : null,
      writeAuditRow,
      onStep(step) {
        if (step === "swap") sayNaming(environment);
        else terminal.step(4, STEPS, "putting the new passphrase into force");
      },
    }).catch((error: unknown) => {
      const reason = ifOvertaken(error);
      if (reason !== error && path !== null) removePrivateFile(path); // it has not come into force
      throw reason;
    });
    const passphraseIn = [isStored ? places.keystore.description : [], input.out ?? []].flat().join(", ");
    return { ...described, published: true, ...version, passphraseIn };
  } finally {
    wipe(keys.master, keys.sealKey, keys.chainKey);
  }
}

// What somebody with the leaked passphrase has pushed would otherwise come along unnoticed.
async function warnOfUnseen(
  { remote, terminal }: Environment,
  { timestamp, generation }: CurrentVersion,
): Promise<void> {
  const publisher = await findPublisher(remote, timestamp);
  const by = publisher === null ? "the audit log does not say by whom" : `by ${publisher.who}`;
  terminal.warn(
    `the secrets of generation ${generation} (${timestamp}, ${by}) come under the new passphrase, and this vault folder does not have them: vsync diff ${remote.env} --remote`,
  );
}

async function finish(
  context: Context,
  environment: Environment,
  { recovered }: Opened,
  input: RotateInput,
  current: CurrentVersion,
): Promise<RotateResult> {
  const { env } = input;
  const { rotatedAt } = current;
  const described = { env, did: "finish", graceUntil: null, passphraseIn: null } as const;
  if (current.grace === undefined || rotatedAt === undefined) {
    if (recovered?.became === "committed" && recovered.pending.operation === "rotate") {
      const { generation, timestamp } = recovered.pending; // this command's, which had been interrupted
      return { ...described, published: true, generation, timestamp };
    }
    throw new CliError("INPUT", `no grace period of ${env} is under way`, `vsync status --remote`);
  }
  if (context.flags.dryRun) {
    const { generation, timestamp } = current;
    return { ...described, published: false, generation: generation + 1, timestamp };
  }
  const { files } = await fetchVersion(environment.remote, current);
  const audit = auditIntent(environment, "rotate", { ...input, meta: { ...input.meta, finished: "grace" } });
  const version = await publishAgain(environment, {
    operation: "rotate",
    files,
    replaces: current,
    rotation: { rotatedAt },
    audit,
    onStep: (step) => step === "swap" && sayNaming(environment),
  }).catch((error: unknown) => {
    throw ifOvertaken(error);
  });
  return { ...described, published: true, ...version };
}

/** What was thrown, or in its place, where somebody published first, what to do: there are no edits to bring over. */
function ifOvertaken(error: unknown): unknown {
  if (!(error instanceof CliError) || error.code !== "CONFLICT") return error;
  return new CliError("CONFLICT", error.message, "run the same command again", { cause: error });
}

function sayNaming({ terminal }: Environment): void {
  terminal.step(3, STEPS, "naming the new bundle in the manifest");
}

function choosePassphrase(
  { host }: Context,
  env: string,
  chosen: string | null,
  iterations: number,
  inForce: string,
  earlier: string | null,
): string {
  if (chosen === null) return earlier ?? generatePassphrase((size) => host.random(size));
  if (earlier !== null && earlier !== chosen) {
    const message = `an interrupted rotation of ${env} has staged another passphrase, and may still come into force`;
    throw new CliError("CONFLICT", message, `go on with that one: vsync rotate-passphrase ${env}`);
  }
  const problem = passphraseProblem(chosen, { chosen: true, iterations, inForce });
  if (problem === null) return chosen;
  // Of a rotation that another command has finished meanwhile: whoever asks for it again wants no other one.
  const isDone =
    chosen === inForce ? "if it is the one you mean, nothing is left to do; for another one " : "";
  throw new CliError(
    "INPUT",
    `the new passphrase cannot be used: ${problem}`,
    `${isDone}leave out --new-passphrase-file to have one made`,
  );
}

function writeOut(path: string, passphrase: string): void {
  try {
    createPrivateFile(path, passphrase);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
    const hint = `if an interrupted rotation wrote it, go on with it: --new-passphrase-file ${shellWord(path)} --out <another file>`;
    throw new CliError("INPUT", `${path} exists already`, hint, { cause: error });
  }
}

function parseDuration(text: string): number {
  const [, count, unit] = /^(\d{1,5})([mhd])$/.exec(text) ?? [];
  const ms = count === undefined ? 0 : Number(count) * UNITS[unit as keyof typeof UNITS];
  if (ms > 0 && ms <= LONGEST_GRACE_MS) return ms;
  throw new CliError(
    "USAGE",
    "--grace takes a time of up to 90 days",
    "for instance --grace 30m, --grace 24h or --grace 7d",
  );
}
