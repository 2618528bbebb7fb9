// `vsync keystore export`: environments of this machine for another one of the same person. docs/formats.md section 5.

import { existsSync } from "node:fs";
import { resolve } from "node:path";
import { encodeKeyFile, type KeyFileEnvironment } from "@vsync/envelope";
import { CliError } from "../cli-error.ts";
import { requireEnvConfig } from "../config/env-config.ts";
import { knownRepositories } from "../config/known-repositories.ts";
import { envStateFolder, keyAccount, replacedAccount, splitAccount } from "../config/paths.ts";
import { writeShareFile } from "../config/share-file.ts";
import type { Context, Said } from "../context.ts";
import { warnIfCommittable } from "../identity/committable.ts";
import { checkEnvName, findRepository, knownOrigins, normaliseName } from "../identity/repository.ts";
import type { Keystore } from "../keys/keystore.ts";
import { requireKeystore } from "../keys/passphrase.ts";
import { replacedPassphrases } from "../keys/replaced-passphrases.ts";
import { chosenSharePassphrase, generateSharePassphrase } from "../keys/share-passphrase.ts";
import { knownGeneration, loadLedger } from "../vault/ledger.ts";
import { statePaths } from "../vault/state-paths.ts";

export interface KeystoreExportInput {
  /** `<repo>/<env>`, or `<env>` of the repository around the current folder. */
  readonly names: readonly string[];
  /** Every environment that has config and key. */
  readonly all?: boolean;
  /** `vsync.keys` in the current folder otherwise. */
  readonly out?: string;
  readonly passphraseFile?: string;
}

export interface KeystoreExportResult {
  readonly file: string;
  /** `<repo>/<env>`. */
  readonly environments: readonly string[];
  /** Shown once; null when the user chose it. */
  readonly passphrase: string | null;
  readonly dryRun: boolean;
}

export async function keystoreExport(
  context: Context,
  input: KeystoreExportInput,
): Promise<KeystoreExportResult> {
  const { host, flags } = context;
  const wanted = chooseEnvironments(context, input);
  const keystore = await requireKeystore(context);
  const chosen = await chosenSharePassphrase(context, input.passphraseFile);
  const environments: KeyFileEnvironment[] = [];
  for (const { repo, env } of wanted) {
    const environment = await collect(context, keystore, repo, env);
    if (environment !== null) environments.push(environment);
    else if (input.all)
      context.terminal.warn(`${repo}/${env} is left out: ${keystore.description} has no key for it`);
    else throw noKey(keystore, repo, env);
  }
  if (environments.length === 0) {
    throw new CliError(
      "NOT_CONFIGURED",
      "there is no environment to export on this machine",
      "vsync keystore list",
    );
  }
  const file = resolve(host.cwd, input.out ?? "vsync.keys");
  const passphrase = chosen ?? (await generateSharePassphrase(host));
  if (!flags.dryRun) {
    writeShareFile(file, await encodeKeyFile(passphrase, environments, (size) => host.random(size)));
    warnIfCommittable(context, file);
  }
  return {
    file,
    environments: environments.map(({ repo, env }) => keyAccount(repo, env)),
    passphrase: chosen === null && !flags.dryRun ? passphrase : null,
    dryRun: flags.dryRun,
  };
}

export function describeKeystoreExport({
  file,
  environments,
  passphrase,
  dryRun,
}: KeystoreExportResult): Said {
  if (dryRun) return { notes: [`would write ${environments.join(", ")} to ${file}`] };
  return {
    notes: [
      `wrote ${environments.join(", ")} to ${file} (mode 0600)`,
      ...(passphrase === null ? [] : [`passphrase    ${passphrase}   (shown only now)`]),
      "who has both the file and its passphrase can read and write every secret in it",
      "on the other machine: vsync keystore import <file>; then remove the file",
    ],
  };
}

function chooseEnvironments(
  { host, flags }: Context,
  { names, all = false }: KeystoreExportInput,
): readonly { readonly repo: string; readonly env: string }[] {
  if (all === names.length > 0) {
    throw new CliError(
      "USAGE",
      all
        ? "--all means every environment, and some were named"
        : "it was not said which environments to export",
      "vsync keystore export <repo>/<env>...   or --all; vsync keystore list shows them",
    );
  }
  if (all) return knownRepositories(host).flatMap(({ repo, envs }) => envs.map((env) => ({ repo, env })));
  const chosen = [...new Set(names)].map((name) =>
    name.includes("/") ? splitAccount(name) : { repo: findRepository(host, flags.repo).name, env: name },
  );
  for (const { repo, env } of chosen) {
    checkEnvName(env);
    requireEnvConfig(host, normaliseName(repo), env);
  }
  return chosen;
}

/** Null: there is no key for it. */
async function collect(
  { host }: Context,
  keystore: Keystore,
  repo: string,
  env: string,
): Promise<KeyFileEnvironment | null> {
  const paths = statePaths(envStateFolder(host, repo, env));
  if (existsSync(paths.rotation) || existsSync(paths.setup)) {
    throw new CliError(
      "CONFLICT",
      `a change of ${repo}/${env}'s passphrase was interrupted: which one is in force is not known yet`,
      `vsync versions ${env}   (settles it), then export again`,
    );
  }
  const { initProfile: _mine, ...config } = requireEnvConfig(host, repo, env);
  const key = await keystore.get(keyAccount(repo, env));
  if (key === null) return null;
  const [replaced, ...older] = await replacedPassphrases(keystore, replacedAccount(repo, env));
  const minGen = knownGeneration(config, loadLedger(paths));
  return {
    repo,
    env,
    config: { ...config, minGen },
    key,
    ...(replaced !== undefined && { replaced }),
    ...(older.length > 0 && { older }),
    origins: knownOrigins(host, repo),
  };
}

function noKey({ description }: Keystore, repo: string, env: string): CliError {
  return new CliError(
    "NOT_CONFIGURED",
    `${description} holds no passphrase for ${keyAccount(repo, env)}`,
    "import a teammate's share: vsync share import <file>",
  );
}
