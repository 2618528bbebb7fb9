// What could come next on a command line: commands, options, environments, profiles. Asks no git and no bucket: a shell
// waits for the answer at every press of a key.

import { existsSync, readdirSync } from "node:fs";
import { dirname, join } from "node:path";
import type { Command } from "commander";
import { configuredEnvs } from "./config/env-config.ts";
import { configFolder } from "./config/paths.ts";
import { listProfiles } from "./config/profiles.ts";
import { readRegularFile } from "./config/regular-file.ts";
import type { Host } from "./host.ts";

const MAX_VSYNC_FILE = 4096;

/** Candidates for the last of `words`, which is what has been typed of it. Files are left to the shell: none at all. */
export function complete(program: Command, host: Host, words: readonly string[]): string[] {
  const typed = words.at(-1) ?? "";
  const { command, operands, option } = readSoFar(program, words.slice(0, -1));
  return candidates(program, host, command, operands, option, typed).filter((candidate) =>
    candidate.startsWith(typed),
  );
}

function candidates(
  program: Command,
  host: Host,
  command: Command,
  operands: number,
  option: string | null,
  typed: string,
): readonly string[] {
  if (option !== null) return valuesOf(host, command, option);
  if (typed.startsWith("-")) {
    const options = [...command.options, ...(command === program ? [] : program.options)];
    return [...options.filter(({ hidden }) => !hidden).map(({ long }) => long ?? ""), "--help"];
  }
  if (command.commands.length > 0)
    return command
      .createHelp()
      .visibleCommands(command)
      .map((child) => child.name());
  const argument = command.registeredArguments[operands];
  if (argument?.name() === "env") return environments(host);
  if (argument?.name() === "profile") return listProfiles(host);
  return argument?.argChoices ?? [];
}

/** The command that the words before name, how many operands it has, and the option that waits for its value. */
function readSoFar(
  program: Command,
  before: readonly string[],
): { command: Command; operands: number; option: string | null } {
  let command = program;
  let operands = 0;
  let option: string | null = null;
  for (const word of before) {
    if (option !== null) option = null;
    else if (word.startsWith("-")) {
      const found = [...command.options, ...program.options].find(
        ({ long, short }) => word === long || word === short,
      );
      if (found?.required || found?.optional) option = word;
    } else {
      const child = command.commands.find((each) => each.name() === word);
      if (child === undefined) operands++;
      else command = child;
    }
  }
  return { command, operands, option };
}

function valuesOf(host: Host, command: Command, option: string): readonly string[] {
  if (option === "--profile") return listProfiles(host);
  return command.options.find(({ long }) => long === option)?.argChoices ?? [];
}

/** Of this repository when it has a `.vsync` file, which needs no git to be read; else of all. */
function environments(host: Host): string[] {
  const repo = repositoryName(host.cwd);
  const repos = repo === null ? repositories(host) : [repo];
  return [...new Set(repos.flatMap((name) => configuredEnvs(host, name)))].sort();
}

function repositoryName(start: string): string | null {
  for (let folder = start; ; folder = dirname(folder)) {
    const text = readVsyncFile(join(folder, ".vsync"));
    if (text !== null) return /^\s*repo\s*=\s*([a-z0-9._]+)\s*$/m.exec(text)?.[1] ?? null;
    if (folder === dirname(folder)) return null;
  }
}

/** Null when there is none, and for what the commands would not read either: they say so, this answers. */
function readVsyncFile(path: string): string | null {
  try {
    const bytes = readRegularFile(path, {
      maxBytes: MAX_VSYNC_FILE,
      refuse: (problem) => new Error(problem),
    });
    return new TextDecoder().decode(bytes);
  } catch {
    return null;
  }
}

function repositories(host: Host): string[] {
  const folder = join(configFolder(host), "config");
  return existsSync(folder) ? readdirSync(folder) : [];
}
