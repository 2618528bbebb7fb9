import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { hasPrograms } from "../../../../test/programs.ts";
import { takeSeed } from "../../../../test/seed.ts";
import { SCENARIOS } from "./scenarios.ts";
import { atSystemCalls, strike } from "./strikes.ts";
import { makeWorld, type World } from "./world.ts";

const RUNS = hasPrograms("crash/system-calls", ["strace"], "apt-get install strace");

// All of them, or so many of each command.
const SAMPLE = Number(process.env.VSYNC_CRASH_POINTS ?? 0) || undefined;

describe.skipIf(!RUNS)("killed at every system call that changes something", () => {
  const seed = takeSeed("crash/system-calls");
  let world: World;
  beforeAll(async () => {
    world = await makeWorld();
  });
  afterAll(() => world.close());

  test.each(SCENARIOS)("$name", async (scenario) => {
    expect((await strike(atSystemCalls, world, scenario, { seed, sample: SAMPLE })).failures).toEqual([]);
  });
});
