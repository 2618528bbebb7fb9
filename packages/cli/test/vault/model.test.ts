// The model of ./model, for some hundred runs; model.long.ts plays it at length.

import { expect, test, vi } from "vitest";
import { takeSeed } from "../../../../test/seed.ts";
import { playModel } from "./model/play.ts";

test("two to five writers, two readers and a rotator break no promise", { timeout: 240_000 }, async () => {
  vi.spyOn(console, "warn").mockReturnValue(undefined); // readers tell of a grace period
  const tally = await playModel(200, takeSeed("the model of publishing"));
  const { runs, openedByGrace: _, ...happened } = tally; // too rare to count on
  expect(runs).toBe(200);
  expect(Object.entries(happened).filter(([, count]) => count === 0)).toEqual([]);
});
