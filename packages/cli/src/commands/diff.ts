// `vsync diff <env>`: the vault folder against what was last synced, the bucket, or any version in it.

import type { VaultFiles } from "@vsync/envelope";
import { CliError } from "../cli-error.ts";
import type { Context, Said } from "../context.ts";
import { type OlderVersionInput, readOldPassphrase } from "../keys/old-passphrase.ts";
import { type Differences, findDifferences, formatDifferences } from "../vault/differences.ts";
import type { Environment } from "../vault/environment.ts";
import { withModes } from "../vault/file-modes.ts";
import { isBaseKept, loadKeptBase } from "../vault/kept-bundles.ts";
import { loadLedger } from "../vault/ledger.ts";
import { locateVault, withVaultKeys } from "../vault/local-vault.ts";
import type { Located } from "../vault/located.ts";
import { listVault, readVault, syncedHere } from "../vault/vault-folder.ts";

/** `version`: against this one. */
export interface DiffInput extends OlderVersionInput {
  readonly env: string;
  /** Against the bucket's current version. */
  readonly remote?: boolean;
  /** Values and lines too. */
  readonly reveal?: boolean;
}

export interface DiffResult extends Differences {
  readonly env: string;
  /** The version that the vault folder is compared with; null: there is none yet, and everything counts as added. */
  readonly version: string | null;
}

interface Compared {
  readonly version: string | null;
  readonly files: VaultFiles;
}

export async function diff(context: Context, input: DiffInput): Promise<DiffResult> {
  const { env, remote = false, version, reveal = false } = input;
  if (remote && version !== undefined) {
    throw new CliError(
      "USAGE",
      "--remote is the current version, --version another one",
      "leave out one of them",
    );
  }
  const located = await locateVault(context, env);
  const before =
    remote || version !== undefined ? await fromBucket(context, input) : await lastSynced(context, located);
  const after = withModes(context.host.platform, readFolder(located), before.files);
  const labels = { from: before.version ?? "nothing", to: "vault folder" };
  return {
    env,
    version: before.version,
    ...(await findDifferences(env, before.files, after, reveal ? labels : null)),
  };
}

export function describeDiff({ env, version, ...differences }: DiffResult): Said {
  const against = version === null ? "nothing was synced yet" : `version ${version}`;
  const out = formatDifferences(differences);
  if (out === null) {
    const equals = version === null ? `is empty, and ${against}` : `equals ${against}`;
    return { notes: [`the vault folder of ${env} ${equals}`] };
  }
  const notes = differences.patches === null ? [`(${against} -> vault folder; values: --reveal)`] : [];
  return { out, notes };
}

function readFolder({ vaultFolder, env }: Located): VaultFiles {
  const listing = listVault(vaultFolder);
  if (listing !== null) return readVault(listing).files;
  throw new CliError("NOT_CONFIGURED", `there is no vault folder ${vaultFolder}`, `vsync pull ${env}`);
}

async function lastSynced(context: Context, located: Located): Promise<Compared> {
  const { env, paths, vaultFolder } = located;
  const synced = syncedHere(loadLedger(paths), listVault(vaultFolder), vaultFolder);
  if (synced === null) return { version: null, files: new Map() };
  const { timestamp } = synced;
  const files = await withVaultKeys(context, located, (keys) => loadKeptBase(paths, keys, timestamp));
  if (files !== null) return { version: timestamp, files };
  const compare = `compare with the bucket: vsync diff ${env} --version ${timestamp}`;
  if (isBaseKept(paths, timestamp)) {
    const problem = `version ${timestamp} of ${env}, as it is kept on this machine, does not open: the passphrase is another one, or the file is damaged`;
    throw new CliError(
      "WRONG_PASSPHRASE",
      problem,
      `see whether VSYNC_PASSPHRASE or VSYNC_PASSPHRASE_FILE is set to another passphrase; or ${compare}`,
    );
  }
  const message = `version ${timestamp}, which the vault folder of ${env} was last synced with, is not kept on this machine any more`;
  throw new CliError("NOT_CONFIGURED", message, compare);
}

async function fromBucket(context: Context, input: DiffInput): Promise<Compared> {
  const { env } = input;
  const [
    { withEnvironment },
    { missingManifest, readStanding },
    { fetchVersion },
    { fetchOlderVersion },
    { findVersion },
  ] = await Promise.all([
    import("../vault/environment.ts"),
    import("../vault/standing.ts"),
    import("../vault/remote.ts"),
    import("../vault/older-version.ts"),
    import("../vault/history.ts"),
  ]);
  const oldPassphrase = await readOldPassphrase(context, input);
  const fetch = async (environment: Environment): Promise<Compared> => {
    const { current, ledger } = await readStanding(environment);
    if (current === null) {
      const missing = missingManifest(environment, ledger);
      if (missing !== null) throw missing;
      return { version: null, files: new Map() };
    }
    const { remote } = environment;
    const version = await findVersion(remote, current, input.version ?? current.timestamp);
    if (version === current.timestamp) {
      return { version: current.timestamp, files: (await fetchVersion(remote, current)).files };
    }
    const command = `vsync diff ${env} --version ${version}`;
    const { files } = await fetchOlderVersion(environment, version, oldPassphrase, command);
    return { version, files };
  };
  return await withEnvironment(context, env, fetch, { readsOnly: true });
}
