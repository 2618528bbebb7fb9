// Help: documents and completion.

import { Argument, type Command } from "commander";
import type { Execute } from "./declare.ts";

export function declareHelp(program: Command, execute: Execute): void {
  program
    .command("docs [topic]")
    .description("how to set up a bucket at this provider: aws, r2, b2, gcs, minio, ceph, hetzner, folder")
    .action((topic: string | undefined) =>
      execute(async () => {
        const { docs, describeDocs } = await import("../commands/docs.ts");
        const result = await docs(topic === undefined ? {} : { topic });
        return { result, said: describeDocs(result) };
      }),
    );
  program
    .command("completion")
    .description("print a script that completes commands, options and names in your shell")
    .addArgument(new Argument("<shell>", "the shell").choices(["bash", "zsh", "fish", "pwsh"]))
    .action((shell: "bash" | "zsh" | "fish" | "pwsh") =>
      execute(async () => {
        const { completion, describeCompletion } = await import("../commands/completion.ts");
        const result = await completion({ shell });
        return { result, said: describeCompletion(result) };
      }),
    );
  program
    .command("help [command...]")
    .description("show help for a command, as --help does")
    .action((words: string[]) => {
      let command = program;
      for (const word of words) {
        const child = command.commands.find((each) => each.name() === word);
        if (child === undefined) {
          return command.error(`unknown command '${word}'`, { code: "commander.unknownCommand" });
        }
        command = child;
      }
      command.help();
    });
  program.command("__complete [words...]", { hidden: true }).action((words: string[]) =>
    execute(async ({ host }) => {
      const { complete } = await import("../completion.ts");
      const found = complete(program, host, words);
      return { result: { candidates: found }, said: found.length === 0 ? {} : { out: found.join("\n") } };
    }),
  );
}
