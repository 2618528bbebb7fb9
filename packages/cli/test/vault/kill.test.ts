// The built command, killed for real at sampled changes on the disk of push and pull; the next command puts things right.
// crash.test.ts does the same within one process, at every one of them.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { bareEnvironment, run } from "../../../../test/machine.ts";
import { makeWorkplace, type Workplace } from "../workplace.ts";

const MAIN = fileURLToPath(new URL("../../dist/main.js", import.meta.url));
const SAMPLES = 8;

/** Loaded into the command: counts its changes on the disk, and kills it ahead of the one that KILL_AT names. */
const PRELOAD = `data:text/javascript,${encodeURIComponent(`
  import fs from "node:fs";
  import { syncBuiltinESMExports } from "node:module";
  const { writeFileSync } = fs;
  let count = 0;
  const step = () => {
    if (String(count++) === process.env.KILL_AT) process.kill(process.pid, "SIGKILL");
  };
  const sync = ["openSync", "writeFileSync", "fsyncSync", "fchmodSync", "mkdirSync", "renameSync", "unlinkSync", "rmSync"];
  for (const [owner, names] of [[fs, sync], [fs.promises, ["open", "writeFile", "mkdir", "rename", "unlink", "rm"]]]) {
    for (const name of names) {
      const act = owner[name];
      owner[name] = (...args) => {
        step();
        return act(...args);
      };
    }
  }
  syncBuiltinESMExports();
  process.on("exit", () => process.env.COUNT_IN && writeFileSync(process.env.COUNT_IN, String(count)));
`)}`;

const environment = ({ home }: Workplace): NodeJS.ProcessEnv => ({
  ...bareEnvironment(),
  HOME: home,
  VSYNC_KEYSTORE: `file:${join(home, "keystore")}`,
});

async function vsync(
  place: Workplace,
  args: readonly string[],
  env: NodeJS.ProcessEnv = {},
): Promise<string> {
  const options = { cwd: place.root, env: { ...environment(place), ...env } };
  return (await run(process.execPath, ["--import", PRELOAD, MAIN, ...args, "--json"], options)).stdout;
}

/** Runs the command and kills it ahead of its n-th change on the disk. */
async function kill(place: Workplace, args: readonly string[], at: number): Promise<void> {
  const child = spawn(process.execPath, ["--import", PRELOAD, MAIN, ...args], {
    cwd: place.root,
    env: { ...environment(place), KILL_AT: String(at) },
    stdio: "ignore",
  });
  const [, signal] = await once(child, "exit");
  expect(signal).toBe("SIGKILL");
}

/** A vault with two versions; the folder is at the second. */
async function setUp(): Promise<{ place: Workplace; vault: string; versions: [string, string] }> {
  const place = makeWorkplace();
  const { endpoint, bucket } = place.bucket;
  await vsync(place, ["init", "demo", "--endpoint", endpoint, "--bucket", bucket, "--iterations", "100000"]);
  const vault = join(place.root, "infra/vault/demo");
  const publish = async (text: string): Promise<string> => {
    writeFileSync(join(vault, ".env.demo"), text);
    return JSON.parse(await vsync(place, ["push", "demo"])).timestamp;
  };
  return { place, vault, versions: [await publish("A=1\n"), await publish("A=2\n")] };
}

/** Evenly over all of the command's changes, the first and the last among them. */
async function samplesOf(place: Workplace, args: readonly string[]): Promise<number[]> {
  const count = join(place.folder, "count");
  await vsync(place, args, { COUNT_IN: count });
  const last = Number(readFileSync(count, "utf8")) - 1;
  expect(last).toBeGreaterThan(20);
  return Array.from({ length: SAMPLES }, (_, n) => Math.round((n * last) / (SAMPLES - 1)));
}

function expectTidy({ home, root }: Workplace): void {
  expect(readdirSync(join(root, "infra/vault"))).toEqual(["demo"]);
  const state = readdirSync(join(home, ".local/state/vsync/acme_shop/demo"));
  expect(state.filter((name) => !["ledger.json", "bases", "backups", "lock"].includes(name))).toEqual([]);
}

describe("a command killed with SIGKILL", () => {
  it("pull: the folder is old, or new, or absent until the next command", { timeout: 180_000 }, async () => {
    const { place, vault, versions } = await setUp();
    const texts = ["A=1\n", "A=2\n"];
    const pullOf = (n: number): readonly string[] => ["pull", "demo", "--version", versions[n]!];
    let at = 0;
    for (const sample of await samplesOf(place, pullOf(at))) {
      const target = 1 - at;
      await kill(place, pullOf(target), sample);
      if (existsSync(vault)) expect(texts).toContain(readFileSync(join(vault, ".env.demo"), "utf8"));
      await vsync(place, pullOf(target));
      expect(readFileSync(join(vault, ".env.demo"), "utf8")).toBe(texts[target]);
      expectTidy(place);
      at = target;
    }
  });

  it("push: the version is published once, by it or by the next", { timeout: 180_000 }, async () => {
    const { place, vault } = await setUp();
    writeFileSync(join(vault, ".env.demo"), "A=3\n");
    let generation = 3;
    for (const sample of await samplesOf(place, ["push", "demo"])) {
      writeFileSync(join(vault, ".env.demo"), `A=${++generation}\n`);
      await kill(place, ["push", "demo"], sample);
      expect(JSON.parse(await vsync(place, ["push", "demo"]))).toMatchObject({ generation });
      expect(JSON.parse(await vsync(place, ["push", "demo"]))).toMatchObject({
        published: false,
        generation,
      });
      expectTidy(place);
    }
  });
});
