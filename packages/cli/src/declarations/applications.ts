// The two strings an application needs.

import { type Command, Option } from "commander";
import { audited, count, type Execute, fileToWrite } from "./declare.ts";

export function declareRuntimeToken(program: Command, execute: Execute): void {
  const formats = new Option("--format <name>", "what to print it for");
  audited(program.command("runtime-token <env>").description("print VSYNC_CONFIG for an application"))
    .option("--access-key <id>", "a read-only key for the application instead of yours")
    .option("--secret-key-file <path>", "file with that key's secret, - for stdin")
    .option("--temporary", "put your own credentials into it although they expire")
    .option("--no-validate", "do not ask the bucket, for work offline")
    .addOption(formats.choices(["env", "k8s", "compose", "github", "systemd"]))
    .option(
      "--out <file>",
      "write it to a file of mode 0600 instead; an earlier token there is replaced",
      fileToWrite,
    )
    .action((env: string, options) =>
      execute(async (context) => {
        const { runtimeToken, describeRuntimeToken } = await import("../commands/runtime-token.ts");
        const result = await runtimeToken(context, { env, ...options });
        return { result, said: describeRuntimeToken(result) };
      }),
    );
}

export function declarePassphrase(program: Command, execute: Execute): void {
  const group = program
    .command("passphrase")
    .description("the string an application gets as VSYNC_PASSPHRASE");
  group
    .command("show <env>")
    .description("show it on the terminal, after a question, or write it to a file")
    .option("--out <file>", "write it to a new file of mode 0600 instead", fileToWrite)
    .option("--replaced", "the one before the last rotation, for versions from before it")
    .addOption(
      new Option("--nth <n>", "of those that were replaced: 2 for the one before that, and so on")
        .argParser(count)
        .implies({ replaced: true }),
    )
    .action((env: string, options) =>
      execute(async (context) => {
        const { passphraseShow, describePassphraseShow } = await import("../commands/passphrase-show.ts");
        const result = await passphraseShow(context, { env, ...options });
        return { result, said: describePassphraseShow(result) };
      }),
    );
}
