// `vsync passphrase show <env>`: the string that an application gets as VSYNC_PASSPHRASE. Only to somebody who is
// there and was asked, or into a private file.

import { resolve } from "node:path";
import { CliError } from "../cli-error.ts";
import { replacedAccount } from "../config/paths.ts";
import { createPrivateFile } from "../config/private-file.ts";
import type { Context, Said } from "../context.ts";
import { warnIfCommittable } from "../identity/committable.ts";
import { openKeystore } from "../keys/keystore.ts";
import { requirePassphrase } from "../keys/passphrase.ts";
import { replacedPassphrases } from "../keys/replaced-passphrases.ts";
import { locateVault } from "../vault/local-vault.ts";
import { locate } from "../vault/located.ts";

export interface PassphraseShowInput {
  readonly env: string;
  readonly out?: string;
  /** The one before the last rotation: versions from before open with it. */
  readonly replaced?: boolean;
  /** With `replaced`: 2 for the one before that, and so on. */
  readonly nth?: number;
}

export type PassphraseShowResult =
  | { readonly passphrase: string }
  | { readonly out: string; readonly dryRun: boolean };

export async function passphraseShow(
  context: Context,
  { env, out, replaced = false, nth = 1 }: PassphraseShowInput,
): Promise<PassphraseShowResult> {
  const { host, terminal, flags } = context;
  const repo = locate(context, env).repository.name;
  const which = `${replaced ? " --replaced" : ""}${nth === 1 ? "" : ` --nth ${nth}`}`;
  const toFile = `vsync passphrase show ${env}${which} --out <file>`;
  if (out === undefined && !terminal.interactive) {
    throw new CliError(
      "INPUT",
      "a passphrase is shown only on a terminal, to somebody who was asked",
      `write it to a new private file: ${toFile}`,
    );
  }
  await locateVault(context, env); // an interrupted rotation may have brought another passphrase into force
  const text = replaced
    ? await replacedPassphrase(context, repo, env, nth)
    : (await requirePassphrase(context, repo, env)).text;
  if (out === undefined) {
    const asked = `Show the passphrase of ${repo}/${env} here? Who sees it can read every secret of ${env}`;
    if (await terminal.confirm(asked)) return { passphrase: text };
    throw new CliError("INPUT", "not shown", `to a file instead: ${toFile}`);
  }
  const path = resolve(host.cwd, out);
  if (!flags.dryRun) {
    writeNew(path, text);
    warnIfCommittable(context, path);
  }
  return { out, dryRun: flags.dryRun };
}

export function describePassphraseShow(result: PassphraseShowResult): Said {
  if ("passphrase" in result) return { out: result.passphrase };
  if (result.dryRun) return { notes: [`would write the passphrase to ${result.out}`] };
  return {
    notes: [`wrote the passphrase to ${result.out} (mode 0600); keep it away from the runtime token`],
  };
}

async function replacedPassphrase(
  { host, terminal }: Context,
  repo: string,
  env: string,
  nth: number,
): Promise<string> {
  const keystore = await openKeystore(host);
  const kept = await replacedPassphrases(keystore, replacedAccount(repo, env));
  const text = kept[nth - 1];
  if (text === undefined) {
    const which = nth === 1 ? "no passphrase" : `no ${nth} passphrases`;
    const message = `${keystore.description} holds ${which} from before a rotation of ${repo}/${env}`;
    throw new CliError("NOT_CONFIGURED", message, "ask a teammate who may have kept it");
  }
  if (nth < kept.length) {
    const next = `vsync passphrase show ${env} --replaced --nth ${nth + 1} --out <file>`;
    terminal.note(`older ones are kept too (${kept.length - nth}); the next: ${next}`);
  }
  return text;
}

function writeNew(path: string, text: string): void {
  try {
    createPrivateFile(path, text);
  } catch (error) {
    if (!(error instanceof Error && "code" in error && error.code === "EEXIST")) throw error;
    throw new CliError("INPUT", `${path} exists already`, "give --out a new name, or remove that file", {
      cause: error,
    });
  }
}
