// The programs that are measured, and the unit of all ratios.

import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { type Case, type Cold, cold } from "./harness.ts";

const folder = join(dirname(fileURLToPath(import.meta.url)), "programs");

export function program(name: string): string {
  return join(folder, `${name}.mjs`);
}

/** One PBKDF2 of 600,000 iterations in a bare process: no boot can be faster. */
export function unitCase(options?: Cold): Case {
  return { name: "one PBKDF2", run: () => cold([program("derive")], options) };
}
