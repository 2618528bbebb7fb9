// Editing a .env file: one value changes, dotenv reads it back exactly, and every other byte stays.

import { parse } from "dotenv";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { parseEnv, scalarsFile, setEnvValue, unsetEnvValue } from "../src/env-file.ts";
import { type Assignment, scanEnv } from "../src/env-scan.ts";
import { InputRefusedError } from "../src/errors.ts";
import { envFile, tokens } from "./env-arbitrary.ts";

const numRuns = Number(process.env.VSYNC_FUZZ_RUNS ?? 2000);

const utf8 = (text: string) => new Uint8Array(Buffer.from(text));
const text = (bytes: Uint8Array) => Buffer.from(bytes).toString();
const set = (file: string, key: string, value: string) => text(setEnvValue(utf8(file), key, value));
const unset = (file: string, key: string) => text(unsetEnvValue(utf8(file), key));

function refusal(edit: () => unknown): string {
  try {
    edit();
  } catch (error) {
    expect(error).toBeInstanceOf(InputRefusedError);
    expect((error as InputRefusedError).code).toBe("VSYNC_INPUT_REFUSED");
    return (error as InputRefusedError).message;
  }
  return expect.unreachable("it was accepted");
}

test("a name of any length makes no message of that length", () => {
  const name = "N".repeat(5000);
  expect(refusal(() => set("", name, "\ud800")).length).toBeLessThan(300);
  expect(refusal(() => set("", name, "# ' \" `")).length).toBeLessThan(400);
  expect(refusal(() => unset(`A\n${name}=1\n=2\n`, name)).length).toBeLessThan(400);
});

describe("changing a value", () => {
  test.each<[string, string, string, string]>([
    ["the value only", "A=1\nB=2\nC=3\n", "2.5", "A=1\nB=2.5\nC=3\n"],
    ["export and spaces stay", "  export  B =  2  \n", "3", "  export  B =  3  \n"],
    ["an inline comment stays", "B=2 # why\n", "3", "B=3 # why\n"],
    ["a comment that touches the value stays", "B=2#why\n", "3", "B=3#why\n"],
    ["a colon stays", "B: 2\n", "3", "B: 3\n"],
    ["double quotes stay", 'B="2" # why\n', "3", 'B="3" # why\n'],
    ["single quotes stay", "B='2'\n", "3", "B='3'\n"],
    ["back quotes stay", "B=`2`\n", "3", "B=`3`\n"],
    ["the last assignment is the one in force", "B=1\nB=2\n#B=3\n", "4", "B=1\nB=4\n#B=3\n"],
    ["to nothing", "B=2 # why\n", "", "B= # why\n"],
    ["to nothing, in quotes", "B='2'\n", "", "B=''\n"],
    ["quotes at its end only are none around it", "B=x'2'\n", "3", "B=3\n"],
    ["quotes at its start only are none either", "B='2'x\n", "3", "B=3\n"],
    ["from nothing", "B=\nC=1\n", "2", "B=2\nC=1\n"],
    ["from nothing, before a comment", "B= # why\n", "2", "B=2 # why\n"],
    ["to what needs quotes", "B=2 # why\n", "a # b", "B='a # b' # why\n"],
    ["to spaces at the ends", "B=2\n", " 2 ", "B=' 2 '\n"],
    ["inner spaces need no quotes", "B=2\n", "two words", "B=two words\n"],
    ["other quotes when its own are in the value", 'B="2"\n', 'say "so" # now', "B='say \"so\" # now'\n"],
    ["a value that looks quoted", "B=2\n", "'2'", "B=\"'2'\"\n"],
    ["backslashes are literal but in double quotes", 'B="2"\n', "a\\nb", "B='a\\nb'\n"],
    ["several lines", "B=2\nC=3\n", "x\ny", "B='x\ny'\nC=3\n"],
    ["several lines in double quotes", 'B="2"\n', "x\ny", 'B="x\ny"\n'],
    ["several lines as they were escaped", 'B="1\\n2"\n', "x\ny", 'B="x\\ny"\n'],
    ["several lines as they were, escapes among them", 'B="1\\n2\n3"\n', "x\ny", 'B="x\ny"\n'],
    ["fewer lines", 'B="1\n2\n3"\nC=3\n', "x", 'B="x"\nC=3\n'],
    ["a carriage return needs its escape", "B=2\n", "x\ry", 'B="x\\ry"\n'],
    ["CRLF in a value", "B=2\n", "x\r\ny", 'B="x\\r\ny"\n'],
    [
      "CRLF stays, in a value of several lines as well",
      "A=1\r\nB=2\r\nC=3\r\n",
      "x\ny",
      "A=1\r\nB='x\r\ny'\r\nC=3\r\n",
    ],
    ["CRLF stays within double quotes", 'A=1\r\nB="2"\r\n', "x\ny", 'A=1\r\nB="x\r\ny"\r\n'],
    ["CR stays", "A=1\rB=2\rC=3", "x\ny", "A=1\rB='x\ry'\rC=3"],
    ["a BOM stays", "\ufeffB=1\n", "2", "\ufeffB=2\n"],
    ["a missing last line break stays missing", "A=1\nB=2", "3", "A=1\nB=3"],
    ["a quote that never closed", "B='2\nC=3\n", "4", "B=4\nC=3\n"],
    ["a value on a later line than its key", "B=\n\n'2'\n", "it's", 'B=\n\n"it\'s"\n'],
    [
      "the same value changes nothing, not even a quote that never closed",
      "B='2\nC=3\n",
      "'2",
      "B='2\nC=3\n",
    ],
    ["the same value changes nothing, however it is written", 'B="2"   #x\n', "2", 'B="2"   #x\n'],
  ])("%s", (_name, file, value, expected) => {
    expect(set(file, "B", value)).toBe(expected);
    expect(parse(expected).B).toBe(value);
  });

  test("a quote elsewhere that the new one would close makes it choose another", () => {
    expect(set("A='1\nB=2\n", "B", "#")).toBe('A=\'1\nB="#"\n');
    expect(set("A='1\nA=\"1\nB=2\n", "B", "#")).toBe("A='1\nA=\"1\nB=`#`\n");
    expect(refusal(() => set("A='1\nA=\"1\nA=`1\nB=2\n", "B", "#"))).toMatch(
      /value for "B".*keep the value in a file/,
    );
  });

  test("a value on a later line comes up behind its key when its quotes have to go", () => {
    expect(set("B=\n'2'\n", "B", 'it\'s ""')).toBe('B=\n`it\'s ""`\n');
    expect(set("B=\n'2'\n", "B", "'\"`")).toBe("B=''\"`'\n");
  });
});

