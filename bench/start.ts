// What the command costs before it does anything.

import { cold, interleave, row } from "./harness.ts";
import { unitCase } from "./programs.ts";
import { VSYNC } from "./shop.ts";

export async function benchStart(): Promise<void> {
  console.log("\nStart of the command");
  const results = await interleave(
    [
      unitCase(),
      { name: "node -e 0", run: () => cold(["-e", "0"]) },
      { name: "vsync --version", run: () => cold([VSYNC, "--version"]) },
      { name: "vsync --help", run: () => cold([VSYNC, "--help"]) },
    ],
    15,
  );
  const [unit, node, version] = [...results.values()];
  if (!unit || !node || !version) return;
  for (const measured of results.values()) console.log(row(measured, unit));
  console.log(`  vsync --version / node -e 0 = ${(version.median / node.median).toFixed(2)}`);
}
