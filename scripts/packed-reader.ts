// The reader as users get it: packed as for the registry, installed by npm. A link into the workspace would hide what is missing.

import { spawnSync } from "node:child_process";
import { mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const reader = join(dirname(fileURLToPath(import.meta.url)), "../packages/s3-client");

/** Makes `folder` an application that depends on the reader as it is built now. No network: it has no dependencies. */
export function installPackedReader(folder: string): void {
  const packed = join(folder, ".package");
  mkdirSync(packed, { recursive: true });
  writeFileSync(
    join(folder, "package.json"),
    `${JSON.stringify({ name: "app", private: true, type: "module" })}\n`,
  );
  run("pnpm", ["pack", "--pack-destination", packed], reader);
  const [archive] = readdirSync(packed);
  run(
    "npm",
    ["install", "--offline", "--no-audit", "--no-fund", "--silent", join(packed, archive ?? "")],
    folder,
  );
}

function run(command: string, args: readonly string[], cwd: string): void {
  // pnpm and npm are .cmd files on Windows, which only a shell starts.
  const result = spawnSync(command, args, { cwd, encoding: "utf8", shell: process.platform === "win32" });
  if (result.status === 0) return;
  throw new Error(`${command} ${args[0]} failed: ${result.error?.message ?? result.stderr + result.stdout}`);
}
