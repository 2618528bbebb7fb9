// Has a process feed parsers and watches over it: one that hangs or dies is ended, and its input told.

import { spawn } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import type { Order, Report } from "./feed.ts";

export type Done = Extract<Report, { kind: "done" }>;

const FEED = fileURLToPath(new URL("./feed.ts", import.meta.url));
/**
 * A process that says nothing for so long hangs. It says something each second, on a machine that is not busy. Less than
 * a test's time, or nobody would be told the input.
 */
const HANG_MS = 100_000;
/** Of JavaScript's heap: a parser that fills it takes its process down. */
const MAX_HEAP_MIB = 512;

/** What each target came to. Throws with the input of the first that failed, hung or died. */
export async function fuzz(order: Omit<Order, "journal" | "input">): Promise<Done[]> {
  const folder = mkdtempSync(join(tmpdir(), "vsync-fuzz-"));
  const journal = join(folder, "journal");
  const child = spawn(
    process.execPath,
    [
      `--max-old-space-size=${MAX_HEAP_MIB}`,
      "--conditions=vsync-source",
      "--import",
      "tsx",
      FEED,
      JSON.stringify({ ...order, journal }),
    ],
    { stdio: ["ignore", "pipe", "pipe"], env: { ...process.env, TMPDIR: folder } },
  );
  let hung = false;
  const end = (): void => {
    hung = true;
    child.kill("SIGKILL");
  };
  let watchdog = setTimeout(end, HANG_MS);
  const done: Done[] = [];
  const failed: Extract<Report, { kind: "failed" }>[] = [];
  createInterface({ input: child.stdout }).on("line", (line) => {
    clearTimeout(watchdog);
    watchdog = setTimeout(end, HANG_MS);
    const report: Report = JSON.parse(line);
    if (report.kind === "done") done.push(report);
    if (report.kind === "failed") failed.push(report);
  });
  let complaints = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    complaints = (complaints + text).slice(-4000);
  });
  const status = await new Promise((resolve) => child.on("close", (code, signal) => resolve(code ?? signal)));
  clearTimeout(watchdog);
  if (status === 0) {
    rmSync(folder, { recursive: true, force: true });
    return done;
  }
  const [failure] = failed;
  const why = failure?.problem ?? (hung ? "it hangs" : `the process ended (${status}): ${complaints}`);
  throw new Error(`${readJournal(journal, folder)}, VSYNC_TEST_SEED=${order.seed}\n${why}`);
}

/** Which input it was; the input is left in a file. */
function readJournal(journal: string, folder: string): string {
  if (!existsSync(journal)) return "before the first input";
  const noted = readFileSync(journal);
  const [target = "", run = "", length = ""] = noted.subarray(0, 200).toString("latin1").split("\n");
  const start = target.length + run.length + length.length + 3;
  const path = join(folder, "input");
  writeFileSync(path, noted.subarray(start, start + Number(length)));
  return `${target}, input ${run} (kept as ${path})`;
}
