// What was wrong with a command line, in vsync's own words: commander says what it stumbled over, this says what to type.

import type { Command, CommanderError } from "commander";
import { CliError } from "./cli-error.ts";
import { nearest } from "./nearest.ts";
import { visible } from "./terminal.ts";

/** `command`: the one that could not make sense of its arguments. */
export function usageError({ code, message }: CommanderError, command: Command): CliError {
  const path = pathOf(command);
  const help = `${path} --help`;
  if (code === "commander.help") return noCommand(command, path);
  // Without what is quoted after `=`: somebody may have put a secret there.
  const said = message.replace(/^error: /, "").replace(/^(unknown option '[^'=]*)=.*'$/s, "$1'");
  const [, kind, word = ""] = /^unknown (option|command) '(.*)'$/s.exec(said) ?? [];
  if (kind === "option") {
    const file = SECRET.test(word) ? secretFileOption(command) : null;
    if (file !== null) return secretOnCommandLine(word, file, help);
    // Commander knows no such option where a value stands after its `=`.
    if (optionNames(command).includes(word))
      return new CliError("USAGE", `option '${word}' takes no value`, `${word} alone   (${help})`);
    const meant = nearest(word, [...optionNames(command), "--help"]);
    return new CliError("USAGE", visible(said), meant === null ? help : `did you mean ${meant}?   (${help})`);
  }
  if (kind === "command") {
    const meant = nearest(word, commandNames(command));
    return new CliError(
      "USAGE",
      visible(said),
      meant === null ? help : `did you mean ${path} ${meant}?   (${help})`,
    );
  }
  return new CliError("USAGE", visible(said), help);
}

const SECRET = /secret|pass(word|phrase)?\b|token/;

function noCommand(command: Command, path: string): CliError {
  const hint =
    command.parent === null
      ? "to begin: vsync init <env>, or with a teammate's share: vsync share import <file>"
      : `${path} takes one of: ${commandNames(command).join(", ")}`;
  return new CliError("USAGE", "no command was given", hint);
}

function secretOnCommandLine(flag: string, { flags }: { readonly flags: string }, help: string): CliError {
  return new CliError(
    "USAGE",
    `there is no ${visible(flag)}: a secret on the command line would stay in the shell's history and be seen by other users`,
    `${flags}   takes it from a file, or with - from standard input   (${help})`,
  );
}

function secretFileOption(command: Command): { readonly flags: string } | null {
  return command.options.find(({ long }) => SECRET.test(long ?? "") && long?.endsWith("-file")) ?? null;
}

function optionNames(command: Command): string[] {
  const own = command.options.flatMap(({ long, hidden }) => (hidden ? [] : (long ?? [])));
  return command.parent === null ? own : [...own, ...optionNames(command.parent)];
}

function commandNames(command: Command): string[] {
  return command
    .createHelp()
    .visibleCommands(command)
    .map((child) => child.name());
}

function pathOf(command: Command): string {
  return command.parent === null ? command.name() : `${pathOf(command.parent)} ${command.name()}`;
}
