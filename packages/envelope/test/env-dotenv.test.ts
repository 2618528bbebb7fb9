// dotenv's `parse` is the reference for the .env syntax: whatever the file, both read the same pairs from it.

import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { parseEnv as nodeParseEnv } from "node:util";
import { parse } from "dotenv";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { parseEnv } from "../src/env-file.ts";
import { envFile, tokens } from "./env-arbitrary.ts";

/** Many more for one long run: VSYNC_FUZZ_RUNS=200000. */
const numRuns = Number(process.env.VSYNC_FUZZ_RUNS ?? 2000);

function expectSame(bytes: Uint8Array): void {
  const pairs = parseEnv(bytes);
  // dotenv collects into a plain object, where this one name sets nothing.
  pairs.delete("__proto__");
  const [ours, reference] = [[...pairs], Object.entries(parse(Buffer.from(bytes)))].map((list) =>
    JSON.stringify(list.sort()),
  );
  if (ours !== reference)
    expect.fail(`${JSON.stringify(Buffer.from(bytes).toString())}: ${ours}, not ${reference}`);
}

const utf8 = (text: string) => new Uint8Array(Buffer.from(text));

describe("the same as dotenv", () => {
  test("on files as people write them, and nearly write them", () => {
    fc.assert(
      fc.property(envFile, (text) => expectSame(utf8(text))),
      { numRuns },
    );
  });

  test("on any mixture of what the syntax is made of", () => {
    const soup = fc.array(fc.constantFrom(...tokens), { maxLength: 30 }).map((list) => list.join(""));
    fc.assert(
      fc.property(soup, (text) => expectSame(utf8(text))),
      { numRuns },
    );
  });

  test("on every short text over the characters that mean something", () => {
    const alphabet = ["A", "=", ":", " ", "\n", "\r", "'", '"', "\\", "#", "\u2028"];
    const extend = (text: string, depth: number): void => {
      expectSame(utf8(text));
      if (depth > 0) for (const character of alphabet) extend(text + character, depth - 1);
    };
    for (const start of ["", "A='", 'A="', "A:", "export"]) extend(start, 3);
  });

  test("on any text and on bytes that are not UTF-8", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary", maxLength: 24 }), (text) =>
        expectSame(utf8(`K=${text}\nL='${text}'`)),
      ),
      { numRuns },
    );
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 40 }), (bytes) =>
        expectSame(Buffer.concat([utf8("K="), bytes])),
      ),
      { numRuns },
    );
  });

  test("on every character that one UTF-16 unit holds", () => {
    for (let from = 0; from < 0x10000; from += 64) {
      if (from >= 0xd800 && from < 0xe000) continue;
      const characters = Array.from({ length: 64 }, (_, i) => String.fromCharCode(from + i));
      expectSame(
        utf8(characters.map((character, i) => `K${i}=${character}\nL${i}=a${character}b`).join("\n")),
      );
      expectSame(utf8(characters.map((character, i) => `Q${i}='${character}' #${character}`).join("\n")));
      // Before a key, within one, between it and its separator, and behind a quote.
      expectSame(
        utf8(characters.map((character, i) => `${character}P${i}=1\nK${character}${i}=2`).join("\n")),
      );
      expectSame(
        utf8(characters.map((character, i) => `S${i}${character}=1\nT${i}='2'${character}`).join("\n")),
      );
    }
  });

  const folder = process.env.VSYNC_DOTENV_CASES ?? "";
  if (folder === "") {
    console.warn(
      "dotenv's own cases: skipped; set VSYNC_DOTENV_CASES to a folder with the .env files of motdotla/dotenv's tests",
    );
  }
  test.skipIf(folder === "")("on the files of dotenv's own tests", () => {
    const files = readdirSync(folder).filter((name) => name.includes("env"));
    expect(files.length).toBeGreaterThan(3);
    for (const name of files) {
      const bytes = readFileSync(join(folder, name));
      expect(parseEnv(bytes).size, name).toBeGreaterThan(0);
      expectSame(bytes);
      // As it is after a checkout on Windows.
      expectSame(utf8(bytes.toString().replaceAll("\n", "\r\n")));
      expectSame(utf8(bytes.toString().replaceAll("\n", "\r")));
    }
  });
});

