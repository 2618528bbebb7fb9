// The passphrase of a new environment, and its place in the keystore: docs/formats.md section 1.

import { generatePassphrase, passphraseProblem } from "@vsync/envelope";
import { CliError } from "../cli-error.ts";
import { envStateFolder, keyAccount, type Names, replacedAccount } from "../config/paths.ts";
import type { Context } from "../context.ts";
import { type Keystore, openKeystore } from "../keys/keystore.ts";
import { type Passphrase, passphraseFromVariables } from "../keys/passphrase.ts";
import { keepReplaced } from "../keys/replaced-passphrases.ts";
import { noteKey } from "../vault/setup-journal.ts";
import { type StatePaths, statePaths } from "../vault/state-paths.ts";
import type { Found } from "./found.ts";

export interface NewKey {
  readonly passphrase: string;
  /** For messages: where it is from now on. */
  readonly place: string;
  /** Stores it; the way back restores what was stored before. */
  store(): Promise<() => Promise<void>>;
}

/** Where the passphrase of an environment is, and what says how it came there. */
export interface KeyPlace {
  readonly paths: StatePaths;
  readonly keystore: Keystore;
  readonly names: Names;
}

/** The keystore that a new passphrase would go into; null where VSYNC_PASSPHRASE(_FILE) stands in for it. */
export async function keystoreForNewKey(context: Context): Promise<Keystore | null> {
  return (await passphraseFromVariables(context)) === null ? await openKeystore(context.host) : null;
}

/**
 * A generated passphrase for the keystore; or, where VSYNC_PASSPHRASE(_FILE) is set, that one, stored nowhere:
 * every later command would prefer it to the keystore's.
 */
export async function makeNewKey(
  context: Context,
  names: Names,
  { keystore, key }: Found,
  iterations: number,
): Promise<NewKey> {
  if (keystore !== null) {
    const passphrase = generatePassphrase((size) => context.host.random(size));
    const place = { paths: statePaths(envStateFolder(context.host, names.repo, names.env)), keystore, names };
    return { passphrase, place: keystore.description, store: () => replaceKey(place, key, passphrase) };
  }
  const given = (await passphraseFromVariables(context)) as Passphrase;
  const problem = passphraseProblem(given.text, { chosen: true, iterations });
  if (problem !== null) {
    const hint = `unset ${given.source} to have one made and kept in the keystore, or set a better one`;
    throw new CliError("INPUT", `the passphrase in ${given.source} cannot be used: ${problem}`, hint);
  }
  return { passphrase: given.text, place: given.source, store: async () => async () => undefined };
}

/**
 * Puts a passphrase in the place of `before`, which is kept beside it. Throws with nothing changed; the way back restores
 * everything.
 */
export async function replaceKey(
  { paths, keystore, names: { repo, env } }: KeyPlace,
  before: string | null,
  passphrase: string,
): Promise<() => Promise<void>> {
  const [account, aside] = [keyAccount(repo, env), replacedAccount(repo, env)];
  const keptBefore = await keystore.get(aside);
  const put = async (name: string, secret: string | null): Promise<void> => {
    if (secret === null) await keystore.delete(name);
    else await keystore.set(name, secret);
  };
  const putBack = async (): Promise<void> => {
    await put(account, before);
    await put(aside, keptBefore);
  };
  try {
    if (before !== null && before !== passphrase) await keepReplaced(keystore, aside, before);
    noteKey(paths, before === null ? "made" : "replaced");
    await keystore.set(account, passphrase);
  } catch (error) {
    await putBack().catch(() => undefined); // the first failure is the one to tell
    throw error;
  }
  return putBack;
}
