// A cold boot with open(), against the least that one can cost, at several distances from the bucket.

import { spawnSync } from "node:child_process";
import { copyFileSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { gunzipSync, gzipSync } from "node:zlib";
import { installPackedReader } from "../scripts/packed-reader.ts";
import { cold, interleave, type Measured, row } from "./harness.ts";
import { startLatencyServer } from "./latency-server.ts";
import { program, unitCase } from "./programs.ts";
import { makeShop } from "./shop.ts";

const DELAYS = [0, 20, 80];
const PREFIX = "vsync-cfg-v1:";

export async function benchOpen(folder: string): Promise<void> {
  mkdirSync(folder, { recursive: true });
  installPackedReader(folder);
  copyFileSync(program("open"), join(folder, "open.mjs"));
  const shop = makeShop(folder, { small: 14 });
  shop.vsync("push", "demo");
  shop.vsync("passphrase", "show", "demo", "--out", join(folder, "passphrase"));
  const token = shop.vsync("runtime-token", "demo").trim();
  const server = await startLatencyServer(shop.bucket);
  const env = {
    VSYNC_CONFIG: throughServer(token, server.endpoint),
    VSYNC_PASSPHRASE_FILE: join(folder, "passphrase"),
  };
  for (const oneProcessor of hasTaskset() ? [false, true] : [false]) {
    console.log(`\nCold open() of a small vault over HTTP${oneProcessor ? ", on one processor" : ""}`);
    const results = await interleave(
      [
        unitCase({ oneProcessor }),
        { name: "node -e 0", run: () => cold(["-e", "0"], { oneProcessor }) },
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
function report([floor, node, ...opens]: readonly Measured[]): void {
  if (!floor || !node) return;
  for (const measured of [floor, node]) console.log(row(measured, floor));
  for (const [i, measured] of opens.entries()) {
    const goal = Math.max(1.1 * floor.median, node.median + 4 * (DELAYS[i] ?? 0) + 30);
    const verdict = measured.median <= goal ? "within" : "OVER";
    console.log(`${row(measured, floor)}  ${verdict} the goal of ${goal.toFixed(0)} ms`);
  }
}

/** The same configuration with another endpoint; the bucket behind it is the same folder. */
function throughServer(token: string, endpoint: string): string {
  const json = gunzipSync(Buffer.from(token.slice(PREFIX.length), "base64url")).toString();
  const config = { ...JSON.parse(json), endpoint, accessKeyId: "bench", secretAccessKey: "bench" };
  return PREFIX + gzipSync(JSON.stringify(config)).toString("base64url");
}

function hasTaskset(): boolean {
  return spawnSync("taskset", ["-V"]).status === 0;
}
