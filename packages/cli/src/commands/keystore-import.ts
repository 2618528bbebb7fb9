// `vsync keystore import <file>`: takes environments over from another machine. docs/formats.md section 5.

import { resolve } from "node:path";
import { decodeKeyFile, type KeyFileEnvironment } from "@vsync/envelope";
import { CliError, toCliError } from "../cli-error.ts";
import type { EnvConfig } from "../config/env-config.ts";
import { envStateFolder, type Names, replacedAccount, repositoryConfigFolder } from "../config/paths.ts";
import { openShareFile, readShareFile } from "../config/share-file.ts";
import type { Context, Said } from "../context.ts";
import { knownOrigins, normaliseName, recordOrigin } from "../identity/repository.ts";
import type { Keystore } from "../keys/keystore.ts";
import { requireKeystore } from "../keys/passphrase.ts";
import { addReplaced } from "../keys/replaced-passphrases.ts";
import { requireSharePassphrase } from "../keys/share-passphrase.ts";
import { type Found, findEnvironment, whileLocked } from "../setup/found.ts";
import { installWithoutRepository } from "../setup/install.ts";
import { chooseConfig } from "../setup/received-config.ts";
import {
  checkReceivedConfig,
  isRemembered,
  type Sender,
  sameVault,
  storeReceivedKey,
} from "../setup/received-vault.ts";
import { findShared, otherVaultFolders } from "../setup/vault-folders.ts";
import { visible } from "../terminal.ts";
import { settleSetup } from "../vault/environment.ts";
import { statePaths } from "../vault/state-paths.ts";
import { requireSettled } from "../vault/unfinished.ts";
import { resolveVaultFolder } from "../vault/vault-folder.ts";

export interface KeystoreImportInput {
  readonly file: string;
  readonly passphraseFile?: string;
  /** Replaces other environments of the same names. */
  readonly overwrite?: boolean;
}

export interface ImportedEnvironment {
  readonly repo: string;
  readonly env: string;
  /** As with `share import`. */
  readonly did: "import" | "same" | "rekeyed";
}

export interface KeystoreImportResult {
  readonly environments: readonly ImportedEnvironment[];
  readonly keystore: string;
  readonly dryRun: boolean;
}

const SENDER: Sender = { name: "key file", anew: () => "vsync keystore export" };
const FILE = { magic: "SLK1", maxBytes: 8 * 1024 * 1024 };

/** Nothing is changed before all of the file has been checked. */
export async function keystoreImport(
  context: Context,
  { file, passphraseFile, overwrite = false }: KeystoreImportInput,
): Promise<KeystoreImportResult> {
  const { host, flags } = context;
  const bytes = readShareFile(resolve(host.cwd, file), "key file", FILE);
  const keystore = await requireKeystore(context);
  const passphrase = await requireSharePassphrase(context, passphraseFile, "vsync keystore import <file>");
  const received = await openShareFile(SENDER.name, SENDER.anew(""), passphrase, (words) =>
    decodeKeyFile(words, bytes),
  );
  const plans: Plan[] = [];
  for (const environment of received)
    plans.push(await plan(context, keystore, environment, overwrite, plans));
  if (!flags.dryRun) await carryOutAll(context, keystore, plans);
  return {
    environments: plans.map(({ received: { repo, env }, did }) => ({ repo, env, did })),
    keystore: keystore.description,
    dryRun: flags.dryRun,
  };
}

export function describeKeystoreImport({ environments, keystore, dryRun }: KeystoreImportResult): Said {
  const words = { import: "set up", same: "had already", rekeyed: "brought under the new passphrase:" };
  const lines = environments.map(({ repo, env, did }) => `${words[did]} ${visible(repo)}/${env}`);
  if (dryRun) return { notes: ["would have:", ...lines] };
  return {
    notes: [
      ...lines,
      `passphrases   ${keystore}`,
      "next, in a clone of each repository: vsync pull <env>; and remove the file",
    ],
  };
}

interface Plan {
  readonly received: KeyFileEnvironment;
  readonly did: ImportedEnvironment["did"];
  readonly found: Found;
  readonly config: EnvConfig;
}

