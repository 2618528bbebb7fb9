// `vsync check <env>`: the vault's names against those that the application says it needs.

import { devNull } from "node:os";
import { join, resolve } from "node:path";
import { parseEnv } from "@vsync/envelope";
import { CliError } from "../cli-error.ts";
import { readRegularFile } from "../config/regular-file.ts";
import type { Context, Said } from "../context.ts";
import { visible } from "../terminal.ts";
import { locateVault } from "../vault/local-vault.ts";
import { readScalars } from "../vault/scalars.ts";

export interface CheckInput {
  readonly env: string;
  /** A .env file whose names are needed; `.env.example` in the root otherwise. */
  readonly schema?: string;
}

/** Names only, sorted. */
export interface CheckResult {
  readonly env: string;
  readonly schema: string;
  readonly missing: readonly string[];
  /** There, but with an empty value where the schema has one. */
  readonly empty: readonly string[];
  /** In the vault and not in the schema. */
  readonly unknown: readonly string[];
}

export async function check(context: Context, { env, schema }: CheckInput): Promise<CheckResult> {
  const located = await locateVault(context, env);
  const path =
    schema === undefined ? join(located.repository.root, ".env.example") : resolve(context.host.cwd, schema);
  const needed = readSchema(path);
  const { pairs } = readScalars(located);
  const result: CheckResult = {
    env,
    schema: path,
    missing: [...needed.keys()].filter((name) => !pairs.has(name)).sort(),
    empty: [...needed]
      .filter(([name, example]) => example !== "" && pairs.get(name) === "")
      .map(([name]) => name)
      .sort(),
    unknown: [...pairs.keys()].filter((name) => !needed.has(name)).sort(),
  };
  const [first] = result.missing;
  if (first === undefined) return result;
  throw new CliError(
    "INPUT",
    [`${env} lacks ${list(result.missing)}`, ...remarks(result)].join("; "),
    `vsync set ${env} ${visible(first)}   (needed by ${path})`,
    { details: result },
  );
}

export function describeCheck(result: CheckResult): Said {
  return { notes: [`${result.env} has every name of ${result.schema}`, ...remarks(result)] };
}

function remarks({ empty, unknown }: CheckResult): string[] {
  return [
    ...(empty.length > 0 ? [`empty: ${list(empty)}`] : []),
    ...(unknown.length > 0 ? [`not in the schema: ${list(unknown)}`] : []),
  ];
}

function list(names: readonly string[]): string {
  return names.map(visible).join(", ");
}

const MAX_SCHEMA = 16 * 1024 * 1024;

function readSchema(path: string): ReadonlyMap<string, string> {
  const refuse = (problem: string, cause?: unknown): CliError => {
    const hint = "make one with the names that the application needs, or name it: --schema <file>";
    return new CliError("INPUT", problem, hint, { cause });
  };
  if (path === devNull) return new Map(); // to ask for empty values alone
  try {
    return parseEnv(
      readRegularFile(path, { maxBytes: MAX_SCHEMA, refuse: (problem) => refuse(`${path} ${problem}`) }),
    );
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
    throw refuse(`there is no ${path} to check against`, error);
  }
}
