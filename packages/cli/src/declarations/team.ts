// Handing an environment on, and taking it away.

import type { Command } from "commander";
import { audited, type Execute, fileToWrite } from "./declare.ts";

export function declareRotation(program: Command, execute: Execute): void {
  audited(program.command("rotate-passphrase <env>"))
    .description("bring the vault under a new passphrase")
    .option("--grace <time>", "applications may start with the old one until then: 30m, 24h, 7d")
    .option("--finish", "end a grace period before its time; rotates nothing")
    .option("--force", "rotate although a grace period still runs: it ends at once")
    .option("--new-passphrase-file <path>", "the new passphrase, - for stdin (default: one is generated)")
    .option("--out <file>", "write the new passphrase to a new file of mode 0600 as well", fileToWrite)
    .action((env: string, options) =>
      execute(async (context) => {
        const { rotatePassphrase, describeRotatePassphrase } = await import(
          "../commands/rotate-passphrase.ts"
        );
        const result = await rotatePassphrase(context, { env, ...options });
        return { result, said: describeRotatePassphrase(result) };
      }),
    );
}

export function declareShare(program: Command, execute: Execute): void {
  const group = program
    .command("share")
    .description("hand an environment to a teammate: its config and its key");
  for (const [parent, hidden] of [
    [group, false],
    [program, true],
  ] as const) {
    audited(parent.command("export <env>", { hidden }))
      .description("write an encrypted share file and show its passphrase once")
      .option("--out <file>", "the file (default: <repository>-<env>.share)", fileToWrite)
      .option("--passphrase-file <path>", "a passphrase of your own for it, - for stdin (default: six words)")
      .option("--access-key <id>", "the teammate's own store key, instead of yours")
      .option("--secret-key-file <path>", "file with that key's secret, - for stdin")
      .action((env: string, options) =>
        execute(async (context) => {
          const { shareExport, describeShareExport } = await import("../commands/share-export.ts");
          const result = await shareExport(context, { env, ...options });
          return { result, said: describeShareExport(result) };
        }),
      );
    audited(parent.command("import <file>", { hidden }))
      .description("set up an environment from a share file")
      .option("--passphrase-file <path>", "the share's passphrase, - for stdin (or VSYNC_SHARE_PASSPHRASE)")
      .option("--overwrite", "replace another vault of that name on this machine")
      .action((file: string, options) =>
        execute(async (context) => {
          const { shareImport, describeShareImport } = await import("../commands/share-import.ts");
          const result = await shareImport(context, { file, ...options });
          return { result, said: describeShareImport(result) };
        }),
      );
  }
}
