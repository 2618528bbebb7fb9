// What the declarations of commands have in common.

import { type Command, InvalidArgumentError } from "commander";
import type { Context, Said } from "../context.ts";

/** Runs a command and gives what it returned and what there is to say about it; null: it has had its say. */
export type Act = (context: Context) => Promise<{ result: unknown; said: Said | null; status?: number }>;

/** Takes the work that a command line stands for. */
export type Execute = (act: Act) => Promise<void>;

/** The options of every command that leaves a row in the audit log. */
export function audited(command: Command): Command {
  return command
    .option("--note <text>", "a note for the audit log")
    .option("--meta <key=value>", "more for the audit log; may be given several times", addPair)
    .option("--no-audit", "leave no row in the audit log");
}

export function add(item: string, items: readonly string[] | undefined): string[] {
  return [...(items ?? []), item];
}

function addPair(pair: string, pairs: Readonly<Record<string, string>> = {}): Record<string, string> {
  const [, key, value] = /^([^=]+)=(.*)$/s.exec(pair) ?? [];
  if (key === undefined || value === undefined) throw new InvalidArgumentError("It takes key=value.");
  return Object.fromEntries([...Object.entries(pairs), [key, value]]);
}

/** For `--out`: other options take - for standard input, so it could be meant for standard output. */
export function fileToWrite(path: string): string {
  if (path !== "-") return path;
  throw new InvalidArgumentError("It takes a file and not standard output; a file of that name is ./-");
}

export function wholeNumber(text: string): number {
  if (!/^\d{1,15}$/.test(text)) throw new InvalidArgumentError("It takes a whole number.");
  return Number(text);
}

/** How many to show: none would read as if there were none. */
export function count(text: string): number {
  if (!/^0*[1-9]\d{0,14}$/.test(text)) throw new InvalidArgumentError("It takes a whole number from 1.");
  return Number(text);
}
