#!/usr/bin/env node
// The process: arguments in, exit status out. Nothing else ends the process.

import { CliError, toCliError } from "./cli-error.ts";
import type { Flags } from "./context.ts";
import { keepMemoryOfCores } from "./core-files.ts";
import { exitStatus } from "./exit-codes.ts";
import { nodeHost } from "./host.ts";
import { createTerminal } from "./terminal.ts";
import { VERSION } from "./version.ts";

const NO_FLAGS: Flags = { json: false, quiet: false, noInput: false, yes: false, dryRun: false };

process.exit(await main(process.argv.slice(2)));

async function main(args: readonly string[]): Promise<number> {
  const openTerminal = (flags: Flags) => createTerminal(process, process.env, flags);
  let terminal = openTerminal({ ...NO_FLAGS, json: args.includes("--json") });
  const interrupted = (): void => {
    if (process.stdin.isTTY) process.stdin.setRawMode(false);
    terminal.fail(new CliError("INTERRUPTED", "interrupted", ""));
    process.exit(exitStatus("INTERRUPTED"));
  };
  process.once("SIGINT", interrupted);
  process.on("SIGUSR1", () => undefined); // Node would open its debugger, to every user of this machine
  const ownSignals = (): void => void process.off("SIGINT", interrupted);
  let status = 0;
  try {
    if (asksForVersion(args)) {
      // Answered before the command line's machinery is loaded, which costs more than all the rest.
      terminal.finish({ version: VERSION }, { out: VERSION });
    } else {
      const host = nodeHost();
      keepMemoryOfCores();
      const { runCommandLine } = await import("./command-line.ts");
      status = await runCommandLine(args, (flags) => {
        terminal = openTerminal(flags);
        return { host, terminal, flags, ownSignals };
      });
    }
    await terminal.flush();
    return status;
  } catch (error) {
    const failure = toCliError(error);
    terminal.fail(failure);
    await terminal.flush().catch(() => undefined); // the failure at hand says more than a full disk behind stdout
    return exitStatus(failure.code);
  }
}

// Only as the command itself: `vsync pull dev --version <timestamp>` is another matter.
function asksForVersion(args: readonly string[]): boolean {
  return ["--version", "-V"].includes(args.find((arg) => arg !== "--json") ?? "");
}
