// `vsync share import <file>`: makes this machine a teammate's. docs/formats.md section 5.

import { resolve } from "node:path";
import { decodeShare } from "@vsync/envelope";
import { type AuditInput, auditIntent } from "../audit/intent.ts";
import { CliError } from "../cli-error.ts";
import { loadEnvConfig } from "../config/env-config.ts";
import { openShareFile, readShareFile } from "../config/share-file.ts";
import type { Context, Said } from "../context.ts";
import { findRepository, normaliseName, type Repository } from "../identity/repository.ts";
import { openKeystore } from "../keys/keystore.ts";
import { passphraseFromVariables } from "../keys/passphrase.ts";
import { requireSharePassphrase } from "../keys/share-passphrase.ts";
import { findEnvironment } from "../setup/found.ts";
import { installEnvironment } from "../setup/install.ts";
import { chooseConfig } from "../setup/received-config.ts";
import {
  checkReceivedConfig,
  isRemembered,
  receivedVaultFolder,
  type Sender,
  sameVault,
  storeReceivedKey,
} from "../setup/received-vault.ts";
import { moveOther, otherVaultFolders, requireOwnFolder } from "../setup/vault-folders.ts";
import { visible } from "../terminal.ts";
import { settleSetup, withEnvironment } from "../vault/environment.ts";
import { settleUnfinished } from "../vault/unfinished.ts";

export interface ShareImportInput extends AuditInput {
  readonly file: string;
  readonly passphraseFile?: string;
  /** Replaces another environment of that name on this machine. */
  readonly overwrite?: boolean;
}

export interface ShareImportResult {
  readonly repo: string;
  readonly env: string;
  /** `same`: this machine had it already; `rekeyed`: it had it under another passphrase. */
  readonly did: "import" | "same" | "rekeyed" | "nothing (dry run)";
  readonly vaultFolder: string;
  /** Where the passphrase is. */
  readonly passphraseIn: string;
}

const SHARE: Sender = { name: "share", anew: (env) => `vsync share export ${env}` };
const FILE = { magic: "SLS1", maxBytes: 1024 * 1024 };

export async function shareImport(context: Context, input: ShareImportInput): Promise<ShareImportResult> {
  const { host, flags } = context;
  const bytes = readShareFile(resolve(host.cwd, input.file), "share file", FILE);
  const passphrase = await requireSharePassphrase(context, input.passphraseFile);
  const {
    repo,
    env,
    key,
    config: raw,
  } = await openShareFile(SHARE.name, SHARE.anew("<env>"), passphrase, (words) => decodeShare(words, bytes));
  const received = checkReceivedConfig(env, raw, SHARE);
  const repository = sameRepository(context, repo);
  const { name } = repository;
  const vaultFolder = receivedVaultFolder(repository, received.files.vaultFolder, SHARE, env);
  const theirs = { ...received, files: { vaultFolder } };
  if (!flags.dryRun) await settleSetup(context, { repo: name, env });
  const fromVariables = await passphraseFromVariables(context);
  const keystore = await openKeystore(host);
  const names = { repo: name, env };
  const before = loadEnvConfig(host, name, env);
  const isSameVault = before !== null && sameVault(before, theirs);
  if (before !== null && !isSameVault && !input.overwrite) throw anotherVault(name, env);
  if (!isSameVault) requireOwnFolder(vaultFolder, otherVaultFolders(host, names), moveOther);
  if (before !== null && !isSameVault && !flags.dryRun)
    await settleUnfinished({ ...context, flags: { ...flags, repo: name } }, env);
  const looked = await findEnvironment(host, fromVariables === null ? keystore : null, names);
  const found = { ...looked, config: before };
  const { key: stored } = found;

  const known = isSameVault
    ? { config: before, key: stored }
    : { config: null, key: input.overwrite ? null : stored };
  const config = await chooseConfig(context, env, theirs, key, SHARE, known);
  const did = !isSameVault ? "import" : stored === null || stored === key ? "same" : "rekeyed";
  const result = {
    repo: name,
    env,
    vaultFolder: config.files.vaultFolder,
    passphraseIn: fromVariables?.source ?? keystore.description,
  };
  if (fromVariables !== null && fromVariables.text !== key) throw contradicts(fromVariables.source);
  if (flags.dryRun) return { ...result, did: "nothing (dry run)" };

  const store =
    fromVariables === null
      ? () => storeReceivedKey(context, names, { key: stored, keystore }, { config, key, isSameVault })
      : async () => async () => undefined;
  const installation = {
    repository,
    env,
    found,
    config,
    key: stored === key ? null : { passphrase: key, place: result.passphraseIn, store },
    // The state of the same vault stays: its ledger knows how far the bucket had come.
    keepsState: isRemembered({ ...found, key: fromVariables?.text ?? stored }, config, key),
    takesEnvFile: false,
  };
  await installEnvironment(context, installation, null);
  await audit(context, env, input);
  return { ...result, did };
}

export function describeShareImport({ repo, env, did, vaultFolder, passphraseIn }: ShareImportResult): Said {
  if (did === "nothing (dry run)") return { notes: [`would set up ${repo}/${env} from the share`] };
  const first = { import: "set up", same: "had already", rekeyed: "brought under the new passphrase:" }[did];
  return {
    notes: [
      `${first} ${repo}/${env}`,
      `vault folder  ${vaultFolder}`,
      `passphrase    ${passphraseIn}`,
      `next: vsync pull ${env}; then remove the share file`,
    ],
  };
}

/** The repository around the current folder, if it is the one that was shared. */
function sameRepository({ host, flags }: Context, shared: string): Repository {
  const repository = findHere(host, flags.repo, shared);
  if (repository.name === shared) return repository;
  throw new CliError(
    "INPUT",
    `the share is of ${visible(shared)}, but ${repository.root} is ${repository.name}`,
    `go into a clone of ${visible(shared)}; if this is one: --repo ${visible(shared)}`,
  );
}

function findHere(host: Context["host"], flag: string | undefined, shared: string): Repository {
  if (normaliseName(shared) !== shared) {
    throw new CliError(
      "CORRUPT",
      "the share names a repository in a form that no vsync writes",
      "ask for a new one",
    );
  }
  try {
    return findRepository(host, flag);
  } catch (error) {
    // A repository that says no name of its own is the one that was shared, if the user stands in it.
    if (flag === undefined && error instanceof CliError && /has no name/.test(error.message))
      return findRepository(host, shared);
    throw error;
  }
}

function anotherVault(repo: string, env: string): CliError {
  return new CliError(
    "CONFLICT",
    `${repo} has another vault called ${env} on this machine: another bucket, prefix or key`,
    "if the share is to replace it: vsync share import <file> --overwrite",
  );
}

function contradicts(source: string): CliError {
  const message = `${source} holds another passphrase than the share, and would be preferred to it`;
  return new CliError("INPUT", message, `unset ${source}, or set it to the share's passphrase`);
}

// All is done by now; a bucket that cannot be reached must not make it look otherwise.
async function audit(context: Context, env: string, input: AuditInput): Promise<void> {
  try {
    await withEnvironment(context, env, async (environment) => {
      const intent = auditIntent(environment, "import", input);
      if (intent !== null) await environment.writeAuditRow(intent, { timestamp: "", generation: 0 }, false);
    });
  } catch (error) {
    context.terminal.warn(`no audit row was written: ${(error as Error).message}`);
  }
}
