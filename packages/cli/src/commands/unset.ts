// `vsync unset <env> NAME`: takes one scalar out of the vault folder.

import { unsetEnvValue } from "@vsync/envelope";
import type { Context, Said } from "../context.ts";
import { locateVault } from "../vault/local-vault.ts";
import { editScalars, noSuchScalar } from "../vault/scalars.ts";

export interface UnsetInput {
  readonly env: string;
  readonly name: string;
}

export interface UnsetResult {
  readonly env: string;
  readonly name: string;
  /** Entry name of the file it stood in. */
  readonly file: string;
}

export async function unset(context: Context, { env, name }: UnsetInput): Promise<UnsetResult> {
  const located = await locateVault(context, env);
  const { file } = editScalars(located, (scalars) => {
    if (!scalars.pairs.has(name)) throw noSuchScalar(located, scalars, name);
    const edited = unsetEnvValue(scalars.bytes, name);
    return context.flags.dryRun ? scalars.bytes : edited;
  });
  return { env, name, file };
}

export function describeUnset({ env, name, file }: UnsetResult): Said {
  return { notes: [`removed ${name} from ${file}; to publish that: vsync push ${env}`] };
}
