// `pnpm test:runtimes`: apart from the other tests, since it downloads the runtimes first.
import { defineConfig } from "vitest/config";
import everywhere from "../../vitest.config.ts";

export default defineConfig({
  ...everywhere,
  test: { ...everywhere.test, include: ["test/runtimes/in-each-runtime.ts"], globalSetup: [] },
});
