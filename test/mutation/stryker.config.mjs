// Mutation testing of the part and by the tests that VSYNC_MUTATE and VSYNC_MUTATE_TESTS name: run.ts sets them.

import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { fileURLToPath } from "node:url";

const part = process.env.VSYNC_MUTATE;
const parts = JSON.parse(readFileSync(new URL("parts.json", import.meta.url), "utf8"));
const report = `coverage/mutation/${part}-${process.env.VSYNC_MUTATE_TESTS}`;

export default {
  plugins: [
    createRequire(import.meta.url).resolve("@stryker-mutator/vitest-runner"),
    fileURLToPath(new URL("ignore-messages.mjs", import.meta.url)),
  ],
  mutate: parts[part].mutate,
  ignorers: ["messages"],
  ignorePatterns: ["/bench", "/docs", "dist", ".turbo", "coverage"],
  testRunner: "vitest",
  vitest: { configFile: "test/mutation/vitest.config.mjs", related: false },
  coverageAnalysis: "perTest",
  // Constants made when a module loads: each of them would run every test.
  ignoreStatic: true,
  // There is none of this name: Stryker would rewrite it with the API of a TypeScript before 7.
  tsconfigFile: "none",
  concurrency: 1,
  timeoutMS: 20_000,
  // A machine that is busy now and was not at the first run makes everything slow, and that would count as noticed.
  timeoutFactor: 4,
  reporters: ["clear-text", "json", "html", "progress-append-only"],
  clearTextReporter: { reportTests: false, allowColor: false },
  jsonReporter: { fileName: `${report}.json` },
  htmlReporter: { fileName: `${report}.html` },
};
