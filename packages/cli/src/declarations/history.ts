// What was published and what was replaced.

import { type Command, Option } from "commander";
import { AUDIT_ACTIONS } from "../audit/actions.ts";
import { audited, count, type Execute } from "./declare.ts";

const OLD_PASSPHRASE = "passphrase of a backup from before a rotation or take-over, - for stdin";

export function declareHistory(program: Command, execute: Execute): void {
  program
    .command("versions <env>")
    .description("what was published, newest first: by whom, when, why")
    .option("--limit <n>", "show so many (default 20)", count)
    .addOption(new Option("--all", "show all").conflicts("limit"))
    .option("--key <name>", "only the versions that changed this value")
    .action((env: string, options) =>
      execute(async (context) => {
        const { versions, describeVersions } = await import("../commands/versions.ts");
        const result = await versions(context, { env, ...options });
        return { result, said: describeVersions(result, context.host.now(), options.key) };
      }),
    );
  audited(program.command("restore <env> <version>"))
    .description("publish an old version (YYYYMMDD-HHmmss, or previous) as the newest one; history keeps all")
    .option("--old-passphrase-file <path>", "passphrase of a version from before a rotation, - for stdin")
    .option("--accept-rollback", "go on although the bucket is older than what was seen before")
    .action((env: string, version: string, options) =>
      execute(async (context) => {
        const { restore, describeRestore } = await import("../commands/restore.ts");
        const result = await restore(context, { env, version, ...options });
        return { result, said: describeRestore(result) };
      }),
    );
  program
    .command("audit <env>")
    .description("who did what, newest first; --verify checks the log's chain")
    .option("--limit <n>", "show so many (default 50)", count)
    .addOption(new Option("--all", "show all").conflicts("limit"))
    .option("--since <time>", "from this date or time on")
    .addOption(new Option("--action <name>", "only what it names").choices(AUDIT_ACTIONS))
    .option("--csv", "as CSV on stdout")
    .option("--verify", "hold the log against itself, the history and what this machine remembers")
    .action((env: string, options) =>
      execute(async (context) => {
        const { audit, describeAudit } = await import("../commands/audit.ts");
        const result = await audit(context, { env, ...options });
        return { result, said: describeAudit(result) };
      }),
    );
}

export function declareBackup(program: Command, execute: Execute): void {
  const group = program.command("backup").description("what pulls replaced on this machine");
  group
    .command("list <env>")
    .description("the backups there are, newest first")
    .action((env: string) =>
      execute(async (context) => {
        const { backupList, describeBackupList } = await import("../commands/backup.ts");
        const result = await backupList(context, { env });
        return { result, said: describeBackupList(result) };
      }),
    );
  group
    .command("diff <env> [backup]")
    .description("names that restoring one (the newest, unless named) would change in the vault folder")
    .option("--old-passphrase-file <path>", OLD_PASSPHRASE)
    .option("--reveal", "show values: a unified diff of each text file")
    .action((env: string, backup: string | undefined, options) =>
      execute(async (context) => {
        const { backupDiff, describeBackupDiff } = await import("../commands/backup.ts");
        const result = await backupDiff(context, {
          env,
          ...(backup !== undefined && { backup }),
          ...options,
        });
        return { result, said: describeBackupDiff(result) };
      }),
    );
  group
    .command("restore <env> [backup]")
    .description(
      "bring one back into the vault folder (the newest, unless named); edits there become a backup",
    )
    .option("--old-passphrase-file <path>", OLD_PASSPHRASE)
    .action((env: string, backup: string | undefined, options) =>
      execute(async (context) => {
        const { backupRestore, describeBackupRestore } = await import("../commands/backup.ts");
        const result = await backupRestore(context, {
          env,
          ...(backup !== undefined && { backup }),
          ...options,
        });
        return { result, said: describeBackupRestore(result) };
      }),
    );
}
