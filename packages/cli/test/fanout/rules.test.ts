import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { EnvConfig } from "../../src/config/env-config.ts";
import { amazon } from "../../src/fanout/amazon.ts";
import { azure } from "../../src/fanout/azure.ts";
import { envFileLine, github } from "../../src/fanout/github.ts";
import { google } from "../../src/fanout/google.ts";
import { hashicorp } from "../../src/fanout/hashicorp.ts";
import { prepareValues } from "../../src/fanout/plan.ts";
import type { Platform } from "../../src/fanout/platform.ts";
import { savedRouting } from "../../src/fanout/routing.ts";
import { selectValues } from "../../src/fanout/selection.ts";
import { parseLine } from "./stand-ins/godotenv.mjs";

const select = (values: Record<string, string>) =>
  Object.entries(values).map(([scalar, value]) => ({ scalar, name: scalar, value, file: null }));
const prepare = (platform: Platform, values: Record<string, string>, routing = {}) =>
  prepareValues(platform, routing, select(values)).map(({ name }) => name);

describe("what a platform cannot hold is refused with all its names before anything is run", () => {
  test.each([
    [github, "1ST", "x", "no digit in front"],
    [github, "A.B", "x", "letters, digits and _"],
    [github, "GITHUB_TOKEN", "x", "GitHub's own"],
    [github, "BIG", "x".repeat(49_153), "49153 bytes; the limit is 48 KB"],
    [google, "A.B", "x", "letters, digits, _ and -"],
    [google, "EMPTY", "", "is empty"],
    [google, "BIG", "x".repeat(65_537), "65537 bytes; the limit is 65536"],
    [amazon, "EMPTY", "", "is empty"],
    [amazon, "LINES", "a\r\nb", "carriage return"],
    [amazon, "BIG", "x".repeat(65_537), "65537 bytes; the limit is 65536"],
    [azure, "DATABASE_URL", "x", "--azure-underscores hyphens"],
    [azure, "A.B", "x", "letters, digits and hyphens"],
    [azure, "LINES", "a\r\nb", "carriage return"],
    [azure, "BIG", "é".repeat(12_801), "25602 bytes; the limit is 25 KB"],
  ])("$title: %s", (platform, name, value, problem) => {
    const attempt = () => prepare(platform, { FINE: "x", [name]: value, ALSO: "y" });
    expect(attempt).toThrow(
      expect.objectContaining({ code: "INPUT", message: expect.stringContaining(name) }),
    );
    expect(attempt).toThrow(expect.objectContaining({ message: expect.stringContaining(problem) }));
  });

  test("what they can hold to the last byte passes", () => {
    expect(prepare(github, { A: "x".repeat(49_152) })).toEqual(["A"]);
    expect(prepare(google, { A: "x".repeat(65_536) })).toEqual(["A"]);
    expect(prepare(amazon, { A: "x".repeat(65_536) }, { prefix: "prod/" })).toEqual(["prod/A"]);
    expect(prepare(azure, { "A-1": "x".repeat(25_600) })).toEqual(["A-1"]);
    expect(prepare(hashicorp, { "any.name": "" })).toEqual(["any.name"]);
  });

  test("two names that a platform takes for one", () => {
    const both = (first: string, second: string) =>
      expect.objectContaining({ message: expect.stringMatching(`${first} and ${second} would both be`) });
    expect(() => prepare(github, { key: "1", KEY: "2" })).toThrow(both("key", "KEY"));
    expect(() => prepare(azure, { key: "1", KEY: "2" })).toThrow(both("key", "KEY"));
    expect(() => prepare(azure, { A_B: "1", "A-B": "2" }, { underscores: "hyphens" })).toThrow(
      both("A_B", "A-B"),
    );
    expect(prepare(google, { key: "1", KEY: "2" })).toEqual(["key", "KEY"]);
  });
});

