// `vsync share import <file>`: makes this machine a teammate's. docs/formats.md section 5.

import { lstatSync, readFileSync } from "node:fs";
import { resolve } from "node:path";
import {
  checkKdf,
  decodeShare,
  deriveKeys,
  judgeManifest,
  locationProblem,
  type SharePayload,
  type VaultKeys,
  wipe,
} from "@vsync/envelope";
import { openStore } from "@vsync/store";
import { CliError } from "../cli-error.ts";
import { type EnvConfig, loadEnvConfig, parseEnvConfig } from "../config/env-config.ts";
import { envStateFolder, keyAccount, replacedAccount } from "../config/paths.ts";
import type { Context, Said } from "../context.ts";
import { checkEnvName, findRepository, normaliseName, type Repository } from "../identity/repository.ts";
import { openKeystore } from "../keys/keystore.ts";
import { passphraseFromVariables } from "../keys/passphrase.ts";
import { requireSharePassphrase } from "../keys/share-passphrase.ts";
import { installEnvironment } from "../setup/install.ts";
import { checkVaultFolder } from "../setup/repository-files.ts";
import { visible } from "../terminal.ts";
import { type AuditInput, auditIntent, withEnvironment } from "../vault/environment.ts";
import { rekeyKeptBundles } from "../vault/kept-bundles.ts";
import { statePaths } from "../vault/state-paths.ts";

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

const MAX_SHARE_BYTES = 1024 * 1024;
const MAX_MANIFEST_BYTES = 1024;

export async function shareImport(context: Context, input: ShareImportInput): Promise<ShareImportResult> {
  const { host, flags } = context;
  const bytes = readShare(resolve(host.cwd, input.file));
  const passphrase = await requireSharePassphrase(context, input.passphraseFile);
  const { repo, env, key, config: raw } = await decodeShare(passphrase, bytes);
  const config = checkConfig(env, raw);
  const repository = sameRepository(context, repo);
  const { name } = repository;
  checkVaultFolder(repository, config.files.vaultFolder);
  const before = loadEnvConfig(host, name, env);
  const isSameVault = before !== null && sameVault(before, config);
  if (before !== null && !isSameVault && !input.overwrite) throw anotherVault(name, env);

  await requireInForce(context, env, config, key);
  const keystore = await openKeystore(host);
  const account = keyAccount(name, env);
  const fromVariables = await passphraseFromVariables(context);
  const stored = fromVariables === null ? await keystore.get(account) : null;
  const did = !isSameVault ? "import" : stored === null || stored === key ? "same" : "rekeyed";
  const result = {
    repo: name,
    env,
    vaultFolder: config.files.vaultFolder,
    passphraseIn: fromVariables?.source ?? keystore.description,
  };
  if (fromVariables !== null && fromVariables.text !== key) throw contradicts(fromVariables.source);
  if (flags.dryRun) return { ...result, did: "nothing (dry run)" };

  if (did === "rekeyed") await rekey(context, name, env, config, stored as string, key);
  const store = async () => {
    if (fromVariables !== null) return async () => undefined;
    if (stored !== null && stored !== key) await keystore.set(replacedAccount(name, env), stored);
    await keystore.set(account, key);
    return async () => {
      if (stored === null) await keystore.delete(account);
      else await keystore.set(account, stored);
    };
  };
  const newKey = { passphrase: key, place: result.passphraseIn, store };
  const installation = {
    repository,
    env,
    before,
    config: isSameVault ? newerOf(before, config) : config,
    takesEnvFile: false,
  };
  // The state of the same vault stays: its ledger knows how far the bucket had come.
  if (!isSameVault)
    await installEnvironment(context, { ...installation, key: newKey }, async () => undefined);
  else {
    await store();
    await installEnvironment(context, { ...installation, key: null }, async () => undefined);
  }
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

function readShare(path: string): Uint8Array {
  const found = lstatSync(path, { throwIfNoEntry: false });
  if (found === undefined)
    throw new CliError("INPUT", `there is no file ${path}`, "name the share file you were sent");
  if (found.isDirectory() || found.isFIFO() || found.size > MAX_SHARE_BYTES) {
    throw new CliError("INPUT", `${path} is no share file`, "they are small files that begin with SLS1");
  }
  return readFileSync(path);
}

// A share comes from outside: nothing in it is taken over unchecked.
function checkConfig(env: string, raw: SharePayload["config"]): EnvConfig {
  checkEnvName(env);
  const config = parseEnvConfig(raw);
  const problem =
    config === null ? "it holds no config" : locationProblem({ ...config.s3, prefix: config.prefix });
  if (config === null || problem !== null) {
    throw new CliError(
      "CORRUPT",
      `the share cannot be used: its config ${problem}`,
      `ask for a new one: vsync share export ${env}`,
    );
  }
  checkKdf(config.encryption.salt, config.encryption.iterations);
  return config;
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

function sameVault(a: EnvConfig, b: EnvConfig): boolean {
  return (
    a.encryption.salt === b.encryption.salt &&
    a.encryption.iterations === b.encryption.iterations &&
    a.s3.endpoint === b.s3.endpoint &&
    a.s3.bucket === b.s3.bucket &&
    a.prefix === b.prefix
  );
}

/** What the share says, but for what this machine knows better. */
function newerOf(mine: EnvConfig, theirs: EnvConfig): EnvConfig {
  return { ...theirs, files: mine.files, minGen: Math.max(mine.minGen ?? 0, theirs.minGen ?? 0) };
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

// An old share must not replace a newer key; a bucket that cannot be asked is no reason not to import.
async function requireInForce(
  { host, terminal }: Context,
  env: string,
  config: EnvConfig,
  key: string,
): Promise<void> {
  const [keys, store] = await Promise.all([keysOf(config, key), openStore(config.s3, { env: host.env })]);
  try {
    const manifest = await store
      .get(`${config.prefix}manifest`, { maxBytes: MAX_MANIFEST_BYTES })
      .catch((error: Error) => {
        terminal.warn(`whether the share is the latest could not be seen: ${error.message}`);
        return null;
      });
    if (manifest === null) return;
    const { kind } = await judgeManifest(keys, config.prefix, manifest, host.now());
    if (kind === "verified" || kind === "unsealed") return;
    throw new CliError(
      "WRONG_PASSPHRASE",
      `the share is from before the last rotation of ${env}'s passphrase, or not of this vault`,
      `ask for a new one: vsync share export ${env}`,
    );
  } finally {
    wipe(keys.master, keys.sealKey, keys.chainKey);
    await store.close();
  }
}

async function rekey(
  context: Context,
  repo: string,
  env: string,
  config: EnvConfig,
  old: string,
  next: string,
): Promise<void> {
  const [oldKeys, newKeys] = await Promise.all([keysOf(config, old), keysOf(config, next)]);
  try {
    await rekeyKeptBundles(statePaths(envStateFolder(context.host, repo, env)), oldKeys, newKeys);
  } finally {
    for (const keys of [oldKeys, newKeys]) wipe(keys.master, keys.sealKey, keys.chainKey);
  }
}

async function keysOf({ encryption }: EnvConfig, passphrase: string): Promise<VaultKeys> {
  return await deriveKeys(passphrase, encryption.salt, encryption.iterations);
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
