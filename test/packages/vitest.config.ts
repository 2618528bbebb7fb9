// `pnpm test:packages`: apart from the other tests, since it downloads package managers first.
import { defineConfig } from "vitest/config";
import everywhere from "../../vitest.config.ts";

export default defineConfig({
  ...everywhere,
  test: {
    ...everywhere.test,
    include: ["test/packages/{bill-of-materials,by-each-manager,executable,same-twice,workflows}.ts"],
    // Installs go over the network, and a clean build is two more of them.
    testTimeout: 300_000,
    hookTimeout: 300_000,
  },
});
