// The reader beside what somebody would use instead: each a cold process that ends with the same 41 values in its hands.

import { execFileSync } from "node:child_process";
import { copyFileSync, existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { installPackedReader } from "../scripts/packed.ts";
import { type Case, cold, interleave, row } from "./harness.ts";
import type { LatencyServer } from "./latency-server.ts";
import { hasTaskset } from "./open.ts";
import { program, unitCase } from "./programs.ts";
import { startSecretsServer } from "./secrets-server.ts";
import { serveVault } from "./served-vault.ts";

const here = join(dirname(fileURLToPath(import.meta.url)), "others");
const DELAYS = [0, 20, 80];

interface Contender {
  readonly name: string;
  readonly program: string;
  readonly cwd: string;
  readonly env: Readonly<Record<string, string>>;
  /** Null for what reads a file only. */
  readonly server: LatencyServer | null;
}

export async function benchOthers(folder: string): Promise<void> {
  if (!existsSync(join(here, "node_modules"))) {
    console.log(
      "\nThe others are not installed here: `npx --yes pnpm@12 bench:others` installs and measures them.",
    );
    return;
  }
  mkdirSync(folder, { recursive: true });
  const contenders = [...(await reader(folder)), ...(await services()), ...files(folder)];
  for (const oneProcessor of hasTaskset() ? [false, true] : [false]) {
    console.log(`\nCold start until 41 values are there${oneProcessor ? ", on one processor" : ""}`);
    const results = [
      ...(
        await interleave([
          unitCase({ oneProcessor }),
          ...contenders.flatMap((contender) => casesOf(contender, oneProcessor)),
        ])
      ).values(),
    ];
    const [unit] = results;
    if (unit) for (const measured of results) console.log(row(measured, unit));
  }
  for (const { server } of contenders) server?.close();
}

function casesOf({ name, program, cwd, env, server }: Contender, oneProcessor: boolean): Case[] {
  if (server === null) return [{ name, run: () => cold([program], { cwd, env, oneProcessor }) }];
  return DELAYS.map((delay) => ({
    name: `${name}, answers after ${delay} ms`,
    run: () => {
      server.delay = delay;
      return cold([program], { cwd, env, oneProcessor });
    },
  }));
}

async function reader(folder: string): Promise<Contender[]> {
  installPackedReader(folder);
  copyFileSync(program("open"), join(folder, "open.mjs"));
  const made: Contender[] = [];
  for (const iterations of [600_000, 100_000]) {
    const { env, server } = await serveVault(join(folder, String(iterations)), { iterations });
    const name = `vsync, ${iterations / 1000}k iterations`;
    made.push({ name, program: "open.mjs", cwd: folder, env, server });
  }
  return made;
}

async function services(): Promise<Contender[]> {
  const server = await startSecretsServer(scalars());
  const env = { BENCH_ENDPOINT: server.endpoint };
  const packages = {
    "aws-secrets-manager": "@aws-sdk/client-secrets-manager",
    infisical: "@infisical/sdk",
    doppler: "@dopplerhq/node-sdk",
  };
  return Object.entries(packages).map(([program, name]) => ({
    name: `${name} ${version(name)}`,
    program: `${program}.mjs`,
    cwd: here,
    env,
    server,
  }));
}

function files(folder: string): Contender[] {
  const lines = Object.entries(scalars()).map(([name, value]) => `${name}="${value}"\n`);
  const plain = join(folder, "plain.env");
  const encrypted = join(folder, "encrypted.env");
  for (const file of [plain, encrypted]) writeFileSync(file, lines.join(""));
  const keys = join(folder, "encrypted.keys");
  execFileSync(join(here, "node_modules/.bin/dotenvx"), ["encrypt", "-f", encrypted, "-fk", keys], {
    cwd: folder,
    stdio: "ignore",
  });
  if (readFileSync(encrypted, "utf8").includes("postgres://")) throw new Error("dotenvx encrypted nothing");
  const of = (name: string, program: string, env: Record<string, string>): Contender => ({
    name: `${name} ${version(name)}`,
    program,
    cwd: here,
    env,
    server: null,
  });
  return [
    of("@dotenvx/dotenvx", "dotenvx.mjs", { BENCH_ENV_FILE: encrypted, BENCH_KEYS_FILE: keys }),
    of("dotenv", "dotenv.mjs", { BENCH_ENV_FILE: plain }),
  ];
}

function scalars(): Record<string, string> {
  const named = Array.from({ length: 40 }, (_, i) => [`NAME_${i}`, `${"value ".repeat(i % 7)}${i}`]);
  return Object.fromEntries([["DATABASE_URL", "postgres://shop@db.example/shop"], ...named]);
}

function version(name: string): string {
  return JSON.parse(readFileSync(join(here, "node_modules", name, "package.json"), "utf8")).version;
}
