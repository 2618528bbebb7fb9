// Every command line vsync understands. A command's module is loaded only when it runs.

import { type Argument, Command, Help } from "commander";
import type { Flags } from "./context.ts";
import { declarePassphrase, declareRuntimeToken } from "./declarations/applications.ts";
import type { Execute } from "./declarations/declare.ts";
import { declareDiff, declareInit, declarePull, declarePush } from "./declarations/environment.ts";
import { declareHelp } from "./declarations/help.ts";
import { declareBackup, declareHistory } from "./declarations/history.ts";
import { declareDoctor, declareKeystore, declareProfile, declareStatus } from "./declarations/machine.ts";
import { declareSync } from "./declarations/platforms.ts";
import { declareRotation, declareShare } from "./declarations/team.ts";
import { declareRun, declareScalars } from "./declarations/values.ts";
import { addExamples } from "./examples.ts";

/** Declares all commands; each hands the work it stands for to `execute`. */
export function buildProgram(execute: Execute): Command {
  const program = new Command("vsync")
    .description("A team's secrets in its own bucket, end-to-end encrypted, with no server to run.")
    .option("--json", "print one JSON document on stdout, for failures too")
    .option("--quiet", "say nothing but errors and warnings")
    .option("--no-input", "never ask; a missing answer is an error")
    .option("--yes", "answer every confirmation with yes")
    .option("--dry-run", "show what would change and change nothing")
    .option("--repo <name>", "the repository's name, when neither .vsync nor git's origin gives it")
    .helpOption("-h, --help", "show help for a command")
    .helpCommand(false) // declared with the others: commander's own answers a mistyped name with all of the help
    .configureHelp({ showGlobalOptions: true, subcommandTerm: termOf, formatItem, minWidthToWrap: 20 })
    .addHelpText(
      "after",
      "\nvsync --version prints the version. Documentation: https://github.com/muthuishere/vsync",
    );
  program.commandsGroup("Secrets:");
  declareInit(program, execute);
  declarePush(program, execute);
  declarePull(program, execute);
  declareStatus(program, execute);
  declareDiff(program, execute);
  declareScalars(program, execute);
  declareRun(program, execute);
  program.commandsGroup("History:");
  declareHistory(program, execute);
  declareBackup(program, execute);
  program.commandsGroup("Team:");
  declareShare(program, execute);
  declareRotation(program, execute);
  program.commandsGroup("Applications and platforms:");
  declareRuntimeToken(program, execute);
  declarePassphrase(program, execute);
  declareSync(program, execute);
  program.commandsGroup("This machine:");
  declareDoctor(program, execute);
  declareProfile(program, execute);
  declareKeystore(program, execute);
  program.commandsGroup("Help:");
  declareHelp(program, execute);
  for (const command of program.commands) command.helpCommand(false);
  addExamples(program);
  return program;
}

// Beside the term, or below it where the terminal is narrow: commander would leave it to wrap as it comes.
function formatItem(term: string, termWidth: number, description: string, help: Help): string {
  const width = help.helpWidth ?? 80;
  if (width - termWidth >= 30)
    return Help.prototype.formatItem.call(help, term, termWidth, description, help);
  return [
    `  ${term}`,
    ...help
      .boxWrap(description, width - 6)
      .split("\n")
      .map((line) => `      ${line}`),
  ].join("\n");
}

// Commander would add "[options]" to nearly all of them.
function termOf(command: Command): string {
  return [command.name(), ...command.registeredArguments.map(termOfArgument)].join(" ");
}

function termOfArgument(argument: Argument): string {
  const name = `${argument.name()}${argument.variadic ? "..." : ""}`;
  return argument.required ? `<${name}>` : `[${name}]`;
}

/** The flags all commands share, as far as the command line has been read. */
export function flagsOf(program: Command): Flags {
  const { json, quiet, input, yes, dryRun, repo } = program.opts();
  return {
    json: json === true,
    quiet: quiet === true,
    noInput: input === false,
    yes: yes === true,
    dryRun: dryRun === true,
    ...(typeof repo === "string" && { repo }),
  };
}
