// What each command costs before it does anything: its `--help`, and for those that are cheap and ask no bucket, itself.

import { EXAMPLES } from "../packages/cli/src/examples.ts";
import { type Case, cold, interleave, type Measured } from "./harness.ts";
import { makeShop, VSYNC } from "./shop.ts";

/** In a repository with one environment, pushed. */
const LOCAL = [
  "--version",
  "--help",
  "__complete -- push d",
  "docs",
  "docs aws",
  "completion bash",
  "profile list",
  "keystore list",
  "use demo",
  "get demo DATABASE_URL",
  "check demo --schema infra/vault/demo/.env.demo",
  "diff demo",
  "backup list demo",
  "status",
];

export async function benchStart(folder: string): Promise<void> {
  console.log("\nStart of every command");
  const { root: cwd, env, vsync } = await makeShop(folder, { small: 14 });
  await vsync("push", "demo");
  const measure = (line: string): Case => ({
    name: line,
    run: () => cold([VSYNC, ...line.split(" ")], { cwd, env }),
  });
  const helps = Object.keys(EXAMPLES).map((command) => `${command} --help`);
  const nothing: Case = { name: "node -e 0", run: () => cold(["-e", "0"]) };
  const [node, ...commands] = (await interleave([nothing, ...[...LOCAL, ...helps].map(measure)])).values();
  if (node === undefined) return;
  console.log(over(node, node));
  for (const command of commands) console.log(over(command, node));
}

/** One line: the case, its median, and what that is beyond a bare Node. */
function over({ name, median, fastest, slowest }: Measured, node: Measured): string {
  const shown = name === node.name ? name : `vsync ${name}`;
  const range = `(${fastest.toFixed(0)} to ${slowest.toFixed(0)})`;
  return `  ${shown.padEnd(62)} ${median.toFixed(0).padStart(5)} ms ${range.padEnd(14)} + ${(median - node.median).toFixed(0).padStart(4)} ms`;
}
