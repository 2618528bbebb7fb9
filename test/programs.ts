// What a suite needs besides Node. Where it is missing the suite is skipped with one line that says how to get it, and
// fails where nothing may be skipped.

import { spawnSync } from "node:child_process";

/** Whether all of the programs run; `how` is what to install. */
export function hasPrograms(suite: string, programs: readonly string[], how: string): boolean {
  const missing = programs.filter((program) => spawnSync(program, ["--version"]).error !== undefined);
  if (missing.length === 0) return true;
  const message = `${missing.join(" and ")} not found: ${how}`;
  if (process.env.CI || process.env.VSYNC_TEST_NO_SKIP) throw new Error(message);
  process.stderr.write(`Skipped: ${suite}; ${message}.\n`);
  return false;
}
