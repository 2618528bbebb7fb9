import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { hasPrograms } from "../../../../test/programs.ts";
import { takeSeed } from "../../../../test/seed.ts";
import { SCENARIOS } from "./scenarios.ts";
import { onFullDisk, strike } from "./strikes.ts";
import { makeWorld, type World } from "./world.ts";

const RUNS = hasPrograms("crash/disk-full", ["strace"], "apt-get install strace");

// All of them, or so many of each command.
const SAMPLE = Number(process.env.VSYNC_CRASH_POINTS ?? 0) || undefined;

describe.skipIf(!RUNS)("with no space left at every call that takes some", () => {
  const seed = takeSeed("crash/disk-full");
  let world: World;
  beforeAll(async () => {
    world = await makeWorld();
  });
  afterAll(() => world.close());

  test.each(SCENARIOS)("$name", async (scenario) => {
    expect((await strike(onFullDisk, world, scenario, { seed, sample: SAMPLE })).failures).toEqual([]);
  });
});
