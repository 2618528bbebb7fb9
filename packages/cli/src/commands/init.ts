// `vsync init <env>`: passphrase, config, vault folder, ignore rules, and a bucket that has shown what it can do.

import { checkKdf, DEFAULT_ITERATIONS, generateSalt } from "@vsync/envelope";
import { CliError } from "../cli-error.ts";
import { type EnvConfig, loadEnvConfig } from "../config/env-config.ts";
import type { Context, Said } from "../context.ts";
import { gitIgnores } from "../identity/git.ts";
import { checkEnvName, findRepository, type Repository } from "../identity/repository.ts";
import { holdsVault, probeBucket, refuseOccupied, requireOwnVault, withBucket } from "../setup/bucket.ts";
import { type Approach, type ApproachFlags, chooseApproach } from "../setup/existing-config.ts";
import { findEnvironment } from "../setup/found.ts";
import { installEnvironment } from "../setup/install.ts";
import {
  chooseLocation,
  isPlainHttp,
  type Location,
  type LocationFlags,
  locationOf,
} from "../setup/location.ts";
import { keystoreForNewKey, makeNewKey } from "../setup/new-key.ts";
import {
  checkVaultFolder,
  defaultVaultFolder,
  hasRootEnvFile,
  removeRootEnvFile,
} from "../setup/repository-files.ts";
import { otherVaultFolders, requireOwnFolder } from "../setup/vault-folders.ts";
import { settleSetup } from "../vault/environment.ts";
import { takeOver } from "../vault/take-over.ts";
import { settleUnfinished } from "../vault/unfinished.ts";

export interface InitInput extends LocationFlags, ApproachFlags {
  readonly env: string;
  readonly vaultFolder?: string;
  readonly takeEnvFile?: boolean;
  readonly singleWriter?: boolean;
  readonly audit?: boolean;
}

export interface InitResult {
  readonly repo: string;
  readonly env: string;
  readonly did: Approach | "take-over" | "nothing (dry run)";
  readonly endpoint: string;
  readonly bucket: string;
  readonly prefix: string;
  readonly vaultFolder: string;
  readonly iterations: number;
  readonly singleWriter: boolean;
  /** The rules that .gitignore got. */
  readonly ignored: readonly string[];
  /** Null when the bucket was not probed. */
  readonly conditionalWrites: boolean | null;
  /** Where the passphrase is. */
  readonly passphraseIn: string;
  /** Name of the root file that went into the vault folder, or null. */
  readonly tookEnvFile: string | null;
}

