// The documents say what is true: links lead somewhere, files that are named exist, commands and exit codes are the real ones.

import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { EXIT_CODES } from "../packages/cli/src/exit-codes.ts";
import { commandReference } from "../scripts/command-reference.ts";

const project = dirname(dirname(fileURLToPath(import.meta.url)));

const DOCUMENTS = [
  ".",
  "docs",
  "docs/adr",
  "test-vectors",
  "bench",
  ".changeset",
  "packages/cli",
  "packages/s3-client",
].flatMap((folder) =>
  readdirSync(join(project, folder))
    .filter((name) => name.endsWith(".md"))
    .map((name) => join(folder, name)),
);

function read(document: string): string {
  return readFileSync(join(project, document), "utf8");
}

/** GitHub's rule for the anchor of a heading. */
function anchors(text: string): Set<string> {
  const headings = [...text.matchAll(/^#+ (.*)$/gm)].map(([, heading = ""]) => heading);
  return new Set(
    headings.map((heading) =>
      heading
        .toLowerCase()
        .replace(/[^\p{L}\p{N} _-]/gu, "")
        .replaceAll(" ", "-"),
    ),
  );
}

describe.each(DOCUMENTS)("%s", (document) => {
  const links = [...read(document).matchAll(/\]\(([^)\s]+)\)/g)]
    .map(([, target = ""]) => target)
    .filter((target) => !/^[a-z]+:/.test(target));

  test("links to files and headings that exist", () => {
    const broken = links.filter((link) => {
      const [path = "", anchor] = link.split("#");
      const target = path === "" ? join(project, document) : join(project, dirname(document), path);
      if (!existsSync(target)) return true;
      return anchor !== undefined && !anchors(readFileSync(target, "utf8")).has(anchor);
    });
    expect(broken).toEqual([]);
  });

  test("names files that exist", () => {
    const named = [
      ...read(document).matchAll(/`((?:packages|test|docs|scripts|bench|\.ci)\/[\w./-]+)`/g),
    ].map(([, path = ""]) => path);
    expect(named.filter((path) => !existsSync(join(project, path)) && !path.endsWith("/dist"))).toEqual([]);
  });
});

describe("docs/cli.md", () => {
  const text = read("docs/cli.md");

  test("has every exit code with its status", () => {
    const rows = [...text.matchAll(/^\| (\d+) \| ((?:`[A-Z_]+`(?:, )?)+) \|/gm)];
    const documented = rows.flatMap(([, status, codes = ""]) =>
      [...codes.matchAll(/[A-Z_]+/g)].map(([code]) => [code, Number(status)]),
    );
    const real = Object.entries(EXIT_CODES).map(([code, { status }]) => [code, status]);
    expect(Object.fromEntries(documented)).toEqual(Object.fromEntries(real));
  });

  test("mentions no option that its command does not have", () => {
    const known = new Map(
      text.split(/^## /m).map((section) => [section.split("\n", 1)[0] ?? "", optionsIn(section)]),
    );
    const reference = new Map(
      commandReference()
        .split(/^## /m)
        .map((section) => [section.split("\n", 1)[0] ?? "", optionsIn(section)]),
    );
    const shared = reference.get("All commands") ?? new Set();
    for (const [name, mentioned] of known) {
      const real = reference.get(name);
      if (real === undefined) continue;
      const foreign = [...mentioned].filter((option) => !real.has(option) && !shared.has(option));
      expect([name, foreign]).toEqual([name, []]);
    }
    expect(known.has("push") && reference.has("push")).toBe(true);
  });
});

test("docs/commands.md is what the command declares; otherwise: npx --yes pnpm@12 reference", () => {
  expect(read("docs/commands.md")).toBe(commandReference());
});

function optionsIn(text: string): Set<string> {
  return new Set([...text.matchAll(/--[a-z][a-z-]*/g)].map(([option]) => option));
}
