// What an application takes on with the reader: time to import, size on disk.

import { copyFileSync, mkdirSync, readdirSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { installPackedReader } from "../scripts/packed.ts";
import { cold, interleave, row } from "./harness.ts";
import { program, unitCase } from "./programs.ts";

export async function benchReaderSize(folder: string): Promise<void> {
  console.log("\nThe reader: import and size");
  mkdirSync(folder, { recursive: true });
  installPackedReader(folder);
  rmSync(join(folder, ".package"), { recursive: true });
  for (const name of ["empty", "import"]) copyFileSync(program(name), join(folder, `${name}.mjs`));
  const results = await interleave(
    [
      unitCase(),
      { name: "an empty module", run: () => cold(["empty.mjs"], { cwd: folder }) },
      { name: "import of the reader", run: () => cold(["import.mjs"], { cwd: folder }) },
    ],
    21,
  );
  const [unit, empty, imported] = [...results.values()];
  if (!unit || !empty || !imported) return;
  for (const measured of results.values()) console.log(row(measured, unit));
  console.log(`  import costs ${(imported.median - empty.median).toFixed(1)} ms (goal: 15 at most)`);
  const bytes = sizeOnDisk(join(folder, "node_modules"));
  console.log(`  installed size ${(bytes / 1024).toFixed(0)} KiB (goal: 300 at most)`);
}

/** What the files occupy, in whole blocks where the file system says so. */
function sizeOnDisk(folder: string): number {
  const files = readdirSync(folder, { recursive: true, encoding: "utf8" });
  return files.reduce((sum, name) => {
    const { blocks, size } = statSync(join(folder, name));
    return sum + (blocks === undefined ? size : blocks * 512);
  }, 0);
}
