// The tests that judge mutants: those that ask for nothing but this process, since each mutant runs them again.
import { readFileSync } from "node:fs";
import { defineConfig } from "vitest/config";
import everyday from "../../vitest.config.ts";

const parts = JSON.parse(readFileSync(new URL("parts.json", import.meta.url), "utf8"));

export default defineConfig({
  ...everyday,
  test: {
    ...everyday.test,
    include: parts[process.env.VSYNC_MUTATE ?? ""][process.env.VSYNC_MUTATE_TESTS ?? ""],
    globalSetup: [],
    setupFiles: ["test/mutation/remembered-keys.ts"],
    // One process for all files: what differs between two mutants is a variable.
    isolate: false,
    testTimeout: 120_000,
    hookTimeout: 120_000,
  },
});
