// `vsync get <env> NAME`: one scalar of the vault folder, and nothing else, on stdout.

import type { Context, Said } from "../context.ts";
import { locateVault } from "../vault/local-vault.ts";
import { isPushDue, noSuchScalar, readScalars } from "../vault/scalars.ts";

export interface GetInput {
  readonly env: string;
  readonly name: string;
}

export interface GetResult {
  readonly env: string;
  readonly name: string;
  readonly value: string;
  /** Entry name of the file it stands in. */
  readonly file: string;
  /** The vault folder may differ from what was last synced. */
  readonly pushDue: boolean;
}

export async function get(context: Context, { env, name }: GetInput): Promise<GetResult> {
  const located = await locateVault(context, env);
  const scalars = readScalars(located);
  const value = scalars.pairs.get(name);
  if (value === undefined) throw noSuchScalar(located, scalars, name);
  return { env, name, value, file: scalars.file, pushDue: isPushDue(located) };
}

export function describeGet({ env, value, pushDue }: GetResult): Said {
  return {
    out: value,
    notes: pushDue ? [`the vault folder may have changes to publish: vsync push ${env}`] : [],
  };
}
