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
  /** Nothing was written. */
  readonly dryRun: boolean;
}

export async function unset(context: Context, { env, name }: UnsetInput): Promise<UnsetResult> {
  const located = await locateVault(context, env);
  const { file } = editScalars(located, (scalars) => {
    if (!scalars.pairs.has(name)) throw noSuchScalar(located, scalars, name);
    const edited = unsetEnvValue(scalars.bytes, name);
    return context.flags.dryRun ? scalars.bytes : edited;
  });
  return { env, name, file, dryRun: context.flags.dryRun };
}

export function describeUnset({ env, name, file, dryRun }: UnsetResult): Said {
  if (dryRun) return { notes: [`would remove ${name} from ${file}`] };
  return { notes: [`removed ${name} from ${file}; to publish that: vsync push ${env}`] };
}
