// A sample of the fuzzing that `pnpm test:long fuzz` does for minutes: a few hundred inputs for every parser.

import { expect, test } from "vitest";
import { takeSeed } from "../../../../test/seed.ts";
import { fuzz } from "./fuzzing.ts";
import { TARGETS } from "./targets.ts";

const NAMES = TARGETS.map(({ name }) => name);

const RUNS = 300;

test("every parser answers, or refuses with an error of its own", async () => {
  const done = await fuzz({ targets: NAMES, runs: RUNS, seed: takeSeed("fuzz") });
  expect(done.map(({ target, runs }) => [target, runs])).toEqual(NAMES.map((name) => [name, RUNS]));
  // Some inputs get through and some do not, or nothing has been tried.
  for (const { target, outcomes } of done) expect(outcomes, target).toBeGreaterThan(1);
}, 400_000);