describe("adding a value", () => {
  test.each<[string, string, string, string]>([
    ["to nothing", "", "1", "B=1\n"],
    ["at the end", "A=1\n", "1", "A=1\nB=1\n"],
    ["after a last line without a line break", "A=1", "1", "A=1\nB=1\n"],
    ["in the file's line breaks", "A=1\r\n", "x\ny", "A=1\r\nB='x\r\ny'\r\n"],
    ["in the file's line breaks, the last missing", "A=1\r\nC=1", "1", "A=1\r\nC=1\r\nB=1\r\n"],
    ["in the file's line breaks, CR", "A=1\rC=1", "1", "A=1\rC=1\rB=1\r"],
    ["behind a BOM", "\ufeff", "1", "\ufeffB=1\n"],
    ["behind a comment", "# B=0", "1", "# B=0\nB=1\n"],
    ["empty", "A=1\n", "", "A=1\nB=\n"],
    ["with a quote in it", "", "it's", "B=it's\n"],
    ["JSON", "", '{"a": "b"}', 'B={"a": "b"}\n'],
    ["a URL with a fragment", "", "https://x/#y", "B='https://x/#y'\n"],
    ["all quotes, in one line", "", "'a' \"b\" `c`", "B='a' \"b\" `c`\n"],
  ])("%s", (_name, file, value, expected) => {
    expect(set(file, "B", value)).toBe(expected);
    expect(parse(expected).B).toBe(value);
  });

  test("a private key in PEM", () => {
    const pem = "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2Vw\n-----END PRIVATE KEY-----\n";
    const file = set("A=1\n", "KEY", pem);
    expect(file).toBe(`A=1\nKEY='${pem}'\n`);
    expect(parse(file).KEY).toBe(pem);
  });

  test("names that mean something to objects", () => {
    for (const key of ["__proto__", "constructor", "toString"]) {
      const file = setEnvValue(utf8(""), key, "x");
      expect(parseEnv(file)).toEqual(new Map([[key, "x"]]));
      expect(parseEnv(setEnvValue(file, key, "y"))).toEqual(new Map([[key, "y"]]));
      expect(unsetEnvValue(file, key)).toHaveLength(0);
    }
  });

  test("ten thousand keys keep their bytes", () => {
    const lines = Array.from({ length: 10_000 }, (_, i) => `KEY_${i}="value ${i}" # note`);
    const file = `${lines.join("\n")}\n`;
    expect(set(file, "KEY_5000", "new")).toBe(file.replace('"value 5000"', '"new"'));
    expect(unset(file, "KEY_5000")).toBe(file.replace(/KEY_5000=.*\n/, ""));
  });

  test("a value of a megabyte", () => {
    const value = "line of text\n".repeat(80_000);
    expect(parse(set("A=1\n", "B", value))).toEqual({ A: "1", B: value });
  });
});

