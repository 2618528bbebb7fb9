// Setting an environment up, and moving it between folder and bucket.

import { type Command, Option } from "commander";
import { audited, type Execute, wholeNumber } from "./declare.ts";

export function declareInit(program: Command, execute: Execute): void {
  program
    .command("init <env>")
    .description("set up an environment: passphrase, config, vault folder, bucket")
    .option("--profile <name>", "take endpoint, bucket and credentials from a stored profile")
    .option("--endpoint <url>", "https://..., http://... or file:///folder (which needs no account)")
    .option("--bucket <name>", "the bucket; with file:// a folder in it")
    .option("--region <name>", "the bucket's region (or AWS_REGION; default us-east-1)")
    .option("--prefix <path>", "where in the bucket; <env>/ is added (default: the repository's name)")
    .option("--access-key <id>", "access key id (or AWS_ACCESS_KEY_ID)")
    .option("--secret-key-file <path>", "file with the secret key, - for stdin (or AWS_SECRET_ACCESS_KEY)")
    .option(
      "--aws-profile <name>",
      "instead of a key: what this AWS profile gives at each run (SSO, roles, ...)",
    )
    .option("--vault-folder <path>", "the folder of secrets (default: infra/vault/<env>)")
    .option("--take-env-file", "move the root's .env.<env> into the vault folder")
    .option("--iterations <n>", "PBKDF2 iterations, 100000 or more (default 600000)", wholeNumber)
    .option(
      "--single-writer",
      "accept a server without conditional writes: one writer at a time, on your word",
    )
    .option(
      "--take-over",
      "replace a vault that this machine has no passphrase for; old tokens and shares die",
    )
    .option("--no-audit", "keep no audit log for this environment")
    .addOption(new Option("--keep", "environment exists: leave its config").conflicts(["edit", "overwrite"]))
    .addOption(
      new Option("--edit", "environment exists: change what is given, keep its key").conflicts("overwrite"),
    )
    .option("--overwrite", "environment exists: start anew with a fresh passphrase")
    .action((env: string, options) =>
      execute(async (context) => {
        const { init, describeInit } = await import("../commands/init.ts");
        const result = await init(context, { env, ...options });
        return { result, said: describeInit(result) };
      }),
    );
}

export function declarePush(program: Command, execute: Execute): void {
  audited(program.command("push <env>").description("publish the vault folder to the bucket"))
    .option(
      "--force",
      "publish over what somebody else published since (history keeps both), or although nothing changed",
    )
    .option(
      "--recreate",
      "publish although the manifest was deleted from the bucket (a folder that is behind: with --force)",
    )
    .option("--accept-rollback", "go on although the bucket is older than what was seen before")
    .action((env: string, options) =>
      execute(async (context) => {
        const { push, describePush } = await import("../commands/push.ts");
        const result = await push(context, { env, ...options });
        return { result, said: describePush(result) };
      }),
    );
}

export function declarePull(program: Command, execute: Execute): void {
  audited(program.command("pull <env>").description("bring the bucket's vault into the vault folder"))
    .option("--force", "discard local edits")
    .option("--backup", "keep local edits, encrypted, before they are replaced")
    .option("--version <timestamp>", "an older version: YYYYMMDD-HHmmss, or previous")
    .option("--old-passphrase-file <path>", "passphrase of a version from before a rotation, - for stdin")
    .option("--accept-rollback", "go on although the bucket is older than what was seen before")
    .action((env: string, options) =>
      execute(async (context) => {
        const { pull, describePull } = await import("../commands/pull.ts");
        const result = await pull(context, { env, ...options });
        return { result, said: describePull(result) };
      }),
    );
}

export function declareDiff(program: Command, execute: Execute): void {
  program
    .command("diff <env>")
    .description("names that differ between the vault folder and what was last synced")
    .option("--remote", "compare with the bucket's current version")
    .option("--version <timestamp>", "compare with this version of the bucket: YYYYMMDD-HHmmss, or previous")
    .option("--old-passphrase-file <path>", "passphrase of a version from before a rotation, - for stdin")
    .option("--reveal", "show values: a unified diff of each text file")
    .action((env: string, options) =>
      execute(async (context) => {
        const { diff, describeDiff } = await import("../commands/diff.ts");
        const result = await diff(context, { env, ...options });
        return { result, said: describeDiff(result) };
      }),
    );
}
