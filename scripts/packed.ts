// The packages as users get them: packed as for the registry. A link into the workspace would hide what is missing.

import { spawnSync } from "node:child_process";
import { mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const packages = join(dirname(fileURLToPath(import.meta.url)), "../packages");

/** Packs what is built now, and returns the tarball, which is alone in `folder`. */
export function pack(name: "cli" | "s3-client", folder: string): string {
  mkdirSync(folder, { recursive: true });
  run("pnpm", ["pack", "--pack-destination", folder], join(packages, name));
  const [archive] = readdirSync(folder);
  return join(folder, archive ?? "");
}

/** Makes `folder` an application that depends on the reader as it is built now. No network: it has no dependencies. */
export function installPackedReader(folder: string): void {
  mkdirSync(folder, { recursive: true });
  writeFileSync(
    join(folder, "package.json"),
    `${JSON.stringify({ name: "app", private: true, type: "module" })}\n`,
  );
  const archive = pack("s3-client", join(folder, ".package"));
  run("npm", ["install", "--offline", "--no-audit", "--no-fund", "--silent", archive], folder);
}

function run(command: string, args: readonly string[], cwd: string): void {
  // pnpm and npm are .cmd files on Windows, which only a shell starts.
  const result = spawnSync(command, args, { cwd, encoding: "utf8", shell: process.platform === "win32" });
  if (result.status === 0) return;
  throw new Error(`${command} ${args[0]} failed: ${result.error?.message ?? result.stderr + result.stdout}`);
}