describe("removing a key", () => {
  test.each<[string, string, string]>([
    ["its line and no other", "A=1\nB=2\nC=3\n", "A=1\nC=3\n"],
    ["all of its lines", "B=1\nA=1\n export B = 2 # note\nC=3\nB=4", "A=1\nC=3\n"],
    ["all of its lines break for break", "A=1\r\nB='x\r\ny'\r\nC=3\r\n", "A=1\r\nC=3\r\n"],
    ["comments around it stay", "# before\n\nB=2\n\n# after\n#B=1\n", "# before\n\n\n# after\n#B=1\n"],
    ["a BOM stays", "\ufeffB=1\nA=1\n", "\ufeffA=1\n"],
    ["a BOM stays alone", "\ufeffB=1\n", "\ufeff"],
    ["an export on a line of its own goes with it", "A=1\nexport\nB=2\n", "A=1\n"],
    ["a value on a later line goes with it", "A=1\nB=\n\n'2'\nC=3\n", "A=1\nC=3\n"],
    ["the only one", "B=1", ""],
    ["one that is not there", "A=1 \n#x", "A=1 \n#x"],
    ["one that only other names contain", "BB=1\nA.B=2\n", "BB=1\nA.B=2\n"],
  ])("%s", (_name, file, expected) => {
    expect(unset(file, "B")).toBe(expected);
    expect(parse(expected).B).toBeUndefined();
  });

  test.each([
    ["a value would take the next line for its own", "A=\nB=1\n'2'\n"],
    ["a quote would close further on", "A='1\nB=it's\nC=#'\n"],
    ["a word would become a key", "A\nB=1\n=2\n"],
  ])("refused when %s", (_name, file) => {
    expect(refusal(() => unset(file, "B"))).toMatch(/without the lines of "B"/);
  });
});

describe("refused", () => {
  test("a key that no line could assign", () => {
    for (const key of ["", "A B", "A=B", "é", "A\n", "'A'", "A#", "\u202eA"]) {
      const said = refusal(() => set("A=1\n", key, "x"));
      expect(said).toMatch(/cannot be a name in a \.env file/);
      expect(said).not.toMatch(/[\p{Cc}\p{Cf}]/u);
    }
  });

  test("a value that no quoting can hold, with advice and without the value", () => {
    for (const value of ["\"'`#secret", "'\"`\nsecret\\n", "a\\n\rsecret", "# secret' \" `"]) {
      const said = refusal(() => set("A=1\n", "B", value));
      expect(said).toMatch(/value for "B"/);
      expect(said).toMatch(/in a file/);
      expect(said).not.toMatch(/secret/);
    }
  });

  test("half of a surrogate pair", () => {
    for (const value of ["\ud800", "x\udc00", "\udc00\ud800"]) {
      expect(refusal(() => set("", "B", value))).toMatch(/not Unicode text/);
    }
    expect(set("", "B", "\ud83d\udd11")).toBe("B=🔑\n");
  });

  test("a file that is not UTF-8", () => {
    const file = Uint8Array.from([0x41, 0x3d, 0xff, 0x0a]);
    expect(refusal(() => setEnvValue(file, "A", "x"))).toMatch(/not UTF-8/);
    expect(refusal(() => unsetEnvValue(file, "A"))).toMatch(/not UTF-8/);
    expect(parseEnv(file)).toEqual(new Map([["A", "\ufffd"]]));
  });
});

test("whatever dotenv can read as a value can be written", () => {
  const alphabet = ["'", '"', "`", "#", "\n", "\\", "n", "r", " ", "\u2028"];
  const values = new Set<string>();
  const extend = (raw: string, depth: number): void => {
    const pairs = scanEnv(`K=${raw}`);
    if (pairs.length === 1) values.add(pairs[0]!.value);
    if (depth > 0) for (const character of alphabet) extend(raw + character, depth - 1);
  };
  extend("", 4);
  for (const start of [`"'\``, `"'\`\\`, `'"\`"`]) extend(start, 3);
  expect(values.size).toBeGreaterThan(1000);
  for (const value of values) {
    const file = setEnvValue(utf8(""), "K", value);
    if (parse(Buffer.from(file)).K !== value) expect.fail(JSON.stringify(value));
  }
});

