// Work on a list a few items at a time.

import { expect, test } from "vitest";
import { mapConcurrently } from "../src/concurrency.ts";

test("the results are in the order of the list, whichever is done first, and never more than four are under way", async () => {
  const list = Array.from({ length: 20 }, (_, i) => i);
  let underWay = 0;
  let most = 0;
  const results = await mapConcurrently(list, async (item) => {
    most = Math.max(most, ++underWay);
    // The later of each four is done first.
    for (let turn = item % 4; turn < 4; turn++) await Promise.resolve();
    underWay--;
    return item * item;
  });
  expect(results).toEqual(list.map((item) => item * item));
  expect(most).toBe(4);
  expect(await mapConcurrently([], async () => expect.unreachable())).toEqual([]);
});

test("after the first failure nothing more is begun, and that failure is the one told", async () => {
  const begun: number[] = [];
  const list = Array.from({ length: 100 }, (_, i) => i);
  const work = mapConcurrently(list, async (item) => {
    begun.push(item);
    if (item === 5) throw new RangeError("the sixth");
  });
  await expect(work).rejects.toThrow(new RangeError("the sixth"));
  await Promise.resolve();
  expect(begun.length).toBeLessThan(20);
});
