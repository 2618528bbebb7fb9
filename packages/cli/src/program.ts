// Every command line vsync understands. A command's module is loaded only when it runs.

import { Argument, Command, InvalidArgumentError, Option } from "commander";
import type { Context, Flags, Said } from "./context.ts";
import { addExamples } from "./examples.ts";
import type { Target } from "./fanout/platform.ts";

/** Runs a command and gives what it returned and what there is to say about it; null: it has had its say. */
export type Act = (context: Context) => Promise<{ result: unknown; said: Said | null; status?: number }>;

/** Declares all commands; each hands the work it stands for to `execute`. */
export function buildProgram(execute: (act: Act) => Promise<void>): Command {
  const program = new Command("vsync")
    .description("A team's secrets in its own bucket, end-to-end encrypted, with no server to run.")
    .option("--json", "print one JSON document on stdout, for failures too")
    .option("--quiet", "say nothing but errors and warnings")
    .option("--no-input", "never ask; a missing answer is an error")
    .option("--yes", "answer every confirmation with yes")
    .option("--dry-run", "show what would change and change nothing")
    .option("--repo <name>", "the repository's name, when neither .vsync nor git's origin gives it")
    .helpOption("-h, --help", "show help for a command")
    .configureHelp({ showGlobalOptions: true, sortSubcommands: false })
    .addHelpText(
      "after",
      "\nvsync --version prints the version. Documentation: https://github.com/muthuishere/vsync",
    );
  declareInit(program, execute);
  declarePush(program, execute);
  declarePull(program, execute);
  declareScalars(program, execute);
  declareRun(program, execute);
  declareDiff(program, execute);
  declareHistory(program, execute);
  declareBackup(program, execute);
  declareRuntimeToken(program, execute);
  declarePassphrase(program, execute);
  declareRotation(program, execute);
  declareStatus(program, execute);
  declareDoctor(program, execute);
  declareProfile(program, execute);
  declareKeystore(program, execute);
  declareShare(program, execute);
  declareSync(program, execute);
  declareHelp(program, execute);
  addExamples(program);
  return program;
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

type Execute = (act: Act) => Promise<void>;

function declareInit(program: Command, execute: Execute): void {
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
        const { init, describeInit } = await import("./commands/init.ts");
        const result = await init(context, { env, ...options });
        return { result, said: describeInit(result) };
      }),
    );
}

function declarePush(program: Command, execute: Execute): void {
  audited(program.command("push <env>").description("publish the vault folder to the bucket"))
    .option("--force", "publish over what somebody else published since; history keeps both")
    .option("--recreate", "publish although the manifest was deleted from the bucket")
    .option("--accept-rollback", "go on although the bucket is older than what was seen before")
    .action((env: string, options) =>
      execute(async (context) => {
        const { push, describePush } = await import("./commands/push.ts");
        const result = await push(context, { env, ...options });
        return { result, said: describePush(result) };
      }),
    );
}

function declarePull(program: Command, execute: Execute): void {
  audited(program.command("pull <env>").description("bring the bucket's vault into the vault folder"))
    .option("--force", "discard local edits")
    .option("--backup", "keep local edits, encrypted, before they are replaced")
    .option("--version <timestamp>", "an older version: YYYYMMDD-HHmmss, or previous")
    .option("--old-passphrase-file <path>", "passphrase of a version from before a rotation, - for stdin")
    .option("--accept-rollback", "go on although the bucket is older than what was seen before")
    .action((env: string, options) =>
      execute(async (context) => {
        const { pull, describePull } = await import("./commands/pull.ts");
        const result = await pull(context, { env, ...options });
        return { result, said: describePull(result) };
      }),
    );
}

