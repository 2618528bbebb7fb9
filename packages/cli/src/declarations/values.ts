// Single values of the vault folder, and commands that run with them.

import type { Command } from "commander";
import type { Execute } from "./declare.ts";

export function declareScalars(program: Command, execute: Execute): void {
  program
    .command("get <env> <name>")
    .description("print one value of the vault folder and nothing else")
    .action((env: string, name: string) =>
      execute(async (context) => {
        const { get, describeGet } = await import("../commands/get.ts");
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
        const { set, describeSet } = await import("../commands/set.ts");
        const result = await set(context, { env, name, ...(source !== undefined && { source }), ...options });
        return { result, said: describeSet(result) };
      }),
    );
  program
    .command("unset <env> <name>")
    .description("remove one value from the vault folder")
    .action((env: string, name: string) =>
      execute(async (context) => {
        const { unset, describeUnset } = await import("../commands/unset.ts");
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
        const { check, describeCheck } = await import("../commands/check.ts");
        const result = await check(context, { env, ...options });
        return { result, said: describeCheck(result) };
      }),
    );
  program
    .command("use [env]")
    .description("make .env a link to the vault's .env.<env>, or say where it leads")
    .action((env: string | undefined) =>
      execute(async (context) => {
        const { use, describeUse } = await import("../commands/use.ts");
        const result = await use(context, env === undefined ? {} : { env });
        return { result, said: describeUse(result) };
      }),
    );
}

export function declareRun(program: Command, execute: Execute): void {
  program
    .command("run <env> [command...]")
    .description("run a command with the vault's values in its environment: vsync run dev -- npm start")
    .option("--remote", "take them from the bucket, without touching the disk")
    .option("--redact", "mask them in what the command writes")
    .option("--watch", "restart the command when a new generation is in the bucket (means --remote)")
    .action((env: string, command: string[], options) =>
      execute(async (context) => {
        const { run, describePlannedRun } = await import("../commands/run.ts");
        const result = await run(context, { env, command, ...options });
        if ("dryRun" in result) return { result, said: describePlannedRun(result) };
        return { result, said: null, status: result.status };
      }),
    );
}
