// An environment's passphrase, from the first of VSYNC_PASSPHRASE_FILE, VSYNC_PASSPHRASE and the keystore that has it.

import { CliError } from "../cli-error.ts";
import { keyAccount } from "../config/paths.ts";
import { readSecretInput } from "../config/secret-input.ts";
import type { Context } from "../context.ts";
import { type Keystore, openKeystore } from "./keystore.ts";

export interface Passphrase {
  readonly text: string;
  /** For messages: "VSYNC_PASSPHRASE", "the Secret Service". */
  readonly source: string;
}

/** The passphrase that the environment's variables give, whatever the keystore holds; null when they give none. */
export async function passphraseFromVariables(context: Context): Promise<Passphrase | null> {
  const { VSYNC_PASSPHRASE_FILE: path, VSYNC_PASSPHRASE: text } = context.host.env;
  if (path) {
    const source = "VSYNC_PASSPHRASE_FILE";
    if (path === "-") throw new CliError("INPUT", `${source} is "-"; it takes a path`, `${source}=<path>`);
    return { text: await readSecretInput(context, path, source), source };
  }
  return text ? { text, source: "VSYNC_PASSPHRASE" } : null;
}

/** Throws NOT_CONFIGURED when nothing holds one, and LOCAL_IO when the keychain cannot be asked. */
export async function requirePassphrase(context: Context, repo: string, env: string): Promise<Passphrase> {
  const given = await passphraseFromVariables(context);
  if (given !== null) return given;
  const keystore = await openKeystore(context.host);
  const text = await keystore.get(keyAccount(repo, env));
  if (text !== null) return { text, source: keystore.description };
  throw new CliError(
    "NOT_CONFIGURED",
    `${keystore.description} holds no passphrase for ${keyAccount(repo, env)}`,
    `import a teammate's share (vsync share import <file>), or set VSYNC_PASSPHRASE_FILE or VSYNC_PASSPHRASE`,
  );
}

/** The keystore for a command that is about nothing else: a variable would be preferred to whatever it holds. */
export async function requireKeystore(context: Context): Promise<Keystore> {
  const given = await passphraseFromVariables(context);
  if (given === null) return await openKeystore(context.host);
  throw new CliError("INPUT", `${given.source} stands in for the keystore`, `unset ${given.source}`);
}
