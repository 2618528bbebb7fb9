// `pnpm test:examples`: apart from the other tests, since it downloads what the applications stand on first.
import { defineConfig } from "vitest/config";
import everywhere from "../../vitest.config.ts";

export default defineConfig({
  ...everywhere,
  test: {
    ...everywhere.test,
    include: ["test/examples/{applications,deployments}.ts"],
    hookTimeout: 300_000,
  },
});
