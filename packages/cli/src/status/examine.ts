// One environment looked at from all sides: its config, key, vault folder, unfinished work and, if asked, its bucket.

import { existsSync } from "node:fs";
import type { VaultKeys } from "@vsync/envelope";
import { toCliError } from "../cli-error.ts";
import { type EnvConfig, loadEnvConfig } from "../config/env-config.ts";
import { envStateFolder } from "../config/paths.ts";
import { listProfiles } from "../config/profiles.ts";
import type { Context } from "../context.ts";
import { describeGrace } from "../vault/grace.ts";
import { type Ledger, loadLedger, type Synced } from "../vault/ledger.ts";
import { loadPending } from "../vault/pending.ts";
import { pathsInForce } from "../vault/setup-journal.ts";
import { type StatePaths, statePaths } from "../vault/state-paths.ts";
import { type Listing, listVault, resolveVaultFolder, syncedHere } from "../vault/vault-folder.ts";
import { examineFolder } from "./folder-state.ts";
import { type KeyAccess, withLazyKeys } from "./key-access.ts";
import type { BucketState, EnvironmentStatus, Finding, FolderState } from "./status-types.ts";

export interface Subject {
  readonly repo: string;
  readonly env: string;
  /** Of the repository; null: it is somewhere else, and the vault folder where one was last synced. */
  readonly root: string | null;
}

export async function examineEnvironment(
  context: Context,
  subject: Subject,
  access: KeyAccess,
  remote: boolean,
): Promise<EnvironmentStatus> {
  const { host } = context;
  const { repo, env } = subject;
  const about = `${repo}/${env}`;
  const findings: Finding[] = [];
  /** What cannot be read is a finding, and everything else is still looked at. */
  const attempt = async <T>(action: () => T | Promise<T>): Promise<T | null> => {
    try {
      return await action();
    } catch (error) {
      const { message, hint } = toCliError(error);
      findings.push({ level: "broken", about, problem: message, fix: hint });
      return null;
    }
  };
  const config = await attempt(() => loadEnvConfig(host, repo, env));
  if (config === null) {
    const folder = { state: "unknown", why: "its config cannot be read" } as const;
    return { repo, env, folder, synced: null, bucket: null, findings, next: null };
  }
  const own = statePaths(envStateFolder(host, repo, env));
  const paths = (await attempt(() => pathsInForce(own, config))) ?? own;
  findings.push(...aboutConfig(context, about, config), ...(await unfinished(about, own, paths, attempt)));
  const passphrase = await access.passphrase(repo, env);
  if (passphrase === null && access.problem() === null) {
    const problem = `${access.description} holds no passphrase for it`;
    findings.push({ level: "broken", about, problem, fix: "vsync share import <file>" });
  }
  return await withLazyKeys(config, passphrase, async (keys) => {
    const ledger = await attempt(() => loadLedger(paths));
    const looked = await attempt(() => lookAtFolder(subject, config, ledger));
    const synced = looked?.synced ?? null;
    const folder =
      looked &&
      (await attempt(
        async () => await judgeFolder(context.host.platform, paths, looked.listing, synced, keys),
      ));
    const known = ledger && { env, config, ledger, synced };
    const bucket =
      remote && known ? await attempt(() => ask(context, about, known, paths, keys, findings)) : null;
    return {
      repo,
      env,
      folder: folder ?? UNREADABLE,
      synced: synced && {
        timestamp: synced.timestamp,
        generation: synced.generation,
        at: new Date(synced.recordedAt).toISOString(),
      },
      bucket,
      findings,
      next: nextCommand(env, folder ?? UNREADABLE, bucket, looked?.listing?.files.size === 0),
    };
  });
}

const UNREADABLE: FolderState = { state: "unknown", why: "it cannot be read" };

// Of a repository somewhere else whose folder was never synced nobody knows where it is.
async function judgeFolder(
  platform: NodeJS.Platform,
  paths: StatePaths,
  listing: Listing | null | undefined,
  synced: Synced | null,
  keys: () => Promise<VaultKeys | null>,
): Promise<FolderState> {
  return listing === undefined
    ? { state: "never-synced" }
    : await examineFolder(platform, paths, listing, synced, keys);
}

type Attempt = <T>(action: () => T | Promise<T>) => Promise<T | null>;

