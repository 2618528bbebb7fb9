// One run for the whole repository, against the sources: packages that publish a build name it under the other conditions.
import { defineConfig } from "vitest/config";

// Where to leave a machine-readable report as well; CI takes its totals from it.
const report = process.env.VSYNC_TEST_REPORT;

const conditions = ["vsync-source", "node", "import", "default"];

export default defineConfig({
  resolve: { conditions },
  ssr: { resolve: { conditions } },
  test: {
    include: ["packages/*/test/**/*.test.ts", "test/**/*.test.ts"],
    globalSetup: ["test/s3-server.ts"],
    reporters: report ? ["default", ["json", { outputFile: report }]] : ["default"],
    // A test may derive keys (0.3 s each) and start processes, on two cores that other files share.
    testTimeout: 60_000,
    hookTimeout: 120_000,
    // What has to happen happens; how soon is not the tests' to say.
    expect: { poll: { timeout: 20_000 } },
  },
});
