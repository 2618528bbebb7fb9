// `vsync set <env> NAME`: gives one scalar of the vault folder a value, and changes no other byte of its file.

import { fromUtf8, setEnvValue } from "@vsync/envelope";
import { CliError } from "../cli-error.ts";
import { readInput } from "../config/secret-input.ts";
import type { Context, Said } from "../context.ts";
import { locateVault } from "../vault/local-vault.ts";
import { editScalars, isScalarName } from "../vault/scalars.ts";

export interface SetInput {
  readonly env: string;
  readonly name: string;
  /** `-`: the value comes from standard input. */
  readonly source?: string;
  readonly file?: string;
}

export interface SetResult {
  readonly env: string;
  readonly name: string;
  /** Entry name of the file it stands in. */
  readonly file: string;
  /** `unchanged`: it had this value already; with --dry-run what would have happened. */
  readonly became: "added" | "changed" | "unchanged";
  /** Nothing was written. */
  readonly dryRun: boolean;
}

const MAX_VALUE_BYTES = 1024 * 1024;

export async function set(context: Context, input: SetInput): Promise<SetResult> {
  const { env, name } = input;
  checkName(env, name);
  const located = await locateVault(context, env);
  const value = await readValue(context, input);
  let became: SetResult["became"] = "unchanged";
  const { file } = editScalars(located, ({ bytes, pairs }) => {
    const edited = setEnvValue(bytes, name, value);
    if (edited !== bytes) became = pairs.has(name) ? "changed" : "added";
    return context.flags.dryRun ? bytes : edited;
  });
  return { env, name, file, became, dryRun: context.flags.dryRun };
}

export function describeSet({ env, name, file, became, dryRun }: SetResult): Said {
  if (became === "unchanged") return { notes: [`${name} in ${file} has this value already`] };
  if (dryRun) return { notes: [`would ${became === "added" ? "add" : "change"} ${name} in ${file}`] };
  return { notes: [`${became} ${name} in ${file}; to publish it: vsync push ${env}`] };
}

// Before anything is asked, and without repeating what may hold the value.
function checkName(env: string, name: string): void {
  if (isScalarName(name)) return;
  const [start = "", ...rest] = name.split("=");
  if (rest.length > 0 && isScalarName(start)) {
    const message =
      "a value on the command line would stay in the shell's history and be seen by other users";
    throw new CliError("USAGE", message, `vsync set ${env} ${start}   (asks for it; or: ... - < file)`);
  }
  throw new CliError("USAGE", "a name holds letters, digits, _ . and - only", `vsync set ${env} <NAME>`);
}

async function readValue(context: Context, { env, name, source, file }: SetInput): Promise<string> {
  if (source !== undefined && source !== "-") {
    const message =
      "a value on the command line would stay in the shell's history and be seen by other users";
    throw new CliError("USAGE", message, `vsync set ${env} ${name}   (asks for it; or: ... - < file)`);
  }
  if (source !== undefined && file !== undefined) {
    throw new CliError(
      "USAGE",
      "the value comes either from standard input or from --file",
      "leave out one of them",
    );
  }
  const path = source ?? file;
  if (path === undefined) {
    if (context.terminal.interactive) return await context.terminal.askSecret(`Value of ${name}`);
    const hint = `vsync set ${env} ${name} - < file   or   vsync set ${env} ${name} --file <path>`;
    throw new CliError("INPUT", `no terminal to ask for the value of ${name} on`, hint);
  }
  const bytes = await readInput(
    context,
    path,
    file === undefined ? "standard input" : "--file",
    MAX_VALUE_BYTES,
  );
  const text = fromUtf8(bytes);
  if (text === null) {
    const hint = "a .env file holds text; put other bytes into a file of their own in the vault folder";
    throw new CliError("INPUT", `the value for ${name} is not UTF-8 text`, hint);
  }
  // What a shell or an editor put at the end is not meant; a value that ends in a line break needs two.
  return text.replace(/\r?\n$/, "");
}
