// The model of ./model for 10,000 runs, or as many as VSYNC_MODEL_RUNS says.

import { expect, test, vi } from "vitest";
import { takeSeed } from "../../../../test/seed.ts";
import { describeTally, playModel } from "./model/play.ts";

const RUNS = Number(process.env.VSYNC_MODEL_RUNS ?? 10_000);
const PORTION = 500;

test(`${RUNS} runs of two to five writers, two readers and a rotator break no promise`, async () => {
  vi.spyOn(console, "warn").mockReturnValue(undefined); // readers tell of a grace period
  const seed = takeSeed("the model of publishing");
  let played = 0;
  for (; played < RUNS; played += PORTION) {
    const tally = await playModel(Math.min(PORTION, RUNS - played), seed + played);
    process.stderr.write(`no promise broken: ${describeTally(tally)}\n`);
  }
  expect(played).toBeGreaterThanOrEqual(RUNS);
});
