// Writes docs/commands.md from what the command declares about itself, so that the reference and `--help` say the same.

import { writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { EXAMPLES } from "../packages/cli/src/examples.ts";
import { buildProgram } from "../packages/cli/src/program.ts";

type Declared = ReturnType<typeof buildProgram>;

/** The whole document. */
export function commandReference(): string {
  const program = buildProgram(async () => {});
  const commands = visible(program).flatMap((command) => leaves(command, ""));
  return `${[
    "# Commands",
    "<!-- Made by `pnpm reference` from packages/cli/src/declarations; a test compares the two. -->",
    "All options, as `vsync <command> --help` shows them. What the commands are for is in [cli.md](cli.md).",
    ...["## All commands", optionTable(program)],
    ...commands.flatMap(({ name, command }) => section(name, command)),
  ].join("\n\n")}\n`;
}

interface Leaf {
  readonly name: string;
  readonly command: Declared;
}

/** `passphrase show` is a command, `passphrase` only groups such. */
function leaves(command: Declared, group: string): Leaf[] {
  const name = `${group}${command.name()}`;
  if (command.commands.length === 0) return [{ name, command }];
  return visible(command).flatMap((child) => leaves(child, `${name} `));
}

/** Without the help command, and without second names of others. */
function visible(command: Declared): readonly Declared[] {
  return command
    .createHelp()
    .visibleCommands(command)
    .filter((child) => command.commands.includes(child));
}

function section(name: string, command: Declared): string[] {
  const parts = command.registeredArguments.map((argument) => {
    const shown = argument.variadic ? `${argument.name()}...` : argument.name();
    return argument.required ? `<${shown}>` : `[${shown}]`;
  });
  const text = `    vsync ${[name, ...parts].join(" ")}`;
  const options = command.options.length > 0 ? [optionTable(command)] : [];
  const examples = EXAMPLES[name]?.map((line) => `    ${line}`).join("\n");
  return [
    `## ${name}`,
    text,
    inText(sentence(command.description())),
    ...options,
    ...(examples === undefined ? [] : ["Examples:", examples]),
  ];
}

function optionTable(command: Declared): string {
  const rows = command.options
    .filter((option) => !option.hidden)
    .map(({ flags, description, argChoices }) => {
      const choices = argChoices === undefined ? "" : ` (${argChoices.join(", ")})`;
      return `| \`${flags}\` | ${inText(`${description}${choices}`).replaceAll("|", "\\|")} |`;
    });
  return ["| option | |", "| --- | --- |", ...rows].join("\n");
}

/** Placeholders like <env> would be taken for tags. */
function inText(text: string): string {
  return text.replaceAll("<", "&lt;");
}

function sentence(text: string): string {
  return `${text.charAt(0).toUpperCase()}${text.slice(1)}.`;
}

const document = fileURLToPath(new URL("../docs/commands.md", import.meta.url));
if (process.argv[1] === fileURLToPath(import.meta.url)) writeFileSync(document, commandReference());