async function plan(
  context: Context,
  keystore: Keystore,
  received: KeyFileEnvironment,
  overwrite: boolean,
  earlier: readonly Plan[],
): Promise<Plan> {
  const { host } = context;
  const { repo, env, key } = received;
  const theirs = checkReceivedConfig(env, received.config, SENDER);
  if (normaliseName(repo) !== repo) throw damaged("it names a repository in a form that no vsync writes");
  // Where the clone will be is not known yet, only that the folder has to be inside it.
  resolveVaultFolder(repositoryConfigFolder(host, repo), theirs.files.vaultFolder);
  checkOrigins(context, received);
  if (!context.flags.dryRun) await settleSetup(context, { repo, env });
  const found = await findEnvironment(host, keystore, { repo, env });
  const { config: before, key: stored } = found;
  const isSame = before !== null && sameVault(before, theirs);
  if (before !== null && !isSame && !overwrite) {
    throw new CliError(
      "CONFLICT",
      `${repo} has another vault called ${env} on this machine: another bucket, prefix or key`,
      "if the key file is to replace it: vsync keystore import <file> --overwrite",
    );
  }
  if (before !== null && !isSame) {
    const where = `in a clone of ${repo}: `;
    requireSettled(statePaths(envStateFolder(host, repo, env)), env, { where });
  }
  if (!isSame) {
    const others = new Map([...otherVaultFolders(host, { repo, env }), ...comingFolders(repo, earlier)]);
    warnAboutFolder(context, { repo, env }, theirs.files.vaultFolder, others);
  }
  const known = isSame ? { config: before, key: stored } : { config: null, key: overwrite ? null : stored };
  const config = await chooseConfig(context, env, theirs, key, SENDER, known);
  const did = !isSame ? "import" : stored === null || stored === key ? "same" : "rekeyed";
  return { received, did, found, config };
}

async function carryOutAll(context: Context, keystore: Keystore, plans: readonly Plan[]): Promise<void> {
  const done: string[] = [];
  for (const one of plans) {
    const { repo, env } = one.received;
    await carryOut(context, keystore, one).catch((error: unknown) => {
      const { code, message, hint } = toCliError(error);
      const before = done.length === 0 ? "" : `; imported before it: ${done.join(", ")}`;
      throw new CliError(code, `the import of ${repo}/${env} failed: ${message}${before}`, hint, {
        cause: error,
      });
    });
    done.push(`${repo}/${env}`);
  }
}

async function carryOut(context: Context, keystore: Keystore, one: Plan): Promise<void> {
  const { host } = context;
  const { received, did, found, config } = one;
  const { repo, env, key, replaced, older = [], origins } = received;
  for (const origin of origins) recordOrigin(host, { name: repo, origin });
  const names = { repo, env };
  const isSameVault = did !== "import";
  const store = () =>
    storeReceivedKey(context, names, { key: found.key, keystore }, { config, key, isSameVault });
  await installWithoutRepository(host, names, {
    found,
    config,
    key: found.key === key ? null : { passphrase: key, place: keystore.description, store },
    // The state of the same vault stays: its ledger knows how far the bucket had come.
    keepsState: isRemembered(found, config, key),
  });
  if (replaced === undefined) return;
  const account = replacedAccount(repo, env);
  await whileLocked(host, names, async () => await addReplaced(keystore, account, [replaced, ...older]));
}

/** The vault folders of the repository's environments that come in the same file. */
function comingFolders(repo: string, plans: readonly Plan[]): ReadonlyMap<string, string> {
  const coming = plans.filter(({ received }) => received.repo === repo);
  return new Map(coming.map(({ received, config }) => [received.env, config.files.vaultFolder]));
}

// No refusal: the machine that the file is from may be lost, and an earlier release let folders have this.
function warnAboutFolder(
  { terminal }: Context,
  { repo, env }: Names,
  folder: string,
  others: ReadonlyMap<string, string>,
): void {
  const shared = findShared(folder, others);
  if (shared === null) return;
  terminal.warn(
    `${visible(repo)}/${env}: ${shared.problem}; before the first pull, in a clone of the repository, give ${env} a folder of its own: vsync init ${env} --edit --vault-folder <folder>`,
  );
}

// Two projects of one name would have their secrets pulled into each other.
function checkOrigins({ host }: Context, { repo, origins }: KeyFileEnvironment): void {
  if (origins.some((origin) => !/^[^\p{Cc}]{1,1000}$/u.test(origin)))
    throw damaged("an origin in it is none");
  const known = knownOrigins(host, repo);
  if (known.length === 0 || origins.length === 0 || origins.some((origin) => known.includes(origin))) return;
  throw new CliError(
    "INPUT",
    `the name ${repo} belongs to ${known.map(visible).join(", ")} on this machine, and to ${origins.map(visible).join(", ")} in the key file`,
    "export without it, and set this one up under another name: --repo <name>",
  );
}

function damaged(what: string): CliError {
  return new CliError(
    "CORRUPT",
    `the key file cannot be used: ${what}`,
    "make a new one: vsync keystore export",
  );
}
