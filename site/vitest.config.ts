// `pnpm docs:test`: apart from the other tests, since it downloads VitePress first.
import { defineConfig } from "vitest/config";
import everywhere from "../vitest.config.ts";

export default defineConfig({
  ...everywhere,
  test: { ...everywhere.test, include: ["site/test/in-chromium.ts"], globalSetup: [] },
});
