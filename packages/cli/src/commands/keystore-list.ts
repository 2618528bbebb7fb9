// `vsync keystore list`: the environments that this machine has a config or a key for.

import { knownRepositories } from "../config/known-repositories.ts";
import { keyAccount, replacedAccount, splitAccount } from "../config/paths.ts";
import type { Context, Said } from "../context.ts";
import { openKeystore } from "../keys/keystore.ts";
import { formatTable } from "../terminal.ts";

export interface ListedEnvironment {
  readonly repo: string;
  readonly env: string;
  readonly config: boolean;
  readonly key: boolean;
  /** The passphrase before the last rotation is kept too. */
  readonly earlierKey: boolean;
}

export interface KeystoreListResult {
  readonly keystore: string;
  readonly environments: readonly ListedEnvironment[];
}

export async function keystoreList({ host }: Context): Promise<KeystoreListResult> {
  const keystore = await openKeystore(host);
  const accounts = new Set(await keystore.list());
  const configured = knownRepositories(host).flatMap(({ repo, envs }) =>
    envs.map((env) => keyAccount(repo, env)),
  );
  const names = new Set([...configured, ...[...accounts].map((account) => account.replace(/#.*/, ""))]);
  const environments = [...names].sort().map((name) => {
    const { repo, env } = splitAccount(name);
    return {
      repo,
      env,
      config: configured.includes(name),
      key: accounts.has(name),
      earlierKey: accounts.has(replacedAccount(repo, env)),
    };
  });
  return { keystore: keystore.description, environments };
}

export function describeKeystoreList({ keystore, environments }: KeystoreListResult): Said {
  if (environments.length === 0) return { notes: [`${keystore} and this machine know no environment yet`] };
  const rows = environments.map(({ repo, env, config, key, earlierKey }) => [
    `${repo}/${env}`,
    config ? "yes" : "no",
    key ? "yes" : "no",
    earlierKey ? "yes" : "no",
  ]);
  return {
    out: formatTable(["environment", "config", "key", "key before rotation"], rows),
    notes: [`(keys are in ${keystore})`],
  };
}
