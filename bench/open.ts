// A cold boot with open(), against the least that one can cost, at several distances from the bucket.

import { spawnSync } from "node:child_process";
import { copyFileSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { installPackedReader } from "../scripts/packed.ts";
import { cold, interleave, type Measured, row } from "./harness.ts";
import { program, unitCase } from "./programs.ts";
import { serveVault } from "./served-vault.ts";

const DELAYS = [0, 20, 80];

export async function benchOpen(folder: string): Promise<void> {
  mkdirSync(folder, { recursive: true });
  installPackedReader(folder);
  copyFileSync(program("open"), join(folder, "open.mjs"));
  const { env, server } = await serveVault(join(folder, "vault"));
  for (const oneProcessor of hasTaskset() ? [false, true] : [false]) {
    console.log(`\nCold open() of a small vault over HTTP${oneProcessor ? ", on one processor" : ""}`);
    const results = await interleave(
      [
        unitCase({ oneProcessor }),
        { name: "node -e 0", run: () => cold(["-e", "0"], { oneProcessor }) },
        {
          name: "one PBKDF2 and two requests by node:http",
          run: () => {
            server.delay = 0;
            return cold([program("derive-and-get")], {
              oneProcessor,
              env: { BENCH_ENDPOINT: server.endpoint },
            });
          },
        },
        ...DELAYS.map((delay) => ({
          name: `open(), answers after ${delay} ms`,
          run: () => {
            server.delay = delay;
            return cold(["open.mjs"], { cwd: folder, env, oneProcessor });
          },
        })),
      ],
      15,
    );
    report([...results.values()]);
  }
  server.close();
}

/** The goal: no more than 1.10 x the floor, or than Node's start, four delays and 30 ms, whichever is larger. */
function report([floor, node, least, ...opens]: readonly Measured[]): void {
  if (!floor || !node || !least) return;
  for (const measured of [floor, node, least]) console.log(row(measured, floor));
  for (const [i, measured] of opens.entries()) {
    const goal = Math.max(1.1 * floor.median, node.median + 4 * (DELAYS[i] ?? 0) + 30);
    const verdict = measured.median <= goal ? "within" : "OVER";
    console.log(`${row(measured, floor)}  ${verdict} the goal of ${goal.toFixed(0)} ms`);
  }
}

export function hasTaskset(): boolean {
  return spawnSync("taskset", ["-V"]).status === 0;
}