function declareScalars(program: Command, execute: Execute): void {
  program
    .command("get <env> <name>")
    .description("print one value of the vault folder and nothing else")
    .action((env: string, name: string) =>
      execute(async (context) => {
        const { get, describeGet } = await import("./commands/get.ts");
        const result = await get(context, { env, name });
        return { result, said: describeGet(result) };
      }),
    );
  program
    .command("set <env> <name> [source]")
    .description("change one value of the vault folder and no other byte; asks for it, or - takes stdin")
    .option("--file <path>", "take the value from a file; one line break at its end is dropped")
    .action((env: string, name: string, source: string | undefined, options) =>
      execute(async (context) => {
        const { set, describeSet } = await import("./commands/set.ts");
        const result = await set(context, { env, name, ...(source !== undefined && { source }), ...options });
        return { result, said: describeSet(result) };
      }),
    );
  program
    .command("unset <env> <name>")
    .description("remove one value from the vault folder")
    .action((env: string, name: string) =>
      execute(async (context) => {
        const { unset, describeUnset } = await import("./commands/unset.ts");
        const result = await unset(context, { env, name });
        return { result, said: describeUnset(result) };
      }),
    );
  program
    .command("check <env>")
    .description("compare the vault's names with .env.example; status 1 when one is missing")
    .option("--schema <file>", "a .env file with the names that are needed")
    .action((env: string, options) =>
      execute(async (context) => {
        const { check, describeCheck } = await import("./commands/check.ts");
        const result = await check(context, { env, ...options });
        return { result, said: describeCheck(result) };
      }),
    );
  program
    .command("use [env]")
    .description("make .env a link to the vault's .env.<env>, or say where it leads")
    .action((env: string | undefined) =>
      execute(async (context) => {
        const { use, describeUse } = await import("./commands/use.ts");
        const result = await use(context, env === undefined ? {} : { env });
        return { result, said: describeUse(result) };
      }),
    );
}

function declareRun(program: Command, execute: Execute): void {
  program
    .command("run <env> [command...]")
    .description("run a command with the vault's values in its environment: vsync run dev -- npm start")
    .option("--remote", "take them from the bucket, without touching the disk")
    .option("--redact", "mask them in what the command writes")
    .option("--watch", "restart the command when a new generation is in the bucket (means --remote)")
    .action((env: string, command: string[], options) =>
      execute(async (context) => {
        const { run } = await import("./commands/run.ts");
        const result = await run(context, { env, command, ...options });
        return { result, said: null, status: result.status };
      }),
    );
}

function declareDiff(program: Command, execute: Execute): void {
  program
    .command("diff <env>")
    .description("names that differ between the vault folder and what was last synced")
    .option("--remote", "compare with the bucket's current version")
    .option("--version <timestamp>", "compare with this version of the bucket: YYYYMMDD-HHmmss, or previous")
    .option("--old-passphrase-file <path>", "passphrase of a version from before a rotation, - for stdin")
    .option("--reveal", "show values: a unified diff of each text file")
    .action((env: string, options) =>
      execute(async (context) => {
        const { diff, describeDiff } = await import("./commands/diff.ts");
        const result = await diff(context, { env, ...options });
        return { result, said: describeDiff(result) };
      }),
    );
}

function declareHistory(program: Command, execute: Execute): void {
  program
    .command("versions <env>")
    .description("what was published, newest first: by whom, when, why")
    .option("--limit <n>", "show so many (default 20)", wholeNumber)
    .option("--all", "show all")
    .option("--key <name>", "only the versions that changed this value")
    .action((env: string, options) =>
      execute(async (context) => {
        const { versions, describeVersions } = await import("./commands/versions.ts");
        const result = await versions(context, { env, ...options });
        return { result, said: describeVersions(result, context.host.now()) };
      }),
    );
  audited(program.command("restore <env> <version>"))
    .description("publish an old version (YYYYMMDD-HHmmss, or previous) as the newest one; history keeps all")
    .option("--old-passphrase-file <path>", "passphrase of a version from before a rotation, - for stdin")
    .option("--accept-rollback", "go on although the bucket is older than what was seen before")
    .action((env: string, version: string, options) =>
      execute(async (context) => {
        const { restore, describeRestore } = await import("./commands/restore.ts");
        const result = await restore(context, { env, version, ...options });
        return { result, said: describeRestore(result) };
      }),
    );
  program
    .command("audit <env>")
    .description("who did what, newest first; --verify checks the log's chain")
    .option("--limit <n>", "show so many (default 50)", wholeNumber)
    .option("--all", "show all")
    .option("--since <time>", "from this date or time on")
    .option("--action <name>", "only push, pull, rotate, ...")
    .option("--csv", "as CSV on stdout")
    .option("--verify", "hold the log against itself, the history and what this machine remembers")
    .action((env: string, options) =>
      execute(async (context) => {
        const { audit, describeAudit } = await import("./commands/audit.ts");
        const result = await audit(context, { env, ...options });
        return { result, said: describeAudit(result) };
      }),
    );
}