function lookAtFolder(
  { root }: Subject,
  { files }: EnvConfig,
  ledger: Ledger | null,
): { readonly listing: Listing | null | undefined; readonly synced: Synced | null } {
  const path = root === null ? lastFolder(ledger) : resolveVaultFolder(root, files.vaultFolder);
  if (path === undefined) return { listing: undefined, synced: null };
  const listing = listVault(path);
  return { listing, synced: ledger && syncedHere(ledger, listing, path) };
}

/** Of several checkouts the one that was synced last, if it is still there. */
function lastFolder(ledger: Ledger | null): string | undefined {
  const paths = ledger?.synced.map(({ folder }) => folder.path) ?? [];
  return paths.find((path) => existsSync(path)) ?? paths[0];
}

async function ask(
  context: Context,
  about: string,
  known: { env: string; config: EnvConfig; ledger: Ledger; synced: Synced | null },
  paths: StatePaths,
  keys: () => Promise<VaultKeys | null>,
  findings: Finding[],
): Promise<BucketState> {
  const opened = await keys();
  if (opened === null) return { state: "problem", code: "NOT_CONFIGURED", message: "no key to ask it with" };
  const { askBucket } = await import("./bucket-state.ts");
  const { bucket, hint } = await askBucket(context, known, opened);
  // The staged passphrase may be the one in force; the next command finds out.
  const isRotating =
    bucket.state === "problem" && bucket.code === "WRONG_PASSPHRASE" && existsSync(paths.rotation);
  if (bucket.state === "problem" && !isRotating) {
    findings.push({ level: "broken", about, problem: bucket.message, fix: hint });
  } else if (bucket.state === "manifest-gone") {
    const problem = "the bucket has no manifest any more, though there was one";
    findings.push({ level: "broken", about, problem, fix: `vsync push ${known.env} --recreate` });
  } else if ((bucket.state === "in-step" || bucket.state === "behind") && bucket.grace !== null) {
    const fix = `vsync rotate-passphrase ${known.env} --finish   (when all applications have the new one)`;
    findings.push({ level: "note", about, problem: describeGrace(bucket.grace), fix });
  }
  return bucket;
}

function aboutConfig({ host }: Context, about: string, { initProfile, singleWriter }: EnvConfig): Finding[] {
  const findings: Finding[] = [];
  if (initProfile !== undefined && !listProfiles(host).includes(initProfile)) {
    const problem = `it came from profile ${initProfile}, which is gone; its own credentials are in use`;
    findings.push({ level: "note", about, problem, fix: `vsync profile add ${initProfile}` });
  }
  if (singleWriter) {
    const problem = "its server has no conditional writes: on your word only one person pushes at a time";
    findings.push({ level: "note", about, problem, fix: "" });
  }
  return findings;
}

/** `paths`: of the state in force, which may have been put aside. */
async function unfinished(
  about: string,
  own: StatePaths,
  paths: StatePaths,
  attempt: Attempt,
): Promise<Finding[]> {
  const env = about.slice(about.indexOf("/") + 1);
  const found: string[] = [];
  if (existsSync(own.setup)) found.push("change of config and passphrase");
  const pending = await attempt(() => loadPending(paths));
  if (pending !== null) found.push(`${pending.operation} (version ${pending.timestamp})`);
  if (existsSync(paths.swap)) found.push("replacement of the vault folder");
  if (existsSync(paths.rotation)) found.push("change of passphrase");
  return found.map((what) => ({
    level: "broken",
    about,
    problem: `an interrupted ${what} is not settled yet`,
    fix: `vsync versions ${env}   (any command that asks the bucket settles it)`,
  }));
}

function nextCommand(
  env: string,
  folder: FolderState,
  bucket: BucketState | null,
  isEmpty: boolean,
): string | null {
  if (bucket?.state === "problem" || bucket?.state === "manifest-gone") return null; // the finding says it
  const changed = folder.state === "changed";
  if (bucket?.state === "behind") return changed ? `vsync diff ${env} --remote` : `vsync pull ${env}`;
  if (bucket?.state === "empty") {
    if (folder.state === "clean") return null;
    return isEmpty ? `vsync set ${env} <NAME>` : `vsync push ${env}`;
  }
  if (changed) return `vsync push ${env}`;
  // New here, or the first of the team: only the bucket knows which.
  if (folder.state === "never-synced") return "vsync status --remote";
  return folder.state === "missing" ? `vsync pull ${env}` : null;
}
