// A vault, and stand-ins for the platforms' commands on the PATH.

import { spawnSync } from "node:child_process";
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect } from "vitest";
import { init } from "../../src/commands/init.ts";
import { push } from "../../src/commands/push.ts";
import { type SyncInput, type SyncResult, sync } from "../../src/commands/sync.ts";
import type { Target } from "../../src/fanout/platform.ts";
import { type ContextOptions, makeWorkplace, type Workplace } from "../workplace.ts";

export const COMMANDS: Readonly<Record<Target, string>> = {
  gh: "gh",
  gcp: "gcloud",
  aws: "aws",
  azure: "az",
  vault: "vault",
};

/** Enough for each target to know where to go. */
export const ROUTES: Readonly<Record<Target, Partial<SyncInput>>> = {
  gh: { ghRepo: "acme/shop", ghEnvironment: "production" },
  gcp: { gcpProject: "acme-shop" },
  aws: { awsRegion: "eu-west-1", awsPrefix: "shop/" },
  azure: { azureVault: "acme-shop", azureUnderscores: "hyphens" },
  vault: { vaultAddress: "http://127.0.0.1:8200", vaultMount: "secret", vaultPath: "apps/shop" },
};

export interface Call {
  readonly tool: string;
  readonly pid: number;
  readonly argv: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  /** How many were at work at the same time. */
  readonly live: number;
}

export interface Workbench extends Workplace {
  readonly vault: string;
  /** Replaces the vault's files. */
  fill(files: Readonly<Record<string, string | Uint8Array>>): void;
  run(target: Target, input?: Partial<SyncInput>, options?: ContextOptions): Promise<SyncResult>;
  /** As run, and what was said on stderr. */
  runAndHear(
    target: Target,
    input?: Partial<SyncInput>,
    options?: ContextOptions,
  ): Promise<[SyncResult, string]>;
  behave(target: Target, behaviour: object): void;
  /** What the platform has, by its own names. */
  kept(target: Target): Record<string, string>;
  keep(target: Target, secrets: Readonly<Record<string, string>>): void;
  calls(): readonly Call[];
  /** What the tools have been told to change. */
  writes(): readonly Call[];
  readonly path: string;
}

/** How the stand-ins name secrets of the route above, around the platform's own name. */
const PLACES: Readonly<Record<Exclude<Target, "vault">, string>> = {
  gh: "repos/acme/shop/environments/production/secrets ",
  gcp: "acme-shop/",
  aws: "eu-west-1 shop/",
  azure: "acme-shop/",
};
const KV_SECRET = "secret/apps/shop";
const WRITES = [
  "set",
  "create",
  "add",
  "create-secret",
  "put-secret-value",
  "put",
  "patch",
  "delete",
  "delete-secret",
];

export async function makeWorkbench(env = "prod"): Promise<Workbench> {
  const place = makeWorkplace();
  await init(place.context(), { env, ...place.bucket, iterations: 100_000 });
  const vault = join(place.root, "infra/vault", env);
  const folder = join(place.folder, "platforms");
  const bin = join(place.folder, "bin");
  mkdirSync(folder);
  mkdirSync(bin);
  const standIns = join(dirname(fileURLToPath(import.meta.url)), "stand-ins");
  for (const command of Object.values(COMMANDS)) {
    symlinkSync(join(standIns, `${command}.mjs`), join(bin, command));
  }
  // Nothing else is on it, so that no command of this machine is ever run.
  for (const command of ["sh", "cat", "env", "node", "git"]) symlinkSync(which(command), join(bin, command));
  const secretPath = (target: Target, name: string): string =>
    join(folder, COMMANDS[target], encodeURIComponent(name));
  const context = (options: ContextOptions = {}) =>
    place.context({ ...options, env: { PATH: bin, STAND_INS: folder, ...options.env } });
  const runAndHear = async (target: Target, input: Partial<SyncInput> = {}, options: ContextOptions = {}) => {
    const here = context(options);
    const result = await sync(here, { env, target, ...ROUTES[target], ...input });
    return [result, here.said().err] as [SyncResult, string];
  };
  const calls = (): Call[] => {
    const file = join(folder, "calls.jsonl");
    if (!existsSync(file)) return [];
    return readFileSync(file, "utf8")
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line) as Call);
  };
  return {
    ...place,
    context,
    vault,
    path: bin,
    fill(files) {
      rmSync(vault, { recursive: true, force: true });
      for (const [name, content] of Object.entries(files)) {
        mkdirSync(dirname(join(vault, name)), { recursive: true });
        writeFileSync(join(vault, name), content, { mode: 0o600 });
      }
    },
    run: async (target, input, options) => (await runAndHear(target, input, options))[0],
    runAndHear,
    behave: (target, behaviour) =>
      writeFileSync(join(folder, `${COMMANDS[target]}.json`), JSON.stringify(behaviour)),
    kept(target) {
      const names = existsSync(join(folder, COMMANDS[target]))
        ? readdirSync(join(folder, COMMANDS[target]))
        : [];
      const all = names.map((name) => [
        decodeURIComponent(name),
        readFileSync(join(folder, COMMANDS[target], name), "utf8"),
      ]);
      if (target === "vault") return JSON.parse(Object.fromEntries(all)[KV_SECRET] ?? '{"data":{}}').data;
      const start = PLACES[target];
      expect(all.filter(([name]) => !(name as string).startsWith(start))).toEqual([]);
      return Object.fromEntries(all.map(([name, value]) => [(name as string).slice(start.length), value]));
    },
    keep(target, secrets) {
      mkdirSync(join(folder, COMMANDS[target]), { recursive: true });
      if (target === "vault") {
        writeFileSync(secretPath(target, KV_SECRET), JSON.stringify({ version: 7, data: secrets }));
        return;
      }
      for (const [name, value] of Object.entries(secrets)) {
        writeFileSync(secretPath(target, PLACES[target] + name), value);
      }
    },
    calls,
    writes: () => calls().filter(({ argv }) => WRITES.some((verb) => argv.slice(0, 3).includes(verb))),
  };
}

/** One that has ended stays listed, as a zombie, where nobody waits for it. */
export function isAlive(pid: number): boolean {
  const { stdout } = spawnSync("ps", ["-o", "stat=", "-p", String(pid)], { encoding: "utf8" });
  return /^[^Z]/.test(stdout.trim());
}

/** Publishes what is in the vault folder. */
export async function publish(bench: Workbench, env = "prod"): Promise<void> {
  await push(bench.context(), { env });
}

function which(command: string): string {
  const folders = (process.env.PATH ?? "").split(":");
  const found = folders.map((folder) => join(folder, command)).find((path) => existsSync(path));
  if (command === "node") return process.execPath;
  if (found === undefined) throw new Error(`these tests need ${command}`);
  return found;
}
