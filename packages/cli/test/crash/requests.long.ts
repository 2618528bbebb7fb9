import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { takeSeed } from "../../../../test/seed.ts";
import { SCENARIOS } from "./scenarios.ts";
import { atRequests, strike } from "./strikes.ts";
import { makeWorld, type World } from "./world.ts";

// All of them, or so many of each command.
const SAMPLE = Number(process.env.VSYNC_CRASH_POINTS ?? 0) || undefined;

describe("killed at every request to the bucket", () => {
  const seed = takeSeed("crash/requests");
  let world: World;
  beforeAll(async () => {
    world = await makeWorld();
  });
  afterAll(() => world.close());

  test.each(SCENARIOS)("$name", async (scenario) => {
    expect((await strike(atRequests, world, scenario, { seed, sample: SAMPLE })).failures).toEqual([]);
  });
});
