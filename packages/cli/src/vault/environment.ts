// One environment opened for work: locked, its key derived, its bucket reached, and whatever an earlier command left
// unfinished settled first.

import { existsSync } from "node:fs";
import { basename, dirname } from "node:path";
import { deriveKeys, wipe } from "@vsync/envelope";
import type { WriteAuditRow } from "../audit/write-row.ts";
import type { EnvConfig } from "../config/env-config.ts";
import {
  envConfigPath,
  envStateFolder,
  keyAccount,
  type Names,
  replacedAccount,
  stagedAccount,
} from "../config/paths.ts";
import { ensurePrivateDir, removeLeftovers } from "../config/private-file.ts";
import type { Context } from "../context.ts";
import type { Host } from "../host.ts";
import { removeKeyLeftovers } from "../keys/keystore.ts";
import { type Passphrase, requirePassphrase } from "../keys/passphrase.ts";
import type { Terminal } from "../terminal.ts";
import { openBucket } from "./bucket.ts";
import { type Located, locate } from "./located.ts";
import { acquireLock } from "./lock.ts";
import type { Local } from "./publish.ts";
import { openReadAhead } from "./read-ahead.ts";
import type { RecoveredPublish } from "./recover.ts";
import type { Remote } from "./remote.ts";
import type { FinishedRotation } from "./rotation.ts";
import type { SettledSetup } from "./setup-journal.ts";
import { statePaths } from "./state-paths.ts";

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

/** What `work` will do, and so what can be done while the key is derived. */
export interface Expectation {
  /** The manifest will be read, whatever else is found. */
  readonly readsManifest?: boolean;
  /** Nothing will be changed: a publish that cannot be settled now need not stop it. */
  readonly readsOnly?: boolean;
  /** An audit row will be written. */
  readonly writesRow?: boolean;
  /** It is part of a change of key and config, which holds the lock. */
  readonly inSetup?: boolean;
  /** Begins to load modules. */
  readonly load?: () => Promise<unknown>;
}

/** Runs `work` on the environment while no other vsync on this machine does. */
export async function withEnvironment<T>(
  context: Context,
  env: string,
  work: (environment: Environment, opened: Opened) => Promise<T>,
  { readsManifest = false, readsOnly = false, writesRow = false, inSetup = false, load }: Expectation = {},
): Promise<T> {
  const { host, terminal } = context;
  const found = locate(context, env);
  const isSettled = inSetup || (await settleSetup(context, { repo: found.repository.name, env })) === null;
  const located = isSettled ? found : locate(context, env);
  const { repository, config, vaultFolder, stateFolder, paths } = located;
  const stored = await requirePassphrase(context, repository.name, env);
  ensurePrivateDir(stateFolder);
  const lock = inSetup ? null : acquireLock(paths.lock);
  try {
    await removeUnfinishedWrites(host, repository.name, env);
    if (existsSync(paths.formerBase)) (await import("./kept-bundles.ts")).adoptFormerBase(paths);
    const settled = existsSync(paths.rotation)
      ? await (await import("./rotation.ts")).settleRotation(context, located, stored)
      : null;
    const passphrase = settled?.passphrase ?? stored;
    const { salt, iterations } = config.encryption;
    const { prefix } = config;
    // The derivation runs on another thread: what the rest of the work needs is loaded beside it.
    const [keys, { store, readAhead }, { recoverEarlierWork }, auditing] = await Promise.all([
      deriveKeys(passphrase.text, salt, iterations),
      openBucket(host, env, config.s3).then(async (store) => {
        const readAhead = openReadAhead(store);
        if (readsManifest && !existsSync(paths.pending))
          (await import("./remote.ts")).expectManifest(readAhead, prefix);
        return { store, readAhead };
      }),
      import("./recover.ts"),
      import("../audit/write-row.ts").then(({ actorOn, auditRowWriter }) => ({
        auditRowWriter,
        actor: writesRow && config.audit.enabled ? actorOn(host, repository.root) : undefined,
      })),
      load?.(),
    ]);
    try {
      const singleWriter = config.singleWriter === true;
      const onProgress = terminal.progress;
      const remote: Remote = { store, keys, prefix, env, singleWriter, onProgress, readAhead };
      const local: Local = {
        paths,
        platform: host.platform,
        now: () => host.now(),
        random: (size) => host.random(size),
      };
      const { auditRowWriter, actor } = auditing;
      const writeAuditRow = auditRowWriter(context, remote, paths, repository.root, actor);
      const environment = { config, vaultFolder, remote, local, terminal, writeAuditRow };
      const recovered = await recoverEarlierWork(environment, readsOnly);
      const finishedRotation = settled?.finished ?? null;
      return await work(environment, { located, passphrase, finishedRotation, recovered });
    } finally {
      wipe(keys.master, keys.sealKey, keys.chainKey);
      readAhead.close();
      await store.close();
    }
  } finally {
    lock?.release();
  }
}

/** Takes back, or finishes, a change of key and config that was cut short. Null: there is none. */
export async function settleSetup(context: Context, name: Names): Promise<SettledSetup | null> {
  if (!existsSync(statePaths(envStateFolder(context.host, name.repo, name.env)).setup)) return null;
  const { settleJournal } = await import("./setup-journal.ts");
  const there = { ...context, flags: { ...context.flags, repo: name.repo } }; // whatever repository this folder is of
  return await settleJournal(context, name, () =>
    withEnvironment(there, name.env, async (_, { passphrase }) => passphrase.source, { inSetup: true }),
  );
}

/** Of processes that were killed: temporary files of the config and of passphrases, which nobody else would remove. */
async function removeUnfinishedWrites(host: Host, repo: string, env: string): Promise<void> {
  const config = envConfigPath(host, repo, env);
  const { setup } = statePaths(envStateFolder(host, repo, env));
  for (const path of [config, setup]) removeLeftovers(dirname(path), basename(path));
  const accounts = [keyAccount(repo, env), stagedAccount(repo, env), replacedAccount(repo, env)];
  await removeKeyLeftovers(host, accounts);
}
