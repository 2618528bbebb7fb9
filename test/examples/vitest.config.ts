// `pnpm test:examples`: apart from the other tests, since it downloads what the applications stand on first.
import { defineConfig } from "vitest/config";
import everywhere from "../../vitest.config.ts";

export default defineConfig({
  ...everywhere,
  test: {
    ...everywhere.test,
    include: ["test/examples/{applications,deployments}.ts"],
    // Next.js builds for a quarter of a minute when it is alone.
    hookTimeout: 300_000,
  },
});