function declareBackup(program: Command, execute: Execute): void {
  const group = program.command("backup").description("what pulls replaced on this machine");
  group
    .command("list <env>")
    .description("the backups there are, newest first")
    .action((env: string) =>
      execute(async (context) => {
        const { backupList, describeBackupList } = await import("./commands/backup.ts");
        const result = await backupList(context, { env });
        return { result, said: describeBackupList(result) };
      }),
    );
  group
    .command("restore <env> [backup]")
    .description(
      "bring one back into the vault folder (the newest, unless named); what is there becomes a backup",
    )
    .action((env: string, backup: string | undefined) =>
      execute(async (context) => {
        const { backupRestore, describeBackupRestore } = await import("./commands/backup.ts");
        const result = await backupRestore(context, { env, ...(backup !== undefined && { backup }) });
        return { result, said: describeBackupRestore(result) };
      }),
    );
}

function declareRuntimeToken(program: Command, execute: Execute): void {
  const formats = new Option("--format <name>", "what to print it for");
  audited(program.command("runtime-token <env>").description("print VSYNC_CONFIG for an application"))
    .option("--access-key <id>", "a read-only key for the application instead of yours")
    .option("--secret-key-file <path>", "file with that key's secret, - for stdin")
    .option("--no-validate", "do not ask the bucket, for work offline")
    .addOption(formats.choices(["env", "k8s", "compose", "github", "systemd"]))
    .action((env: string, options) =>
      execute(async (context) => {
        const { runtimeToken, describeRuntimeToken } = await import("./commands/runtime-token.ts");
        const result = await runtimeToken(context, { env, ...options });
        return { result, said: describeRuntimeToken(result) };
      }),
    );
}

function declarePassphrase(program: Command, execute: Execute): void {
  const group = program
    .command("passphrase")
    .description("the string an application gets as VSYNC_PASSPHRASE");
  group
    .command("show <env>")
    .description("show it on the terminal, after a question, or write it to a file")
    .option("--out <file>", "write it to a new file of mode 0600 instead")
    .action((env: string, options) =>
      execute(async (context) => {
        const { passphraseShow, describePassphraseShow } = await import("./commands/passphrase-show.ts");
        const result = await passphraseShow(context, { env, ...options });
        return { result, said: describePassphraseShow(result) };
      }),
    );
}

function declareRotation(program: Command, execute: Execute): void {
  audited(program.command("rotate-passphrase <env>"))
    .description("bring the vault under a new passphrase")
    .option("--grace <time>", "applications may start with the old one until then: 30m, 24h, 7d")
    .option("--finish", "end a grace period before its time; rotates nothing")
    .option("--new-passphrase-file <path>", "the new passphrase, - for stdin (default: one is generated)")
    .option("--out <file>", "write the new passphrase to a new file of mode 0600 as well")
    .action((env: string, options) =>
      execute(async (context) => {
        const { rotatePassphrase, describeRotatePassphrase } = await import(
          "./commands/rotate-passphrase.ts"
        );
        const result = await rotatePassphrase(context, { env, ...options });
        return { result, said: describeRotatePassphrase(result) };
      }),
    );
}

