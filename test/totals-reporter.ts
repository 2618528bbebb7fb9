// Ends a run with the one line `N passed, N failed`, for whoever reads it by machine.

import type { SerializedError } from "vitest";
import type { Reporter, TestModule } from "vitest/node";

// biome-ignore lint/style/noDefaultExport: vitest loads reporters by their default export
export default class TotalsReporter implements Reporter {
  onTestRunEnd(modules: readonly TestModule[], unhandled: readonly SerializedError[]): void {
    const states = modules.flatMap((module) =>
      [...module.children.allTests()].map((test) => test.result().state),
    );
    const count = (wanted: string): number => states.filter((state) => state === wanted).length;
    // A file that does not load has no failed test in it, and an error outside all tests has no test at all.
    const broken = modules.filter(
      (module) => module.state() === "failed" && module.errors().length > 0,
    ).length;
    const failed = count("failed") + broken + unhandled.length;
    process.once("exit", () => process.stdout.write(`${count("passed")} passed, ${failed} failed\n`));
  }
}