describe("in any file", () => {
  const key = fc.constantFrom("A", "B", "KEY", "export", "new", "__proto__");
  const value = fc.oneof(
    fc.string({ unit: "binary", maxLength: 20 }),
    fc.array(fc.constantFrom(...tokens, "value"), { maxLength: 8 }).map((parts) => parts.join("")),
  );
  /** dotenv's own view, for everything but the one name it cannot hold. */
  const read = (file: string) => new Map(Object.entries(parse(file)).sort());
  const pairs = (file: string) => scanEnv(file).map((each) => [each.key, each.value]);

  test("a set value is read back exactly, the others as before, and no byte outside it differs", () => {
    let changed = 0;
    fc.assert(
      fc.property(envFile, key, value, (file, key, value) => {
        let edited: string;
        try {
          edited = set(file, key, value);
        } catch (error) {
          expect(error).toBeInstanceOf(InputRefusedError);
          return;
        }
        changed++;
        const old = scanEnv(file).findLast((each) => each.key === key);
        const expected = pairs(file).map((pair) => [...pair]);
        const index = scanEnv(file).findLastIndex((each) => each.key === key);
        if (index === -1) expected.push([key, value]);
        else expected[index] = [key, value];
        expect(pairs(edited)).toEqual(expected);
        const reference = read(file);
        if (key !== "__proto__") reference.set(key, value);
        expect(read(edited)).toEqual(new Map([...reference].sort()));
        expectOnly(file, edited, old);
      }),
      { numRuns },
    );
    expect(changed).toBeGreaterThan(numRuns / 2);
  });

  function expectOnly(file: string, edited: string, old: Assignment | undefined): void {
    const head = old ? file.slice(0, old.separatorEnd) : file;
    const tail = old ? file.slice(old.valueEnd) : "";
    expect(edited.startsWith(head)).toBe(true);
    expect(edited.endsWith(tail)).toBe(true);
    expect(edited.length).toBeGreaterThanOrEqual(head.length + tail.length);
  }

  test("a removed key is gone, and every line without it is still there", () => {
    let changed = 0;
    fc.assert(
      fc.property(envFile, key, (file, key) => {
        let edited: string;
        try {
          edited = unset(file, key);
        } catch (error) {
          expect(error).toBeInstanceOf(InputRefusedError);
          return;
        }
        changed++;
        expect(pairs(edited)).toEqual(pairs(file).filter(([name]) => name !== key));
        const doomed = scanEnv(file).filter((each) => each.key === key);
        let rest = "";
        let at = 0;
        for (const { start, end } of doomed) {
          rest += file.slice(at, start);
          at = end;
        }
        const bom = file.startsWith("\ufeff") && doomed[0]?.start === 0 ? "\ufeff" : "";
        expect(edited).toBe(bom + rest + file.slice(at));
      }),
      { numRuns },
    );
    expect(changed).toBeGreaterThan(numRuns / 2);
  });

  test("in a plain file nothing is refused that one kind of quotes can hold", () => {
    const line = fc.constantFrom(
      "A=1",
      "export B='two'",
      'C="three\nlines\n" # note',
      "# comment",
      "",
      "D=`x`",
    );
    const plain = fc.array(line, { maxLength: 6 }).map((lines) => lines.map((each) => `${each}\n`).join(""));
    const simple = fc
      .string({ unit: fc.constantFrom(..."ab #'\"$=:\n\t{}é🔑\u2028"), maxLength: 20 })
      .filter((text) => !text.endsWith("\\"));
    fc.assert(
      fc.property(plain, key, simple, (file, key, value) => {
        expect(pairs(set(file, key, value))).toContainEqual([key, value]);
      }),
      { numRuns },
    );
  });
});

test("scalars are in .env.<env>, or else in .env", () => {
  const files = (...names: string[]) =>
    new Map(names.map((name) => [name, { bytes: utf8(""), executable: false }]));
  expect(scalarsFile(files(".env", ".env.demo", ".env.other"), "demo")).toBe(".env.demo");
  expect(scalarsFile(files(".env", ".env.other"), "demo")).toBe(".env");
  expect(scalarsFile(files(".env.other", "sub/.env.demo"), "demo")).toBeNull();
});