describe("the table of differences in docs/env-files.md", () => {
  const table = readFileSync(new URL("../../../docs/env-files.md", import.meta.url), "utf8");
  const rows = [...table.matchAll(/^\| (.+) \| `(".*")` \| `({.*})` \| `({.*})` \|$/gm)].map(
    ([, what, file, ours, node]) => [what, ...[file, ours, node].map((cell) => JSON.parse(cell!))] as const,
  );

  test("has its rows", () => {
    expect(rows.length).toBeGreaterThan(20);
  });

  test.each(rows)("%s", (_what, file, ours, node) => {
    expect(Object.fromEntries(parseEnv(utf8(file)))).toEqual(ours);
    expect(parse(file)).toEqual(ours);
    expect(node).not.toEqual(ours);
    if (/^v20\.20\./.test(process.version)) expect({ ...nodeParseEnv(file) }).toEqual(node);
  });
});

test("names that mean something to objects are ordinary keys", () => {
  const pairs = parseEnv(utf8("__proto__=a\nconstructor=b\ntoString=c\nhasOwnProperty=d\n"));
  expect([...pairs]).toEqual([
    ["__proto__", "a"],
    ["constructor", "b"],
    ["toString", "c"],
    ["hasOwnProperty", "d"],
  ]);
});

test("every character beyond them is itself, in quotes or not", () => {
  for (let from = 0x10000; from < 0x110000; from += 0x1000) {
    const value = String.fromCodePoint(...Array.from({ length: 0x1000 }, (_, i) => from + i));
    expect(parseEnv(utf8(`A=${value}\nB='${value}'\n`))).toEqual(
      new Map([
        ["A", value],
        ["B", value],
      ]),
    );
  }
});

test("ten thousand keys, and one value of a megabyte", () => {
  const text = Array.from({ length: 10_000 }, (_, i) => `export KEY_${i} = "value ${i}" # note\n`).join("");
  const pairs = parseEnv(utf8(text));
  expect(pairs.size).toBe(10_000);
  expect(pairs.get("KEY_9999")).toBe("value 9999");
  const large = "x\n".repeat(1 << 19);
  expect(parseEnv(utf8(`A='${large}'\nB=1`))).toEqual(
    new Map([
      ["A", large],
      ["B", "1"],
    ]),
  );
});

describe("a megabyte of anything is read in linear time", () => {
  const megabyte = (piece: string, start = "") => start + piece.repeat((1 << 20) / piece.length);
  test.each([
    ["line breaks", megabyte("\n")],
    ["white space", megabyte(" ")],
    ["white space after a key", megabyte(" ", "A")],
    ["white space after a separator", megabyte(" \n", "A=")],
    ["export, again and again", megabyte("export\n")],
    ["one key", megabyte("A")],
    ["keys without values", megabyte("A\n")],
    ["separators without values", megabyte("A=\n")],
    ["colons", megabyte("A:\n")],
    ["quotes that never close", megabyte("A='x\n")],
    ["quotes of three kinds that never close", megabyte("A='x\nA=\"x\nA=`x\n")],
    ["escaped quotes", megabyte("\\'", "A='")],
    ["escaped quotes that could close", megabyte("\\' \n", "A='")],
    ["escaped quotes with space after them", megabyte("\\'          x", "A='")],
    ["lines that open a quote within a value", megabyte("'\u2028", "A=x\u2028")],
    ["lines that open and never close one", megabyte("'x\u2028", "A=")],
    ["lines in quotes of several kinds", megabyte("'x'\u2028\"y\"\u2028`z\u2028", "A=")],
    ["escapes", megabyte("\\n\\r", 'A="')],
    ["comments", megabyte("# A='\n")],
  ])("%s", (_name, text) => {
    const bytes = utf8(text);
    const started = performance.now();
    parseEnv(bytes);
    // It takes some tens of milliseconds; in quadratic time it would take an hour.
    expect(performance.now() - started).toBeLessThan(20_000);
  });
});