test("gh's parser of env files gives back each value that ends in a line break", () => {
  const part = fc.constantFrom(
    "$HOME",
    "$" + "{X}",
    "$(",
    "\\",
    '"',
    "'",
    "\n",
    "\r",
    "\\n",
    "$",
    "#",
    "---",
    "\u2028",
  );
  const value = fc.array(fc.oneof(part, fc.string({ unit: "binary" })), { maxLength: 12 });
  fc.assert(
    fc.property(value, fc.constantFrom("\n", "\r"), (parts, end) => {
      const text = parts.join("") + end;
      expect(parseLine(envFileLine("KEY", text), { HOME: "expanded", X: "expanded" })).toEqual(["KEY", text]);
    }),
    { numRuns: 1000 },
  );
});

describe("the policy", () => {
  const text = (content: string) => ({ bytes: new TextEncoder().encode(content), executable: false });
  const files = new Map([
    ["keys/id", text("-----\nkey\n")],
    ["latin1", { bytes: Uint8Array.of(0xe9), executable: false }],
  ]);
  const apply = (
    pairs: Record<string, string>,
    inlineFileSuffixes: string[],
    excludeProperties: string[] = [],
  ) => selectValues(new Map(Object.entries(pairs)), files, { inlineFileSuffixes, excludeProperties });

  test("sends a file's content, to the last byte, under the name without the suffix", () => {
    const { selected } = apply({ SSH_KEY_FILE: "./keys/id", PLAIN: "keys/id", _FILE: "keys/id" }, ["_FILE"]);
    expect(selected).toEqual([
      { scalar: "SSH_KEY_FILE", name: "SSH_KEY", value: "-----\nkey\n", file: "keys/id" },
      { scalar: "PLAIN", name: "PLAIN", value: "keys/id", file: null },
      { scalar: "_FILE", name: "_FILE", value: "keys/id", file: null },
    ]);
  });

  test("takes the longest suffix, and without any sends the names of files as they are", () => {
    expect(apply({ A_KEY_FILE: "keys/id" }, ["_FILE", "_KEY_FILE"]).selected[0]?.name).toBe("A");
    expect(apply({ A_FILE: "nowhere" }, []).selected[0]).toMatchObject({ name: "A_FILE", value: "nowhere" });
  });

  test("refuses all references that lead nowhere at once: outside the vault too", () => {
    const pairs = {
      A_FILE: "gone",
      B_FILE: "/etc/hostname",
      C_FILE: "../x",
      D_FILE: "keys",
      E_FILE: "latin1",
      F_FILE: "",
    };
    expect(() => apply(pairs, ["_FILE"])).toThrow(
      expect.objectContaining({ code: "INPUT", details: { problems: expect.arrayContaining([]) } }),
    );
    for (const name of Object.keys(pairs)) {
      expect(() => apply(pairs, ["_FILE"])).toThrow(
        expect.objectContaining({ message: expect.stringContaining(name) }),
      );
    }
  });

  test("leaves names out, also such whose file is missing, and says which exclusions found nothing", () => {
    const { selected, excluded, unknownExclusions } = apply(
      { A_FILE: "gone", B: "1" },
      ["_FILE"],
      ["A_FILE", "C"],
    );
    expect(selected.map(({ name }) => name)).toEqual(["B"]);
    expect([excluded, unknownExclusions]).toEqual([["A_FILE"], ["C"]]);
  });
});

describe("saved routing, which may have come with a share", () => {
  const saved = (gh: unknown) => savedRouting({ sync: { gh } } as EnvConfig, github, "gh");

  test("is taken when it has its form", () => {
    expect(saved({ repo: "acme/shop", environment: "prod" })).toEqual({
      repo: "acme/shop",
      environment: "prod",
    });
    expect(saved({ repo: "ghe.example.com/acme/shop" })).toEqual({ repo: "ghe.example.com/acme/shop" });
  });

  test.each([
    [{ repo: "--flag/x" }],
    [{ repo: "a/b; rm" }],
    [{ repo: 1 }],
    [{ environment: "prod" }],
    [null],
    ["x"],
  ])("is none when it has not: %j", (gh) => expect(saved(gh)).toBeNull());

  test("never begins like an option of the command it becomes an argument of", () => {
    for (const platform of [github, google, amazon, azure, hashicorp]) {
      for (const { form } of platform.fields) {
        fc.assert(fc.property(fc.string(), (rest) => !form.test(`-${rest}`) && !form.test(`${rest}\n`)));
      }
    }
  });
});
