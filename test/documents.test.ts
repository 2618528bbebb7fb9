// The documents say what is true: links lead somewhere, files that are named exist, commands and exit codes are the real ones.

import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { commandReference } from "../scripts/command-reference.ts";
import { errorReference } from "../scripts/error-reference.ts";

const project = dirname(dirname(fileURLToPath(import.meta.url)));

const DOCUMENTS = [
  ".",
  "docs",
  "docs/adr",
  "docs/guides",
  "docs/providers",
  "test-vectors",
  ".changeset",
  "packages/cli",
  "packages/s3-client",
  "examples",
  ...readdirSync(join(project, "examples"), { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map(({ name }) => join("examples", name)),
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

test("docs/errors.md is what the sources say; otherwise: npx --yes pnpm@12 reference", () => {
  expect(read("docs/errors.md")).toBe(errorReference());
});

test("docs/environment.md has every variable that the sources read, and no other of vsync's", () => {
  const sources = ["packages/cli/src", "packages/s3-client/src", "packages/store/src"].flatMap((folder) =>
    readdirSync(join(project, folder), { recursive: true, encoding: "utf8" })
      .filter((name) => name.endsWith(".ts"))
      .map((name) => read(join(folder, name))),
  );
  const NAME = "(?:VSYNC|AWS|XDG|NODE|GH|VAULT)_[A-Z_]+|[A-Z]+_PROXY|NO_COLOR|CI";
  const ways = new RegExp(
    `\\benv\\.(${NAME})\\b|(?:baseFolder|environmentValue|readInput|variable:?)\\W[^"]*"(${NAME})"`,
    "g",
  );
  const used = new Set(sources.flatMap((text) => [...text.matchAll(ways)].map(([, a, b]) => a ?? b)));
  const documented = new Set(
    [...read("docs/environment.md").matchAll(/`([A-Z][A-Z_]+)`/g)].map(([, name]) => name),
  );
  expect([...used].filter((name) => !documented.has(name))).toEqual([]);
  const everything = sources.join("\n");
  expect([...documented].filter((name) => !everything.includes(name ?? ""))).toEqual([]);
  expect(used.size).toBeGreaterThan(10);
});

describe("commands that documents show", () => {
  const options = new Map(
    commandReference()
      .split(/^## /m)
      .map((section) => [section.split("\n", 1)[0] ?? "", optionsIn(section)]),
  );
  const shared = options.get("All commands") ?? new Set();

  test.each(DOCUMENTS)("of %s exist, with their options", (document) => {
    const code = [...read(document).matchAll(/^ *```sh.*\n([\s\S]*?)^ *```$|^ {4}(\S.*)$|`(vsync [^`]+)`/gm)];
    const unknown = code
      .flatMap(([, fence, indented, span]) => (fence ?? indented ?? span ?? "").split("\n"))
      .flatMap((line) => [...line.matchAll(/(?:^|[ (=])vsync ([a-z][\w-]*)(?: ([a-z]+))?([^|&;)]*)/g)])
      .filter(([, first = "", second, rest = ""]) => {
        const name = options.has(`${first} ${second}`) ? `${first} ${second}` : first;
        const known = options.get(name);
        if (known === undefined) return ![...options.keys()].some((key) => key.startsWith(`${first} `));
        const own = rest.split(" -- ", 1)[0] ?? "";
        return [...optionsIn(own)].some((option) => !known.has(option) && !shared.has(option));
      })
      .map(([line]) => line);
    expect(unknown).toEqual([]);
  });
});

function optionsIn(text: string): Set<string> {
  return new Set([...text.matchAll(/--[a-z][a-z-]*/g)].map(([option]) => option));
}
