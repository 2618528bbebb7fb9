// Sending values to where platforms keep secrets.

import { Argument, type Command, Option } from "commander";
import type { Target } from "../fanout/platform.ts";
import { add, audited, type Execute } from "./declare.ts";

export function declareSync(program: Command, execute: Execute): void {
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
        const { sync, describeSync } = await import("../commands/sync.ts");
        const result = await sync(context, { env, target, ...options });
        return { result, said: describeSync(result) };
      }),
    );
}
