// Texts for tests of .env files: as people write them, and with everything in them that the syntax stumbles over.

import fc from "fast-check";

export const tokens: readonly string[] = [
  ..."AB=:#\\'\"`nr -.$;é",
  "\n",
  "\r",
  "\r\n",
  "\t",
  "\v",
  "\f",
  "\0",
  "\ufeff",
  "\u00a0",
  "\u2028",
  "\u2029",
  "\u3000",
  "\u180e",
  "\u200b",
  "\\n",
  "\\r",
  "\\\\",
  "\\'",
  '\\"',
  "\\`",
  "A=",
  "\nB=",
  "\nC: ",
  "export ",
  "export",
  "\n#",
  " #",
  "__proto__=",
  "🔑",
];

const space = fc.constantFrom("", "", "", " ", "  ", "\t", "\u00a0", "\n", "\r\n");
const key = fc.oneof(
  { weight: 6, arbitrary: fc.constantFrom("A", "B", "KEY", "a.b", "a-b", "_", "1", "export", "__proto__") },
  { weight: 1, arbitrary: fc.constantFrom("é", "", "A B", "A[0]", "A+", "'A'") },
);
const separator = fc.oneof(
  { weight: 6, arbitrary: fc.tuple(space, space).map(([before, after]) => `${before}=${after}`) },
  { weight: 1, arbitrary: fc.constantFrom(": ", ":", ":\n", ":\r\n", ":\t", " : ", "", "==") },
);
const inner = fc
  .array(fc.constantFrom(...tokens, "value", "two words", "it's", 'say "so"'), { maxLength: 6 })
  .map((parts) => parts.join(""));
const quoted = fc.tuple(fc.constantFrom("'", '"', "`"), inner).map(([quote, text]) => quote + text + quote);
const unclosed = fc.tuple(fc.constantFrom("'", '"', "`"), inner).map(([quote, text]) => quote + text);
const value = fc.oneof(
  fc.constantFrom("", "value", "two words", "{ port: 1 }", "postgres://u:p@h/d?x=1"),
  inner,
  quoted,
  quoted,
  unclosed,
);
const tail = fc.constantFrom("", "", "", " ", " # note", "#note", " # it's", ' # "', " x", "'", " \\");
const assignment = fc
  .tuple(
    fc.constantFrom("", "", "", " ", "export ", "export  ", "export\n", "export"),
    key,
    separator,
    value,
    tail,
  )
  .map((parts) => parts.join(""));
const line = fc.oneof(
  { weight: 8, arbitrary: assignment },
  {
    weight: 1,
    arbitrary: fc.constantFrom("", "   ", "# comment", "# it's one", "#A=1", "just words", "A", "A:"),
  },
);
const lineBreak = fc.constantFrom("\n", "\n", "\n", "\r\n", "\r\n", "\r", "\u2028");

/** Files of several lines, one kind of line break mostly, with a BOM or without, with a last line break or without. */
export const envFile: fc.Arbitrary<string> = fc
  .tuple(
    fc.constantFrom("", "", "", "\ufeff"),
    fc.array(fc.tuple(line, lineBreak), { maxLength: 8 }),
    lineBreak,
    fc.boolean(),
    fc.boolean(),
  )
  .map(([bom, lines, usual, mixed, ends]) => {
    const text = lines.map(([content, own]) => content + (mixed ? own : usual)).join("");
    return bom + (ends ? text : text.replace(/(?:\r\n|[\r\n\u2028])$/, ""));
  });
