// A new key or config for an environment, on its way: written down before its first step, so that the next command can
// take back all of it, or, once a take-over may have been published, finish it. docs/formats.md section 9.

import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import { isDeepStrictEqual } from "node:util";
import { type EnvConfig, packEnvConfig, saveEnvConfig, unpackEnvConfig } from "../config/env-config.ts";
import { envConfigPath, envStateFolder, keyAccount, type Names, replacedAccount } from "../config/paths.ts";
import { ensurePrivateDir, removePrivateFile } from "../config/private-file.ts";
import type { Context } from "../context.ts";
import type { Host } from "../host.ts";
import { openKeystore } from "../keys/keystore.ts";
import { acquireLock } from "./lock.ts";
import { loadPending } from "./pending.ts";
import { bringStateBack } from "./put-aside.ts";
import { readStateFile, writeStateFile } from "./state-file.ts";
import { type StatePaths, statePaths } from "./state-paths.ts";

export interface SetupJournal {
  /** The config of until now; null: there was none. */
  readonly config: EnvConfig | null;
  /** Name of the folder that the state of until now goes into, beside the new one; null: it stays. */
  readonly aside: string | null;
  /** What has been done to the key: nothing; it has taken the place of the one kept as replaced; it is the first one. */
  readonly key: "kept" | "replaced" | "made";
  readonly takeOver: boolean;
}

export function saveSetup(paths: StatePaths, { config, ...setup }: SetupJournal): void {
  const packed = config && Buffer.from(packEnvConfig(config)).toString("base64");
  writeStateFile(paths.setup, { ...setup, config: packed });
}

/** Before the key is changed; a passphrase that is replaced is kept by then. */
export function noteKey(paths: StatePaths, key: SetupJournal["key"]): void {
  const setup = loadSetup(paths);
  if (setup !== null) saveSetup(paths, { ...setup, key });
}

export function loadSetup(paths: StatePaths): SetupJournal | null {
  const damage = {
    loss: "it says what was cut short while config and passphrase were being changed",
    hint: "then look at what is in force: vsync status --remote",
  };
  return readStateFile(paths.setup, parseSetup, damage);
}

/** Where to look: a change that was cut short before it had changed the config has put aside what still holds. */
export function pathsInForce(paths: StatePaths, config: EnvConfig): StatePaths {
  const setup = loadSetup(paths);
  return setup !== null && isDeepStrictEqual(setup.config, config) ? (asideOf(paths, setup) ?? paths) : paths;
}

/** The state that is put aside already; null: it is not, or stays. */
function asideOf(paths: StatePaths, { aside }: SetupJournal): StatePaths | null {
  const folder = aside === null ? null : join(dirname(paths.setup), aside);
  return folder !== null && existsSync(folder) ? statePaths(folder) : null;
}

export function endSetup(paths: StatePaths): void {
  removePrivateFile(paths.setup);
}

/** `published`: a take-over that was begun is done, perhaps only now; `passphraseIn`: where its passphrase is. */
export type SettledSetup =
  | { readonly became: "undone" }
  | { readonly became: "published"; readonly passphraseIn: string };

/**
 * What became of a change that an earlier process began. Null: there is none. Throws CONFLICT while that process is still
 * at it. `recover`: finds out about a publish that is pending, with the lock held, and says where the passphrase is.
 */
export async function settleJournal(
  { host, terminal }: Context,
  { repo, env }: Names,
  recover: () => Promise<string>,
): Promise<SettledSetup | null> {
  const folder = envStateFolder(host, repo, env);
  const paths = statePaths(folder);
  const begun = loadSetup(paths);
  // That process may be just about to move its lock back to where we look for it.
  const moving = begun && asideOf(paths, begun)?.lock;
  const locks = moving && existsSync(moving) ? [acquireLock(moving)] : [];
  try {
    ensurePrivateDir(folder);
    locks.push(acquireLock(paths.lock));
    const setup = loadSetup(paths);
    if (setup === null) return null;
    if (mayBePublished(paths, setup)) {
      const passphraseIn = await recover();
      if (mayBePublished(paths, setup)) {
        endSetup(paths);
        return { became: "published", passphraseIn };
      }
    }
    await takeBack(host, { repo, env }, paths, setup);
    terminal.note(`a change of ${env}'s config and passphrase that was cut short was undone`);
    return { became: "undone" };
  } finally {
    for (const lock of locks) lock.release();
  }
}

/** Whether something may be in the bucket under the new key: it leaves its marks in the new state. */
function mayBePublished(paths: StatePaths, setup: SetupJournal): boolean {
  const isNewState = setup.aside === null || asideOf(paths, setup) !== null;
  return setup.takeOver && isNewState && (existsSync(paths.ledger) || loadPending(paths) !== null);
}

async function takeBack(
  host: Host,
  { repo, env }: Names,
  paths: StatePaths,
  { config, aside, key }: SetupJournal,
): Promise<void> {
  if (key !== "kept") {
    const keystore = await openKeystore(host);
    const before = key === "made" ? null : await keystore.get(replacedAccount(repo, env));
    const account = keyAccount(repo, env);
    const now = await keystore.get(account);
    if (key === "made" && now !== null) await keystore.delete(account);
    if (before !== null && before !== now) await keystore.set(account, before);
  }
  const folder = dirname(paths.ledger);
  if (aside !== null) bringStateBack(folder, aside);
  restoreConfig(host, { repo, env }, config);
  endSetup(paths);
}

export function restoreConfig(host: Host, { repo, env }: Names, config: EnvConfig | null): void {
  if (config === null) removePrivateFile(envConfigPath(host, repo, env));
  else saveEnvConfig(host, repo, env, config);
}

function parseSetup({ config, aside, key, takeOver }: Record<string, unknown>): SetupJournal | null {
  const sound =
    (config === null || typeof config === "string") &&
    (aside === null || (typeof aside === "string" && /^[^/\\]+$/.test(aside))) &&
    (key === "kept" || key === "replaced" || key === "made") &&
    typeof takeOver === "boolean";
  if (!sound) return null;
  if (config === null) return { config, aside, key, takeOver };
  const before = unpackEnvConfig(Buffer.from(config, "base64"));
  return before && { config: before, aside, key, takeOver };
}