export async function init(context: Context, input: InitInput): Promise<InitResult> {
  const { host, terminal, flags } = context;
  const { env } = input;
  checkEnvName(env);
  const repository = findRepository(host, flags.repo);
  const { name: repo } = repository;
  const earlier = flags.dryRun ? null : await settleSetup(context, { repo, env });
  const before = loadEnvConfig(host, repo, env);
  if (before !== null && input.takeOver && earlier?.became === "published") {
    const meant = await chooseLocation(context, input, { repo, env }, locationOf(before));
    if (!isElsewhere(meant, locationOf(before))) {
      const finished = describeFinished(repo, env, before, earlier.passphraseIn);
      if (!input.takeEnvFile || flags.dryRun || !hasRootEnvFile(repository, env)) return finished;
      removeRootEnvFile(repository, before.files.vaultFolder, env);
      return { ...finished, tookEnvFile: `.env.${env}` };
    }
  }
  const approach = await chooseApproach(context, input, before, `${repo}/${env}`);
  const kept = approach === "keep" || approach === "edit" ? before : null;

  const location =
    approach === "keep" && kept !== null
      ? locationOf(kept)
      : await chooseLocation(context, input, { repo, env }, kept && locationOf(kept));
  const folder = checkVaultFolder(
    repository,
    input.vaultFolder ?? kept?.files.vaultFolder ?? defaultVaultFolder(env),
  );
  if (folder !== kept?.files.vaultFolder) {
    const own = `give ${env} a folder of its own: --vault-folder <folder>`;
    requireOwnFolder(folder, otherVaultFolders(host, { repo, env }), () => own);
  }
  // Put aside with the state, or asked of another bucket, it could never be settled.
  const leavesVault = before !== null && (kept === null || isElsewhere(location, locationOf(before)));
  if (leavesVault && !flags.dryRun) await settleUnfinished(context, env);
  const salt = generateSalt((size) => host.random(size));
  const config = makeConfig(input, location, folder, salt, kept);
  const takesEnvFile = await decideEnvFile(context, repository, input);
  // A keychain that is not there stops the work before it has begun; what keeps its key needs none.
  const keystore = kept === null ? await keystoreForNewKey(context) : null;
  const found = { ...(await findEnvironment(host, keystore, { repo, env })), config: before };
  const key =
    kept === null ? await makeNewKey(context, { repo, env }, found, config.encryption.iterations) : null;
  warnAboutEndpoint(context, location);

  const wasThere = kept !== null && !isElsewhere(location, locationOf(kept));
  const bucket = await withBucket(context, location, wasThere, async (store) => {
    terminal.step(1, 3, `reaching ${store.description}`);
    const occupied = await holdsVault(store, location);
    if (kept === null && occupied && !input.takeOver) {
      const isHere = before !== null && !isElsewhere(location, locationOf(before));
      throw refuseOccupied(env, location, store, isHere);
    }
    if (kept !== null && isElsewhere(location, locationOf(kept))) {
      await requireOwnVault(context, store, { repo, env }, kept, location.prefix);
      if (!occupied) warnAboutNewPlace(context, env, placeOf(locationOf(kept)), placeOf(location));
    }
    if (flags.dryRun) return { occupied, conditionalWrites: null };
    terminal.step(2, 3, "racing eight writers, to see that only one of them can win");
    const conditionalWrites = await probeBucket(
      context,
      store,
      location.prefix,
      config.singleWriter === true,
    );
    return { occupied, conditionalWrites };
  });

  let ignored: readonly string[] = [];
  const takesOver = bucket.occupied && input.takeOver === true;
  if (takesOver && flags.dryRun) {
    terminal.note(
      `would publish ${folder} over the vault in ${placeOf(location)}, under a new passphrase: old tokens and shares would be dead`,
    );
  }
  if (!flags.dryRun) {
    terminal.step(3, 3, `writing config, key and ${folder}`);
    ignored = await installEnvironment(
      context,
      { repository, env, found, config, key, keepsState: kept !== null, takesEnvFile },
      takesOver ? (leaveNoWayBack) => takeOver(context, env, leaveNoWayBack) : null,
    );
    warnAboutIgnore(context, repository, folder, env);
  }
  return {
    repo,
    env,
    did: flags.dryRun ? "nothing (dry run)" : takesOver ? "take-over" : approach,
    endpoint: location.endpoint,
    bucket: location.bucket,
    prefix: location.prefix,
    vaultFolder: folder,
    iterations: config.encryption.iterations,
    singleWriter: config.singleWriter === true,
    ignored,
    conditionalWrites: bucket.conditionalWrites,
    passphraseIn: key?.place ?? "as before",
    tookEnvFile: takesEnvFile ? `.env.${env}` : null,
  };
}

function placeOf({ endpoint, bucket, prefix }: Pick<Location, "endpoint" | "bucket" | "prefix">): string {
  return `${endpoint}/${bucket}/${prefix}`;
}

// The next push would find that a manifest is gone, and read as if somebody had deleted it.
function warnAboutNewPlace({ terminal }: Context, env: string, before: string, now: string): void {
  terminal.warn(
    `nothing is published in ${now} yet; what was published before stays in ${before}. To publish the vault folder in the new place: vsync push ${env} --recreate; then the others need a new share: vsync share export ${env}`,
  );
}

export function describeInit(result: InitResult): Said {
  const { repo, env, did, vaultFolder, passphraseIn, ignored } = result;
  const where = placeOf(result);
  if (did === "nothing (dry run)")
    return { notes: [`would set up ${repo}/${env} in ${where}, vault folder ${vaultFolder}`] };
  const notes = [
    `${DONE[did]} ${repo}/${env}: ${where}`,
    `vault folder  ${vaultFolder}`,
    `passphrase    ${passphraseIn}`,
  ];
  if (ignored.length > 0) notes.push(`.gitignore    got ${ignored.join(" ")}`);
  if (result.tookEnvFile !== null) {
    notes.push(
      `moved         ${result.tookEnvFile} into the vault folder (if it was ever committed, git's history still has it)`,
    );
  }
  if (result.singleWriter) notes.push("single writer: only one person at a time may push");
  return { notes: [...notes, nextStep(result)] };
}

