// `pnpm dev <arguments>`: runs vsync from the sources, in a repository to play in (environment `demo`, its bucket a folder), and
// again after each change of a source. Ctrl-C ends it, and takes the repository away.

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, realpathSync, rmSync, watch, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { makeMachine } from "../test/machine.ts";

const packages = join(dirname(fileURLToPath(import.meta.url)), "../packages");
const main = join(packages, "cli/src/main.ts");
// An editor that saves a file changes it several times.
const SETTLED_MS = 50;

const args = process.argv.slice(2);
const folder = realpathSync(mkdtempSync(join(tmpdir(), "vsync-dev-")));

let running: ChildProcess | undefined;
for (const signal of ["SIGINT", "SIGTERM"] as const) {
  process.once(signal, () => {
    running?.kill();
    rmSync(folder, { recursive: true, force: true });
    process.exit();
  });
}

const { repository, vault, env } = await makeMachine(join(folder, "machine"));
const bucket = ["--endpoint", pathToFileURL(folder).href, "--bucket", "bucket"];
await once(vsync(["init", "demo", "--quiet", "--iterations", "100000", ...bucket]), "close");
writeFileSync(join(vault, ".env.demo"), "DATABASE_URL=postgres://localhost/shop\n", { mode: 0o600 });
await once(vsync(["push", "demo", "--quiet"]), "close");
writeFileSync(join(vault, ".env.demo"), "DATABASE_URL=postgres://db.example/shop\nNEW=value\n");

say(`in ${repository}: vsync ${args.join(" ")}`);
let timer: NodeJS.Timeout | undefined;
for (const name of ["cli", "envelope", "store"]) {
  watch(join(packages, name, "src"), { recursive: true }, () => {
    clearTimeout(timer);
    timer = setTimeout(start, SETTLED_MS);
  });
}
start();

/** Ends what still runs, and runs the command anew. */
function start(): void {
  running?.kill();
  const began = performance.now();
  const child = vsync(args);
  running = child;
  child.on("close", (status, signal) => {
    const seconds = ((performance.now() - began) / 1000).toFixed(1);
    if (running === child) say(`status ${status ?? signal} after ${seconds} s; waiting for a change`);
  });
}

function vsync(command: readonly string[]): ChildProcess {
  const { TERM, NO_COLOR } = process.env;
  const flags = ["--conditions=vsync-source", "--import", import.meta.resolve("tsx")];
  return spawn(process.execPath, [...flags, main, ...command], {
    cwd: repository,
    env: { ...env, TERM: TERM ?? "dumb", ...(NO_COLOR === undefined ? {} : { NO_COLOR }) },
    stdio: "inherit",
  });
}

function say(text: string): void {
  process.stderr.write(`-- ${text}\n`);
}
