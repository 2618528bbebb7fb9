// This machine: what it has, and whether it is in order.

import type { Command } from "commander";
import { type Execute, fileToWrite } from "./declare.ts";

export function declareStatus(program: Command, execute: Execute): void {
  program
    .command("status")
    .description("am I in step with the team, and is anything broken? Changes nothing")
    .option("--remote", "ask the bucket too")
    .option("--all", "every repository on this machine")
    .action((options) =>
      execute(async (context) => {
        const { status, describeStatus } = await import("../commands/status.ts");
        const result = await status(context, options);
        return { result, said: describeStatus(result, context.host.now()) };
      }),
    );
}

export function declareDoctor(program: Command, execute: Execute): void {
  program
    .command("doctor [env]")
    .description("try out everything that vsync stands on, and say how to mend what does not hold")
    .option("--iam", "print the least that writers and applications need to be allowed, and try nothing out")
    .action((env: string | undefined, options) =>
      execute(async (context) => {
        const { doctor, describeDoctor } = await import("../commands/doctor.ts");
        const result = await doctor(context, { ...(env !== undefined && { env }), ...options });
        return { result, said: describeDoctor(result, context.flags.quiet), status: result.status };
      }),
    );
}

export function declareProfile(program: Command, execute: Execute): void {
  const group = program.command("profile").description("named store credentials, for init --profile");
  group
    .command("add <name>")
    .description("keep endpoint, bucket and credentials under a name")
    .option("--endpoint <url>", "https://..., http://... or file:///folder")
    .option("--bucket <name>", "the bucket")
    .option("--region <name>", "the bucket's region (or AWS_REGION; default us-east-1)")
    .option("--prefix <path>", "where in the bucket; <env>/ is added (default: the repository's name)")
    .option("--access-key <id>", "access key id (or AWS_ACCESS_KEY_ID)")
    .option("--secret-key-file <path>", "file with the secret key, - for stdin (or AWS_SECRET_ACCESS_KEY)")
    .option(
      "--aws-profile <name>",
      "instead of a key: what this AWS profile gives at each run (SSO, roles, ...)",
    )
    .option("--overwrite", "replace a profile of that name")
    .action((name: string, options) =>
      execute(async (context) => {
        const { profileAdd, describeProfileAdd } = await import("../commands/profile.ts");
        const result = await profileAdd(context, { name, ...options });
        return { result, said: describeProfileAdd(result) };
      }),
    );
  group
    .command("list")
    .description("the profiles of this machine, and which environments came from them")
    .action(() =>
      execute(async (context) => {
        const { profileList, describeProfileList } = await import("../commands/profile.ts");
        const result = profileList(context);
        return { result, said: describeProfileList(result) };
      }),
    );
  group
    .command("show <name>")
    .description("one profile, its secret masked")
    .option("--reveal", "show the secret too, on a terminal and after a question")
    .action((name: string, options) =>
      execute(async (context) => {
        const { profileShow, describeProfileShow } = await import("../commands/profile.ts");
        const result = await profileShow(context, { name, ...options });
        return { result, said: describeProfileShow(result) };
      }),
    );
  group
    .command("remove <name>")
    .description("forget a profile; environments that came from it keep their own credentials")
    .action((name: string) =>
      execute(async (context) => {
        const { profileRemove, describeProfileRemove } = await import("../commands/profile.ts");
        const result = await profileRemove(context, { name });
        return { result, said: describeProfileRemove(result) };
      }),
    );
}

export function declareKeystore(program: Command, execute: Execute): void {
  const group = program.command("keystore").description("this machine's environments, for another of yours");
  group
    .command("list")
    .description("the environments that this machine has a config or a key for")
    .action(() =>
      execute(async (context) => {
        const { keystoreList, describeKeystoreList } = await import("../commands/keystore-list.ts");
        const result = await keystoreList(context);
        return { result, said: describeKeystoreList(result) };
      }),
    );
  group
    .command("export [environments...]")
    .description("write some of them, <env> or <repository>/<env>, to one encrypted file")
    .option("--all", "every one that has a config and a key")
    .option("--out <file>", "the file (default: vsync.keys)", fileToWrite)
    .option("--passphrase-file <path>", "a passphrase of your own for it, - for stdin (default: six words)")
    .action((names: string[], options) =>
      execute(async (context) => {
        const { keystoreExport, describeKeystoreExport } = await import("../commands/keystore-export.ts");
        const result = await keystoreExport(context, { names, ...options });
        return { result, said: describeKeystoreExport(result) };
      }),
    );
  group
    .command("import <file>")
    .description("set up the environments of such a file")
    .option("--passphrase-file <path>", "the file's passphrase, - for stdin (or VSYNC_SHARE_PASSPHRASE)")
    .option("--overwrite", "replace other vaults of the same names on this machine")
    .action((file: string, options) =>
      execute(async (context) => {
        const { keystoreImport, describeKeystoreImport } = await import("../commands/keystore-import.ts");
        const result = await keystoreImport(context, { file, ...options });
        return { result, said: describeKeystoreImport(result) };
      }),
    );
}
