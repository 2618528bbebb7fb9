// One environment opened for work: locked, its key derived, its bucket reached, and whatever an earlier command left
// unfinished settled first.

import { lstatSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { deriveKeys, toHex, wipe } from "@vsync/envelope";
import { openStore } from "@vsync/store";
import { type Actor, appendAudit } from "../audit/append.ts";
import { CliError } from "../cli-error.ts";
import { type EnvConfig, requireEnvConfig } from "../config/env-config.ts";
import { envStateFolder } from "../config/paths.ts";
import { ensurePrivateDir } from "../config/private-file.ts";
import type { Context } from "../context.ts";
import { gitEmail } from "../identity/git.ts";
import { checkEnvName, findRepository } from "../identity/repository.ts";
import { requirePassphrase } from "../keys/passphrase.ts";
import { VERSION } from "../version.ts";
import type { WriteAuditRow } from "./commit.ts";
import { type RecoveredSwap, recoverSwap } from "./folder-swap.ts";
import { isSameFolder, type Ledger, loadLedger, type Synced, saveLedger, withGenuine } from "./ledger.ts";
import { acquireLock } from "./lock.ts";
import type { AuditIntent } from "./pending.ts";
import type { Local } from "./publish.ts";
import { describeRecovery, recoverPublish } from "./recover.ts";
import type { CurrentVersion, Remote, Trust } from "./remote.ts";
import { statePaths } from "./state-paths.ts";
import type { Listing } from "./vault-folder.ts";

export interface Environment {
  readonly config: EnvConfig;
  /** Absolute. */
  readonly vaultFolder: string;
  readonly remote: Remote;
  readonly local: Local;
  readonly writeAuditRow: WriteAuditRow;
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
  work: (environment: Environment) => Promise<T>,
): Promise<T> {
  const { host, flags } = context;
  checkEnvName(env);
  const { root, name: repo } = findRepository(host, flags.repo);
  const config = requireEnvConfig(host, repo, env);
  const vaultFolder = resolveVaultFolder(root, config.files.vaultFolder);
  const passphrase = await requirePassphrase(context, repo, env);
  const state = envStateFolder(host, repo, env);
  ensurePrivateDir(state);
  const paths = statePaths(state);
  const lock = acquireLock(paths.lock);
  try {
    const swap = recoverSwap(paths);
    const { salt, iterations } = config.encryption;
    const [keys, store] = await Promise.all([
      deriveKeys(passphrase.text, salt, iterations),
      openStore(config.s3, { env: host.env }),
    ]);
    try {
      const remote = { store, keys, prefix: config.prefix, env, singleWriter: config.singleWriter === true };
      const local = { paths, now: () => host.now(), random: (size: number) => host.random(size) };
      const writeAuditRow = auditWriter(context, remote, local, root);
      await settleEarlierWork(context, { remote, local, writeAuditRow }, swap);
      return await work({ config, vaultFolder, remote, local, writeAuditRow });
    } finally {
      wipe(keys.master, keys.sealKey, keys.chainKey);
      await store.close();
    }
  } finally {
    lock.release();
  }
}

/** The row that a command owes, or null when none is wanted. */
export function auditIntent(
  { config, local }: Environment,
  action: string,
  { audit, note, meta }: AuditInput,
): AuditIntent | null {
  const taken = Object.keys(meta ?? {}).find((key) => RESERVED_META.has(key));
  if (taken !== undefined) {
    throw new CliError(
      "USAGE",
      `--meta ${taken}=... is a field that vsync writes itself`,
      "choose another name for it",
    );
  }
  if (audit === false || !config.audit.enabled) return null;
  const id = toHex(local.random(8));
  return { action, meta: { id, ...(note !== undefined && { note }), ...meta } };
}

/** What the manifest is held against, from all that this machine knows. */
export function trustOf({ config }: Environment, ledger: Ledger, acceptRollback = false): Trust {
  return {
    sealRequired: ledger.sealed || config.minGen !== undefined,
    highest: ledger.highest,
    minGen: config.minGen ?? 0,
    acceptRollback,
  };
}

/** Remembers a version that has proved genuine; whatever happens next, an older one is a rollback from now on. */
export function rememberGenuine(
  { local: { paths } }: Environment,
  ledger: Ledger,
  { timestamp, generation, seal }: CurrentVersion,
  acceptRollback = false,
): Ledger {
  if (seal === null) return ledger;
  const seen = { generation, timestamp, writeId: seal.writeId };
  const next = withGenuine(acceptRollback ? { ...ledger, highest: null } : ledger, seen);
  if (next.sealed !== ledger.sealed || next.highest?.writeId !== ledger.highest?.writeId)
    saveLedger(paths, next);
  return next;
}

/** What this very folder was last synced with; null when that was another clone's, or never. */
export function syncedHere(ledger: Ledger, listing: Listing | null, vaultFolder: string): Synced | null {
  const { synced } = ledger;
  if (synced === null) return null;
  const here = listing?.folder ?? { path: vaultFolder, inode: "" };
  return isSameFolder(synced.folder, here) ? synced : null;
}

const RESERVED_META: ReadonlySet<string> = new Set([
  "id",
  "note",
  "prev",
  "prev_sha256",
  "prev_chain",
  "_truncated",
]);

async function settleEarlierWork(
  { terminal }: Context,
  { remote, local, writeAuditRow }: Pick<Environment, "remote" | "local" | "writeAuditRow">,
  swap: RecoveredSwap | null,
): Promise<void> {
  if (swap !== null) {
    const { folder, finished } = swap;
    terminal.note(
      finished === null
        ? `an interrupted pull was undone; ${folder} is as it was before`
        : `an interrupted pull was finished; ${folder} is at version ${finished.synced.timestamp}`,
    );
    if (finished !== null && finished.audit !== null)
      await writeAuditRow(finished.audit, finished.synced, true);
  }
  const recovered = await recoverPublish(remote, local.paths, writeAuditRow);
  if (recovered !== null) terminal.note(describeRecovery(recovered));
}

function auditWriter({ host, terminal }: Context, remote: Remote, local: Local, root: string): WriteAuditRow {
  const options = {
    now: local.now,
    pause: (atMostMs: number) => delay(((local.random(1)[0] as number) / 255) * atMostMs),
  };
  return async ({ action, meta }, { timestamp, generation }, mayBeThere) => {
    const actor: Actor = {
      hostname: host.hostname(),
      localIp: host.localIp(),
      osUser: host.username(),
      gitEmail: gitEmail(host, root) ?? "",
      vsyncVersion: VERSION,
      runtime: `node ${process.versions.node}`,
    };
    const event = { action, meta, versionTimestamp: timestamp, generation };
    const { chain, warnings } = await appendAudit(remote, event, actor, { ...options, mayBeThere });
    for (const warning of warnings) terminal.warn(warning);
    if (chain !== null) saveLedger(local.paths, { ...loadLedger(local.paths), auditChain: chain });
  };
}

// Secrets are written into a folder inside the repository, and through no link on the way to it.
function resolveVaultFolder(root: string, folder: string): string {
  const parts = folder.split("/");
  if (folder === "" || parts.some((part) => ["", ".", "..", ".git"].includes(part) || /[\\:]/.test(part))) {
    throw new CliError(
      "INPUT",
      `the config names ${folder} as vault folder, which is not a folder inside the repository`,
      "vsync init <env> --edit --vault-folder infra/vault/<env>",
    );
  }
  for (const [index] of parts.entries()) {
    const path = join(root, ...parts.slice(0, index + 1));
    if (lstatSync(path, { throwIfNoEntry: false })?.isSymbolicLink()) {
      const hint =
        "put a real folder in its place, or choose another: vsync init <env> --edit --vault-folder <folder>";
      throw new CliError("INPUT", `${path} is a symbolic link; vsync follows none to secrets`, hint);
    }
  }
  return join(root, ...parts);
}
