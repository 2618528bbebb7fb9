// From the arguments to a command that runs, or to help, or to an error that says what was meant.

import { type Command, CommanderError } from "commander";
import type { Context, Flags } from "./context.ts";
import { showsMemory } from "./node-options.ts";
import { buildProgram, flagsOf } from "./program.ts";

/**
 * Reads the command line and runs what it says. `openContext` gets the flags that all commands share. The exit status is 0
 * but for `run`, whose command has one of its own.
 */
export async function runCommandLine(
  args: readonly string[],
  openContext: (flags: Flags) => Context,
): Promise<number> {
  let status = 0;
  const program = buildProgram(async (act) => {
    const context = openContext(flagsOf(program));
    warnOfOpenMemory(context);
    const { result, said, status: own = 0 } = await act(context);
    status = own;
    if (said !== null) context.terminal.finish(result, said);
  });
  const help: string[] = [];
  let stumbled = program;
  intercept(program, help, (command) => {
    stumbled = command;
  });
  try {
    await program.parseAsync([...args], { from: "user" });
    return status;
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    const flags = flagsOf(program);
    // Whoever says --json=true reads a document, of this mistake too.
    const json = flags.json || error.message.startsWith("error: unknown option '--json=");
    const { terminal } = openContext({ ...flags, json });
    const text = help.join("").trimEnd();
    if (error.exitCode === 0) {
      terminal.finish({ help: text }, { out: text });
      return 0;
    }
    if (text !== "" && !json) terminal.note(text);
    const { usageError } = await import("./usage-error.ts");
    throw usageError(error, stumbled);
  }
}

function warnOfOpenMemory({ host, terminal }: Context): void {
  const options = showsMemory(host.env.NODE_OPTIONS, process.execArgv);
  if (options.length === 0) return;
  terminal.warn(
    `${options.join(", ")}: whoever uses that sees this process's memory, and the secrets in it (unset NODE_OPTIONS when you run vsync)`,
  );
}

// Commander would write and exit by itself; each command inherits this only when it is set before it is added.
function intercept(command: Command, help: string[], onExit: (command: Command) => void): void {
  const collect = (text: string): void => void help.push(text);
  command
    .showSuggestionAfterError(false) // usage-error.ts has its own
    .exitOverride((error) => {
      onExit(command);
      throw error;
    })
    .configureOutput({ writeOut: collect, writeErr: collect, outputError: () => undefined });
  for (const child of command.commands) intercept(child, help, onExit);
}