function declareShare(program: Command, execute: Execute): void {
  const group = program
    .command("share")
    .description("hand an environment to a teammate: its config and its key");
  for (const [parent, hidden] of [
    [group, false],
    [program, true],
  ] as const) {
    audited(parent.command("export <env>", { hidden }))
      .description("write an encrypted share file and show its passphrase once")
      .option("--out <file>", "the file (default: <repository>-<env>.share)")
      .option("--passphrase-file <path>", "a passphrase of your own for it, - for stdin (default: six words)")
      .option("--access-key <id>", "the teammate's own store key, instead of yours")
      .option("--secret-key-file <path>", "file with that key's secret, - for stdin")
      .action((env: string, options) =>
        execute(async (context) => {
          const { shareExport, describeShareExport } = await import("./commands/share-export.ts");
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
          const { shareImport, describeShareImport } = await import("./commands/share-import.ts");
          const result = await shareImport(context, { file, ...options });
          return { result, said: describeShareImport(result) };
        }),
      );
  }
}

function declareHelp(program: Command, execute: Execute): void {
  program
    .command("docs [topic]")
    .description("how to set up a bucket at this provider: aws, r2, b2, gcs, minio, ceph, folder")
    .action((topic: string | undefined) =>
      execute(async () => {
        const { docs, describeDocs } = await import("./commands/docs.ts");
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
        const { completion, describeCompletion } = await import("./commands/completion.ts");
        const result = await completion({ shell });
        return { result, said: describeCompletion(result) };
      }),
    );
  program.command("__complete [words...]", { hidden: true }).action((words: string[]) =>
    execute(async ({ host }) => {
      const { complete } = await import("./completion.ts");
      const found = complete(program, host, words);
      return { result: { candidates: found }, said: found.length === 0 ? {} : { out: found.join("\n") } };
    }),
  );
}

function declareStatus(program: Command, execute: Execute): void {
  program
    .command("status")
    .description("am I in step with the team, and is anything broken? Changes nothing")
    .option("--remote", "ask the bucket too")
    .option("--all", "every repository on this machine")
    .action((options) =>
      execute(async (context) => {
        const { status, describeStatus } = await import("./commands/status.ts");
        const result = await status(context, options);
        return { result, said: describeStatus(result, context.host.now()) };
      }),
    );
}

function declareDoctor(program: Command, execute: Execute): void {
  program
    .command("doctor [env]")
    .description("try out everything that vsync stands on, and say how to mend what does not hold")
    .option("--iam", "print the least that writers and applications need to be allowed, and try nothing out")
    .action((env: string | undefined, options) =>
      execute(async (context) => {
        const { doctor, describeDoctor } = await import("./commands/doctor.ts");
        const result = await doctor(context, { ...(env !== undefined && { env }), ...options });
        return { result, said: describeDoctor(result), status: result.status };
      }),
    );
}

function declareKeystore(program: Command, execute: Execute): void {
  const group = program.command("keystore").description("this machine's environments, for another of yours");
  group
    .command("list")
    .description("the environments that this machine has a config or a key for")
    .action(() =>
      execute(async (context) => {
        const { keystoreList, describeKeystoreList } = await import("./commands/keystore-list.ts");
        const result = await keystoreList(context);
        return { result, said: describeKeystoreList(result) };
      }),
    );
  group
    .command("export [environments...]")
    .description("write some of them, <env> or <repository>/<env>, to one encrypted file")
    .option("--all", "every one that has a config and a key")
    .option("--out <file>", "the file (default: vsync.keys)")
    .option("--passphrase-file <path>", "a passphrase of your own for it, - for stdin (default: six words)")
    .action((names: string[], options) =>
      execute(async (context) => {
        const { keystoreExport, describeKeystoreExport } = await import("./commands/keystore-export.ts");
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
        const { keystoreImport, describeKeystoreImport } = await import("./commands/keystore-import.ts");
        const result = await keystoreImport(context, { file, ...options });
        return { result, said: describeKeystoreImport(result) };
      }),
    );
}

