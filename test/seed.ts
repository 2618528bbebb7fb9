// Chance that can be had again: every suite that draws says its seed, and takes one from VSYNC_TEST_SEED.

/** The run's seed for `suite`, said on stderr so that a failure can be run again. */
export function takeSeed(suite: string): number {
  const given = process.env.VSYNC_TEST_SEED;
  const seed = given === undefined ? Math.floor(Math.random() * 2 ** 31) : Number(given);
  if (!Number.isSafeInteger(seed)) throw new Error(`VSYNC_TEST_SEED is no whole number: ${given}`);
  process.stderr.write(`${suite}: VSYNC_TEST_SEED=${seed} repeats this run\n`);
  return seed;
}

/** Numbers from 0 to below 1, the same for the same seed (mulberry32: choices in tests, nothing secret). */
export function drawFrom(seed: number): () => number {
  let state = seed | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
