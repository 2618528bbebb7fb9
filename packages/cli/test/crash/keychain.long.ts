import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { takeSeed } from "../../../../test/seed.ts";
import { hasSecretService } from "../secret-service.ts";
import { failingAtCalls, type KeychainWorld, killedAtCalls, makeKeychainWorld } from "./keychain.ts";
import { ROTATION, SCENARIOS } from "./scenarios.ts";
import { strike } from "./strikes.ts";

const RUNS = hasSecretService("crash/keychain");

// All of them, or so many of each command.
const SAMPLE = Number(process.env.VSYNC_CRASH_POINTS ?? 0) || undefined;

describe.skipIf(!RUNS)("with a real keychain", () => {
  const seed = takeSeed("crash/keychain");
  let world: KeychainWorld;
  beforeAll(async () => {
    world = await makeKeychainWorld();
  });
  afterAll(() => world.close());

  test.each(SCENARIOS.filter(({ writesKeys }) => writesKeys))(
    "$name killed at every call to it",
    async (scenario) => {
      expect(
        (await strike(killedAtCalls(world), world, scenario, { seed, sample: SAMPLE })).failures,
      ).toEqual([]);
    },
  );

  test("rotate-passphrase while it is locked, or gone, from each call on", async () => {
    expect((await strike(failingAtCalls(world), world, ROTATION, { seed, sample: SAMPLE })).failures).toEqual(
      [],
    );
  });
});