function declareProfile(program: Command, execute: Execute): void {
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
    .option("--overwrite", "replace a profile of that name")
    .action((name: string, options) =>
      execute(async (context) => {
        const { profileAdd, describeProfileAdd } = await import("./commands/profile.ts");
        const result = await profileAdd(context, { name, ...options });
        return { result, said: describeProfileAdd(result) };
      }),
    );
  group
    .command("list")
    .description("the profiles of this machine, and which environments came from them")
    .action(() =>
      execute(async (context) => {
        const { profileList, describeProfileList } = await import("./commands/profile.ts");
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
        const { profileShow, describeProfileShow } = await import("./commands/profile.ts");
        const result = await profileShow(context, { name, ...options });
        return { result, said: describeProfileShow(result) };
      }),
    );
  group
    .command("remove <name>")
    .description("forget a profile; environments that came from it keep their own credentials")
    .action((name: string) =>
      execute(async (context) => {
        const { profileRemove, describeProfileRemove } = await import("./commands/profile.ts");
        const result = await profileRemove(context, { name });
        return { result, said: describeProfileRemove(result) };
      }),
    );
}

function declareSync(program: Command, execute: Execute): void {
  const underscores = new Option("--azure-underscores <how>", "azure: writes DATABASE_URL as DATABASE-URL");
  const target = new Argument("<target>", "the platform").choices(["gh", "gcp", "aws", "azure", "vault"]);
  audited(program.command("sync <env>").addArgument(target))
    .description("send the values to where a platform keeps its secrets, through its own command")
    .option(
      "--inline-file-suffix <end>",
      "values of names that end so name files: send their content",
      add,
      [],
    )
    .option("--exclude-property <name>", "leave this value out; may be given several times", add)
    .option("--prune", "remove what vsync put there and the vault has no more")
    .option("--gh-repo <owner/name>", "gh: the repository")
    .option("--gh-environment <name>", "gh: its environment (default: secrets of the whole repository)")
    .option("--gcp-project <id>", "gcp: the project")
    .option("--gcp-locations <names>", "gcp: where new secrets are kept, with commas (default: automatic)")
    .option("--aws-region <name>", "aws: the region (or AWS_REGION)")
    .option("--aws-profile <name>", "aws: the profile of the aws command")
    .option("--aws-prefix <text>", "aws: what names begin with, such as prod/")
    .option("--azure-vault <name>", "azure: the key vault")
    .addOption(underscores.choices(["hyphens"]))
    .option("--vault-address <url>", "vault: the server (or VAULT_ADDR)")
    .option("--vault-namespace <path>", "vault: the namespace (or VAULT_NAMESPACE)")
    .option("--vault-mount <path>", "vault: the mount of a key-value store, version 2")
    .option("--vault-path <path>", "vault: the secret that gets all values")
    .action((env: string, target: Target, options) =>
      execute(async (context) => {
        const { sync, describeSync } = await import("./commands/sync.ts");
        const result = await sync(context, { env, target, ...options });
        return { result, said: describeSync(result) };
      }),
    );
}

/** The options of every command that leaves a row in the audit log. */
function audited(command: Command): Command {
  return command
    .option("--note <text>", "a note for the audit log")
    .option("--meta <key=value>", "more for the audit log; may be given several times", addPair, {})
    .option("--no-audit", "leave no row in the audit log");
}

function add(item: string, items: readonly string[] | undefined): string[] {
  return [...(items ?? []), item];
}

function addPair(pair: string, pairs: Readonly<Record<string, string>>): Record<string, string> {
  const [, key, value] = /^([^=]+)=(.*)$/s.exec(pair) ?? [];
  if (key === undefined || value === undefined) throw new InvalidArgumentError("It takes key=value.");
  return Object.fromEntries([...Object.entries(pairs), [key, value]]);
}

function wholeNumber(text: string): number {
  if (!/^\d{1,15}$/.test(text)) throw new InvalidArgumentError("It takes a whole number.");
  return Number(text);
}
