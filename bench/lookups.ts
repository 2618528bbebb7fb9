// What a lookup in an open vault costs, beside one in a Map.

import { copyFileSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { installPackedReader } from "../scripts/packed.ts";
import { coldOutput, median } from "./harness.ts";
import { program } from "./programs.ts";
import { serveVault } from "./served-vault.ts";

export async function benchLookups(folder: string): Promise<void> {
  console.log("\n1,000,000 lookups in one process");
  mkdirSync(folder, { recursive: true });
  installPackedReader(folder);
  copyFileSync(program("lookups"), join(folder, "lookups.mjs"));
  const { env, server } = await serveVault(join(folder, "vault"), { iterations: 100_000 });
  const rounds = JSON.parse(await coldOutput(["lookups.mjs"], { cwd: folder, env })) as Record<
    string,
    number[]
  >;
  server.close();
  const unit = median(rounds["Map.get"] ?? []);
  for (const [name, times] of Object.entries(rounds)) {
    const middle = median(times);
    console.log(
      `  ${name.padEnd(44)} ${middle.toFixed(1).padStart(6)} ms ${(middle / unit).toFixed(2).padStart(6)} x`,
    );
  }
}
