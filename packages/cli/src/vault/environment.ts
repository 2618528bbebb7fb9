// One environment opened for work: locked, its key derived, its bucket reached, and whatever an earlier command left
// unfinished settled first.

import { existsSync } from "node:fs";
import { deriveKeys, parseTimestamp, toHex, wipe } from "@vsync/envelope";
import { auditRowWriter, type WriteAuditRow } from "../audit/write-row.ts";
import { CliError } from "../cli-error.ts";
import type { EnvConfig } from "../config/env-config.ts";
import { ensurePrivateDir } from "../config/private-file.ts";
import type { Context } from "../context.ts";
import { type Passphrase, requirePassphrase } from "../keys/passphrase.ts";
import type { Terminal } from "../terminal.ts";
import { openBucket } from "./bucket.ts";
import { isSameFolder, type Ledger, loadLedger, type Synced, saveLedger, withGenuine } from "./ledger.ts";
import { type Located, locate } from "./located.ts";
import { acquireLock } from "./lock.ts";
import type { AuditIntent } from "./pending.ts";
import type { Local } from "./publish.ts";
import { type RecoveredPublish, recoverEarlierWork } from "./recover.ts";
import { type CurrentVersion, type Remote, readCurrentVersion, type Trust } from "./remote.ts";
import { type FinishedRotation, settleRotation } from "./rotation.ts";
import type { Listing } from "./vault-folder.ts";

export interface Environment {
  readonly config: EnvConfig;
  /** Absolute. */
  readonly vaultFolder: string;
  readonly remote: Remote;
  readonly local: Local;
  readonly terminal: Pick<Terminal, "step" | "note" | "warn">;
  readonly writeAuditRow: WriteAuditRow;
}

/** What an environment was opened from. */
export interface Opened {
  readonly located: Located;
  readonly passphrase: Passphrase;
  /** What an earlier process had begun and this one has just finished: who asks for it again has it. */
  readonly finishedRotation: FinishedRotation | null;
  readonly recovered: RecoveredPublish | null;
}

/** What audited commands take from the command line. */
export interface AuditInput {
  readonly audit?: boolean;
  readonly note?: string;
  readonly meta?: Readonly<Record<string, string>>;
}

/** Runs `work` on the environment while no other vsync on this machine does. */
export async function withEnvironment<T>(
  context: Context,
  env: string,
  work: (environment: Environment, opened: Opened) => Promise<T>,
): Promise<T> {
  const { host, terminal } = context;
  const located = locate(context, env);
  const { repository, config, vaultFolder, stateFolder, paths } = located;
  const stored = await requirePassphrase(context, repository.name, env);
  ensurePrivateDir(stateFolder);
  const lock = acquireLock(paths.lock);
  try {
    const settled = existsSync(paths.rotation) ? await settleRotation(context, located, stored) : null;
    const passphrase = settled?.passphrase ?? stored;
    const { salt, iterations } = config.encryption;
    const [keys, store] = await Promise.all([
      deriveKeys(passphrase.text, salt, iterations),
      openBucket(host, env, config.s3),
    ]);
    try {
      const singleWriter = config.singleWriter === true;
      const remote: Remote = { store, keys, prefix: config.prefix, env, singleWriter };
      const local: Local = { paths, now: () => host.now(), random: (size) => host.random(size) };
      const writeAuditRow = auditRowWriter(context, remote, paths, repository.root);
      const environment = { config, vaultFolder, remote, local, terminal, writeAuditRow };
      const recovered = await recoverEarlierWork(environment);
      const finishedRotation = settled?.finished ?? null;
      return await work(environment, { located, passphrase, finishedRotation, recovered });
    } finally {
      wipe(keys.master, keys.sealKey, keys.chainKey);
      await store.close();
    }
  } finally {
    lock.release();
  }
}

/** The bucket's current version, judged by all that this machine knows and remembered by it; null: there is none. */
export async function readStanding(
  environment: Environment,
  acceptRollback = false,
): Promise<{ readonly ledger: Ledger; readonly current: CurrentVersion | null }> {
  const { remote, local } = environment;
  const ledger = loadLedger(local.paths);
  const current = await readCurrentVersion(remote, trustOf(environment, ledger, acceptRollback), local.now());
  if (current === null) return { ledger, current };
  const aheadMs = (parseTimestamp(current.timestamp) as number) - local.now();
  if (aheadMs > FAR_AHEAD_MS) {
    environment.terminal.warn(
      `version ${current.timestamp} is dated ahead of this machine's clock: one of the two clocks is wrong (the generation is what counts)`,
    );
  }
  return { ledger: rememberGenuine(environment, ledger, current, acceptRollback), current };
}

/** What the manifest is held against, from all that this machine knows. */
export function trustOf(
  { config }: Pick<Environment, "config">,
  ledger: Ledger,
  acceptRollback = false,
): Trust {
  return {
    sealRequired: ledger.sealed || config.minGen !== undefined,
    highest: ledger.highest,
    // A person who accepted an older state has accepted it against the config as it was then, too.
    minGen: (config.minGen ?? 0) > ledger.waivedMinGen ? (config.minGen as number) : 0,
    acceptRollback,
  };
}

/** Remembers a version that has proved genuine: whatever happens next, an older one is a rollback from now on. */
export function rememberGenuine(
  { config, local: { paths } }: Environment,
  ledger: Ledger,
  { timestamp, generation, seal }: CurrentVersion,
  acceptRollback = false,
): Ledger {
  if (seal === null) return ledger;
  const seen = { generation, timestamp, writeId: seal.writeId };
  const waives = acceptRollback && (config.minGen ?? 0) > generation;
  const waivedMinGen = waives ? (config.minGen as number) : ledger.waivedMinGen;
  const next = withGenuine(acceptRollback ? { ...ledger, highest: null, waivedMinGen } : ledger, seen);
  const isNews = waives || next.sealed !== ledger.sealed || next.highest?.writeId !== ledger.highest?.writeId;
  if (isNews) saveLedger(paths, next);
  return next;
}

/** What this very folder was last synced with; null when that was another clone's, or never. */
export function syncedHere(ledger: Ledger, listing: Listing | null, vaultFolder: string): Synced | null {
  const { synced } = ledger;
  const here = listing?.folder ?? { path: vaultFolder, inode: "" };
  return synced !== null && isSameFolder(synced.folder, here) ? synced : null;
}

/** The row that a command owes, or null when none is wanted. */
export function auditIntent(
  { config, local }: Environment,
  action: string,
  { audit, note, meta }: AuditInput,
): AuditIntent | null {
  const taken = Object.keys(meta ?? {}).find((key) => OWN_META.has(key));
  if (taken !== undefined) {
    const message = `--meta ${taken}=... is a field that vsync writes itself`;
    throw new CliError("USAGE", message, "choose another name for it");
  }
  if (audit === false || !config.audit.enabled) return null;
  return { action, meta: { id: toHex(local.random(8)), ...(note !== undefined && { note }), ...meta } };
}

// Clocks differ by minutes, and publishes in the same second move on by one each.
const FAR_AHEAD_MS = 3600_000;

const OWN_META: ReadonlySet<string> = new Set([
  "id",
  "note",
  "prev",
  "prev_sha256",
  "prev_chain",
  "_truncated",
]);