/** The take-over that was asked for had been interrupted, and is done now: a second one would kill its own shares. */
function describeFinished(repo: string, env: string, config: EnvConfig, passphraseIn: string): InitResult {
  const { endpoint, bucket, prefix } = locationOf(config);
  return {
    repo,
    env,
    did: "take-over",
    endpoint,
    bucket,
    prefix,
    vaultFolder: config.files.vaultFolder,
    iterations: config.encryption.iterations,
    singleWriter: config.singleWriter === true,
    ignored: [],
    conditionalWrites: null,
    passphraseIn,
    tookEnvFile: null,
  };
}

function nextStep({ did, env, vaultFolder, tookEnvFile }: InitResult): string {
  if (did === "take-over") return "old tokens and shares are dead; hand out new ones";
  if (did === "keep" || did === "edit") return "next: vsync status --remote";
  if (tookEnvFile === null) return `next: put secrets into ${vaultFolder}, then: vsync push ${env}`;
  return `next: vsync push ${env}   (where something reads .env: vsync use ${env} makes it a link)`;
}

const DONE: Readonly<Record<Approach | "take-over", string>> = {
  create: "set up",
  keep: "kept",
  edit: "changed",
  overwrite: "set up anew",
  "take-over": "took over",
};

function makeConfig(
  { singleWriter, audit, iterations = DEFAULT_ITERATIONS }: InitInput,
  location: Location,
  vaultFolder: string,
  salt: string,
  kept: EnvConfig | null,
): EnvConfig {
  const { prefix, initProfile, ...s3 } = location;
  return {
    ...kept,
    version: 1,
    s3: { ...s3, useSsl: location.endpoint.startsWith("https:") },
    encryption: kept?.encryption ?? checkedEncryption(salt, iterations),
    prefix,
    files: { vaultFolder },
    audit: { enabled: audit === false ? false : (kept?.audit.enabled ?? true) },
    ...(singleWriter && { singleWriter }),
    ...(initProfile !== undefined && { initProfile }),
  };
}

function checkedEncryption(salt: string, iterations: number): EnvConfig["encryption"] {
  try {
    checkKdf(salt, iterations);
  } catch (error) {
    throw new CliError(
      "INPUT",
      (error as Error).message,
      "give --iterations 600000, or 100000 for runtimes that refuse more",
      {
        cause: error,
      },
    );
  }
  return { salt, iterations };
}

async function decideEnvFile(
  { terminal }: Context,
  repository: Repository,
  input: InitInput,
): Promise<boolean> {
  const file = `.env.${input.env}`;
  if (hasRootEnvFile(repository, input.env)) {
    return (
      input.takeEnvFile ??
      (terminal.interactive && (await terminal.confirm(`Move ${file} into the vault folder?`)))
    );
  }
  if (!input.takeEnvFile) return false;
  throw new CliError(
    "INPUT",
    `there is no regular file ${file} in ${repository.root}`,
    "leave out --take-env-file",
  );
}

function isElsewhere(a: Location, b: Location): boolean {
  return a.endpoint !== b.endpoint || a.bucket !== b.bucket || a.prefix !== b.prefix;
}

function warnAboutEndpoint({ terminal }: Context, { endpoint }: Location): void {
  if (isPlainHttp(endpoint)) {
    terminal.warn(
      `${endpoint} is not encrypted on the way: others on the network see when, what and how much is fetched, and can change or withhold it (never read it); use https://`,
    );
  }
}

function warnAboutIgnore(
  { host, terminal }: Context,
  { root }: Repository,
  folder: string,
  env: string,
): void {
  if (gitIgnores(host, root, `${folder}/.env.${env}`) === false) {
    terminal.warn(
      `${folder} is not ignored by git: secrets could be committed; see why with: git check-ignore -v ${folder}/.env.${env}`,
    );
  }
}
