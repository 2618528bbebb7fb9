// A few of the points of keychain.long.ts, others in each run.

import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { takeSeed } from "../../../../test/seed.ts";
import { hasSecretService } from "../secret-service.ts";
import { failingAtCalls, type KeychainWorld, killedAtCalls, makeKeychainWorld } from "./keychain.ts";
import { ROTATION } from "./scenarios.ts";
import { strike } from "./strikes.ts";

const RUNS = hasSecretService("a rotation with a real keychain");

describe.skipIf(!RUNS)("a rotation with a real keychain, and what comes after it", () => {
  const seed = takeSeed("a rotation with a real keychain");
  let world: KeychainWorld;
  beforeAll(async () => {
    world = await makeKeychainWorld();
  });
  afterAll(() => world.close());

  const options = { seed, sample: 2 };

  test("killed at a call to it", { timeout: 300_000 }, async () => {
    expect((await strike(killedAtCalls(world), world, ROTATION, options)).failures).toEqual([]);
  });

  test("that is locked, or gone, from a call on", { timeout: 300_000 }, async () => {
    expect((await strike(failingAtCalls(world), world, ROTATION, options)).failures).toEqual([]);
  });
});
