// A few of the points of the *.long.ts files beside this one, others in each run.

import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { hasPrograms } from "../../../../test/programs.ts";
import { takeSeed } from "../../../../test/seed.ts";
import { SCENARIOS } from "./scenarios.ts";
import { atRequests, atSystemCalls, onFullDisk, strike } from "./strikes.ts";
import { makeWorld, type World } from "./world.ts";

const RUNS = hasPrograms("commands cut short", ["strace"], "apt-get install strace");

describe.skipIf(!RUNS)("a command cut short, and what comes after it", () => {
  const seed = takeSeed("commands cut short");
  let world: World;
  beforeAll(async () => {
    world = await makeWorld();
  });
  afterAll(() => world.close());

  test.each(SCENARIOS)("$name", { timeout: 300_000 }, async (scenario) => {
    const turn = (seed + SCENARIOS.indexOf(scenario)) % 3;
    const options = { seed, sample: 2 };
    const { failures } =
      turn === 0
        ? await strike(atRequests, world, scenario, options)
        : await strike(turn === 1 ? atSystemCalls : onFullDisk, world, scenario, options);
    expect(failures).toEqual([]);
  });
});
