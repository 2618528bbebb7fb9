// `pnpm test:long fuzz`: ten minutes for every parser, or VSYNC_FUZZ_SECONDS.

import { expect, test } from "vitest";
import { takeSeed } from "../../../../test/seed.ts";
import { fuzz } from "./fuzzing.ts";
import { TARGETS } from "./targets.ts";

const NAMES = TARGETS.map(({ name }) => name);

const seconds = Number(process.env.VSYNC_FUZZ_SECONDS ?? 600);

test.each(NAMES)("%s: answers, or refuses with an error of its own", async (name) => {
  const [done] = await fuzz({ targets: [name], seconds, seed: takeSeed(`fuzz ${name}`) });
  expect(done?.runs).toBeGreaterThan(0);
  const { runs = 0, outcomes = 0, slowestMs = 0, mostBytes = 0 } = done ?? {};
  process.stderr.write(
    `fuzz ${name}: ${runs} inputs in ${seconds} s, ${outcomes} outcomes, the slowest ${Math.round(slowestMs)} ms of processor time, ${Math.round(mostBytes / 2 ** 20)} MiB at most\n`,
  );
});
