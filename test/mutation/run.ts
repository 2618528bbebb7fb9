// `pnpm test:mutation [part...]`: changes the sources of each part one by one and counts how often a test notices. What
// the fast tests let pass is shown to the slower ones. The reports are in coverage/mutation.

import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

interface Mutant {
  readonly status: string;
  readonly testsCompleted?: number;
  readonly mutatorName: string;
  readonly replacement?: string;
  readonly location: { readonly start: Position; readonly end: Position };
}
interface Position {
  readonly line: number;
  readonly column: number;
}
interface Report {
  readonly files: Readonly<Record<string, { readonly source: string; readonly mutants: readonly Mutant[] }>>;
}

const path = (name: string): string => fileURLToPath(new URL(name, import.meta.url));
const ROOT = path("../..");
const NOTICED = ["Killed", "Timeout"];
const MISSED = ["Survived", "NoCoverage"];

const parts = Object.keys(JSON.parse(readFileSync(path("parts.json"), "utf8")));
const wanted = process.argv.slice(2);
const unknown = wanted.find((part) => !parts.includes(part));
if (unknown !== undefined) throw new Error(`no part ${unknown}: there are ${parts.join(", ")}`);

for (const part of wanted.length > 0 ? wanted : parts) {
  const first = mutate(part, "tests", []);
  const lines = Object.entries(first.files).flatMap(([file, { mutants }]) => missedLines(file, mutants));
  tell(part, first, lines.length > 0 ? mutate(part, "slower", ["--mutate", lines.join(",")]) : { files: {} });
}

function mutate(part: string, tests: "tests" | "slower", more: readonly string[]): Report {
  const { status } = spawnSync(
    path("node_modules/.bin/stryker"),
    ["run", path("stryker.config.mjs"), ...more],
    { cwd: ROOT, env: { ...process.env, VSYNC_MUTATE: part, VSYNC_MUTATE_TESTS: tests }, stdio: "inherit" },
  );
  if (status !== 0) throw new Error(`Stryker ended with status ${status}`);
  const report: Report = JSON.parse(readFileSync(`${ROOT}/coverage/mutation/${part}-${tests}.json`, "utf8"));
  const unjudged = Object.values(report.files)
    .flatMap(({ mutants }) => mutants)
    .filter(({ status, testsCompleted }) => status === "Survived" && testsCompleted === 0);
  // Stryker calls that survived: its tests did not load.
  if (unjudged.length > 0) throw new Error(`${part}: ${unjudged.length} mutants were judged by no test`);
  return report;
}

function missedLines(file: string, mutants: readonly Mutant[]): string[] {
  const missed = mutants.filter(({ status }) => MISSED.includes(status));
  return [...new Set(missed.map(({ location: { start, end } }) => `${file}:${start.line}-${end.line}`))];
}

function tell(part: string, first: Report, second: Report): void {
  let noticed = 0;
  let missed = 0;
  for (const [file, { source, mutants }] of Object.entries(first.files)) {
    const later = new Set(
      second.files[file]?.mutants.filter(({ status }) => NOTICED.includes(status)).map(nameOf) ?? [],
    );
    for (const mutant of mutants) {
      if (NOTICED.includes(mutant.status) || later.has(nameOf(mutant))) noticed++;
      else if (MISSED.includes(mutant.status)) {
        missed++;
        const { start, end } = mutant.location;
        const lines = source.split("\n").slice(start.line - 1, end.line);
        const before = (lines[0] ?? "").slice(
          start.column - 1,
          start.line === end.line ? end.column - 1 : undefined,
        );
        console.log(`${file}:${start.line}  ${before}  ->  ${mutant.replacement}`);
      }
    }
  }
  if (noticed + missed === 0) throw new Error(`${part}: no mutants; look at its globs in parts.json`);
  const score = ((100 * noticed) / (noticed + missed)).toFixed(1);
  console.log(`${part}: ${noticed} of ${noticed + missed} mutants noticed, ${score} %`);
}

function nameOf({ mutatorName, replacement, location: { start, end } }: Mutant): string {
  return [mutatorName, replacement, start.line, start.column, end.line, end.column].join();
}
