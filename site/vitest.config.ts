// `pnpm docs:test`: apart from the other tests, since it downloads VitePress first.
import { defineConfig } from "vitest/config";
import everywhere from "../vitest.config.ts";

export default defineConfig({
  ...everywhere,
  // Sixty pages are opened one after the other, on a machine that may be busy.
  test: {
    ...everywhere.test,
    include: ["site/test/in-chromium.ts"],
    globalSetup: [],
    testTimeout: 180_000,
  },
});
