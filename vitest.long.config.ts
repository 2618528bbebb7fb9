// What takes minutes or hours, `pnpm test:long`: files named *.long.ts, one after the other, each of them a part that a
// name on the command line picks (`pnpm test:long fuzz`).
import { defineConfig } from "vitest/config";
import everyday from "./vitest.config.ts";

export default defineConfig({
  ...everyday,
  test: {
    ...everyday.test,
    include: ["packages/*/test/**/*.long.ts", "test/**/*.long.ts"],
    // A part has the machine for itself: some measure, and most of them keep every core busy.
    fileParallelism: false,
    passWithNoTests: true,
    testTimeout: 6 * 3600_000,
    hookTimeout: 600_000,
  },
});
