// Vectors for changing a .env file: one value, and no other byte. Section 4 of the format document.

import { hex, type JsonObject, type Vector } from "./vector.ts";

interface Edit {
  readonly set?: JsonObject;
  readonly unset?: readonly string[];
}

export function envFileEdit(): Vector[] {
  const file = "# settings\r\nA = 1 # one\n\nexport B='two'\n\tC=\"three\" # quoted\nD=`four`";
  return [
    set("set-bare", "A bare value; blanks and comment stay", file, { A: "10" }, file.replace("= 1", "= 10")),
    set(
      "set-single-quoted",
      "A value in single quotes keeps them",
      file,
      { B: "2" },
      file.replace("'two'", "'2'"),
    ),
    set(
      "set-double-quoted",
      "A value in double quotes keeps them",
      file,
      { C: "3" },
      file.replace('"three"', '"3"'),
    ),
    set(
      "set-back-quoted",
      "A value in back quotes keeps them",
      file,
      { D: "4" },
      file.replace("`four`", "`4`"),
    ),
    set("set-same", "The value that is there already changes nothing", file, { B: "two" }, file),
    set(
      "set-two",
      "Two values",
      file,
      { A: "10", D: "40" },
      file.replace("= 1", "= 10").replace("`four`", "`40`"),
    ),
    set("set-new", "A new key comes last, on a line of its own", "A=1\n", { B: "2" }, "A=1\nB=2\n"),
    set("set-new-no-final-newline", "The last line is ended first", "A=1", { B: "2" }, "A=1\nB=2\n"),
    set("set-new-crlf", "The line ends of the file", "A=1\r\n", { B: "2" }, "A=1\r\nB=2\r\n"),
    set("set-new-empty-file", "The first key of a file", "", { A: "1" }, "A=1\n"),
    set("set-empty-value", "An empty value", "A=1\nB=2\n", { A: "" }, "A=\nB=2\n"),
    set("set-over-empty", "A value where there was none", "A=\nB=2\n", { A: "1" }, "A=1\nB=2\n"),
    set(
      "set-repeated",
      "The last of a repeated key is the one that counts",
      "A=1\nB=2\nA=3\n",
      { A: "4" },
      "A=1\nB=2\nA=4\n",
    ),
    set("set-in-crlf-file", "CR and LF stay", "A=1\r\nB=2\r\n", { A: "3" }, "A=3\r\nB=2\r\n"),
    set("set-with-bom", "A byte order mark stays", "\ufeffA=1\n", { A: "2" }, "\ufeffA=2\n"),
    set(
      "set-equals",
      "Signs in a value need no quotes",
      "A=1\n",
      { A: "postgres://u:p@h/d?x=1&y=2" },
      "A=postgres://u:p@h/d?x=1&y=2\n",
    ),
    set("set-inner-spaces", "Nor do blanks inside", "A=1\n", { A: "one two" }, "A=one two\n"),
    set(
      "set-dollar",
      "Nor does a dollar sign, which some replacing functions take for their own",
      "A=1\n",
      { A: "$& $1 $$" },
      "A=$& $1 $$\n",
    ),
    set("set-hash", "# needs quotes", "A=1\n", { A: "one #two" }, "A='one #two'\n"),
    set("set-outer-spaces", "So do blanks around", "A=1\n", { A: " x " }, "A=' x '\n"),
    set(
      "set-hash-and-single-quote",
      "With a single quote inside, another kind",
      "A=1\n",
      { A: "it's #1" },
      'A="it\'s #1"\n',
    ),
    set(
      "set-hash-and-two-quotes",
      "With two kinds inside, the third",
      "A=1\n",
      { A: `it's "#1"` },
      'A=`it\'s "#1"`\n',
    ),
    set("set-multi-line", "Several lines in quotes", "A=1\nB=2\n", { A: "one\ntwo" }, "A='one\ntwo'\nB=2\n"),
    set("set-unicode", "A value outside ASCII", "A=1\n", { A: "grüße \u{1f511}" }, "A=grüße \u{1f511}\n"),
    set(
      "set-proto",
      "`__proto__` is a key like any other",
      "A=1\n",
      JSON.parse('{"__proto__":"x"}'),
      "A=1\n__proto__=x\n",
    ),
    edit("unset", "One key", file, { unset: ["B"] }, file.replace("export B='two'\n", "")),
    edit("unset-missing", "A key that is not there", file, { unset: ["X"] }, file),
    edit("unset-all-of-a-key", "Every line of a repeated key", "A=1\nB=2\nA=3\n", { unset: ["A"] }, "B=2\n"),
    edit(
      "unset-multi-line",
      "All lines of a value",
      'A=1\nB="x\ny\nz"\nC=3\n',
      { unset: ["B"] },
      "A=1\nC=3\n",
    ),
    edit("unset-last-line", "A last line without a line break", "A=1\nB=2", { unset: ["B"] }, "A=1\n"),
    edit("unset-only", "The only line", "A=1\n", { unset: ["A"] }, ""),
    edit("unset-crlf", "CR and LF go with their line", "A=1\r\nB=2\r\n", { unset: ["A"] }, "B=2\r\n"),
    edit("set-and-unset", "Both", "A=1\nB=2\n", { set: { A: "3" }, unset: ["B"] }, "A=3\n"),
    edit("nothing", "Neither", file, {}, file),
    refuses("set-not-representable", "All three kinds of quotes, a line break and a #", "A=1\n", {
      A: "' \" ` #\nx",
    }),
    refuses(
      "set-carriage-return-and-quotes",
      "A carriage return needs double quotes, which this value ends",
      "A=1\n",
      { A: '"x" \' `\r #' },
    ),
  ];
}

function set(name: string, description: string, before: string, values: JsonObject, after: string): Vector {
  return edit(name, description, before, { set: values }, after);
}

function edit(
  name: string,
  description: string,
  before: string,
  { set = {}, unset = [] }: Edit,
  after: string,
): Vector {
  return {
    category: "env-file-edit",
    name,
    description,
    inputs: { set, unset },
    expected: { error: null, bytes_hex: hex(Buffer.from(after)) },
    bin: Buffer.from(before),
  };
}

/** The format names no class for what a writer refuses; InputRefusedError is this implementation's. */
function refuses(name: string, description: string, before: string, values: JsonObject): Vector {
  return {
    category: "env-file-edit",
    name,
    description,
    inputs: { set: values, unset: [] },
    expected: { error: "InputRefusedError", bytes_hex: null },
    bin: Buffer.from(before),
  };
}
