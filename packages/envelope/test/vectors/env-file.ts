// Vectors for reading a .env file: dotenv's own `parse` says what is in it. Section 4 of the format document.

import { parse } from "dotenv";
import type { Vector } from "./vector.ts";

type Case = readonly [name: string, description: string, text: string];

export function envFile(): Vector[] {
  return [
    ...[...basics, ...quotes, ...escapes, ...comments, ...separators, ...lines, ...oddities].map(
      ([name, description, text]) => vector(name, description, Buffer.from(text)),
    ),
    vector("not-utf-8", "A byte that is not UTF-8 reads as U+FFFD", Buffer.from("A=\xff\nB=2\n", "latin1")),
    // What `parse` returns is a plain object, which cannot hold this key.
    vector("key-proto", "`__proto__` is a key like any other", Buffer.from("__proto__=a\nB=2\n"), [
      ["__proto__", "a"],
      ["B", "2"],
    ]),
    vector(
      "many-keys",
      "1,000 keys",
      Buffer.from(Array.from({ length: 1000 }, (_, i) => `KEY_${i}=${i}\n`).join("")),
    ),
    vector("long-value", "A value of 64 KiB", Buffer.from(`BLOB=${"0123456789abcdef".repeat(4096)}\n`)),
  ];
}

const basics: readonly Case[] = [
  ["empty", "An empty file", ""],
  ["one-pair", "One pair", "A=1\n"],
  ["no-final-newline", "No line break at the end", "A=1\nB=2"],
  ["empty-value", "Nothing after the sign", "A=\nB=2\n"],
  ["spaces-around", "Blanks around sign and value", "A = 1\nB=\t2 \n C=3\n"],
  ["inner-spaces", "Blanks inside a value", "A=one two  three\n"],
  ["repeated-key", "The last of a repeated key wins", "A=1\nB=2\nA=3\n"],
  ["export", "`export` before a name", "export A=1\nexport\tB=2\nexport  C=3\n"],
  ["export-as-name", "`export` can be a name", "export=1\nexported=2\n"],
  [
    "key-characters",
    "Dots, hyphens, digits and underscores in names",
    "a.b=1\nc-d=2\n3=3\n_=4\nÄ=5\nA B=6\n",
  ],
  ["unicode-value", "Values outside ASCII", "A=grüße \u{1f511}\nB='привет'\n"],
  ["equals-in-value", "More signs in the value", "A=b=c==\nURL=postgres://u:p@h/d?x=1&y=2\n"],
  ["constructor", "Names that every JavaScript object has", "constructor=a\ntoString=b\nhasOwnProperty=c\n"],
];

const quotes: readonly Case[] = [
  ["single-quotes", "Single quotes keep everything", "A='one # two'\nB=' padded '\nC=''\n"],
  ["double-quotes", "Double quotes", 'A="one # two"\nB=" padded "\nC=""\n'],
  ["back-quotes", "Back quotes", "A=`one # two`\nB=` padded `\nC=``\nD=`\"double\" and 'single'`\n"],
  ["quotes-inside-quotes", "Another kind inside", 'A=\'say "hi"\'\nB="it\'s"\n'],
  ["same-quotes-inside", "The same kind inside", 'A=\'it\'s\'\nB="say "hi""\n'],
  ["escaped-quotes", "A backslash before a quote", 'A=\'it\\\'s\'\nB="say \\"hi\\""\nC=`a\\`b`\n'],
  [
    "unclosed-quote",
    "A quote that does not close is an ordinary character",
    "A='one\nB=\"two\nC=`three\nD=4\n",
  ],
  ["quote-in-the-middle", "A quote inside a bare value", "A=it's\nB=5\" disk\n"],
  ["text-after-quote", "Text behind the closing quote", "A='one' two\nB=\"one\"two\nC=3\n"],
  ["multi-line", "Quoted values of several lines", "A='one\ntwo'\nB=\"three\n\nfour\"\nC=`five\nsix`\n"],
  [
    "multi-line-pem",
    "A key in PEM",
    'KEY="-----BEGIN PRIVATE KEY-----\nMC4CAQ\n-----END PRIVATE KEY-----\n"\nB=2\n',
  ],
  ["multi-line-looks-like-pairs", "Lines inside quotes are no pairs", 'A="x\nB=2\nC=3"\nD=4\n'],
  ["json-value", "JSON in single quotes", 'A=\'{"a":[1,"#"],"b":"c d"}\'\n'],
  ["json-bare", "JSON without quotes", 'A={"a": 1}\n'],
];

const escapes: readonly Case[] = [
  ["newline-in-double", "\\n in double quotes is a line break", 'A="one\\ntwo"\n'],
  ["newline-in-single", "\\n elsewhere is two characters", "A='one\\ntwo'\nB=one\\ntwo\nC=`one\\ntwo`\n"],
  ["carriage-return-in-double", "\\r in double quotes is a carriage return", "A=\"one\\r\\ntwo\"\nB='\\r'\n"],
  ["other-escapes", "No other escape is known", 'A="\\t\\\\\\x41\\u0041\\0"\n'],
  ["double-backslash", "A backslash before \\n", 'A="C:\\\\new"\nB=C:\\new\n'],
];

const comments: readonly Case[] = [
  ["comments", "Lines of comment and blank lines", "# first\n\nA=1\n  # second\n\t\nB=2\n#C=3\n"],
  ["comment-behind", "A comment behind a value", "A=1 # one\nB='2' # two\nC=\"3\" # three\nD=`4` # four\n"],
  ["hash-without-space", "# needs no blank before it", "A=one#two\nB=#\nC='x'#y\n"],
  ["hash-in-quotes", "# in quotes is a character", "A='#'\nB=\"a#b\"\nC=`#c`\n"],
  ["comment-with-quote", "Quotes in a comment", "# it's\nA=1\nB=2 # don't\nC=3\n"],
  ["comment-of-pair", "A pair in a comment stays a comment", "#A=1\n# B='2\nC=3\n"],
];

const separators: readonly Case[] = [
  ["colon", "A colon and a blank for the sign", "A: 1\nB: 'two'\n"],
  ["colon-without-space", "A colon alone is none", "A:1\nB=2\n"],
  ["no-separator", "A line without a sign", "A\nB=2\nnot a pair\nC=3\n"],
  ["value-on-next-line", "A name, a sign, and the rest lines later", "A=\n\nB=2\nC\n=3\n"],
  ["leading-equals", "A sign without a name", "=1\nA=2\n"],
];

const lines: readonly Case[] = [
  ["crlf", "CR and LF", "A=1\r\nB='two'\r\n# c\r\nC=\"3\r\n4\"\r\n"],
  ["cr", "CR alone", "A=1\rB=2\rC='x\ry'\r"],
  ["mixed-line-ends", "All three", "A=1\nB=2\r\nC=3\rD=4\n"],
  ["bom", "A byte order mark", "\ufeffA=1\nB=2\n"],
  ["form-feed", "Other white space around pairs", "\fA=1\n\vB=2\n\u00a0C=3\u00a0\n"],
  ["line-separator", "U+2028 and U+2029", "A=1\u2028B=2\u2029C='x\u2028y'\n"],
  ["nul", "A NUL", "A=a\0b\nB=2\n"],
];

const oddities: readonly Case[] = [
  ["spaces-only-value", "Blanks for a value", "A=   \nB='   '\nC=3\n"],
  ["quotes-only", "One quote for a value", "A='\nB=2\n"],
  ["quote-then-comment", "An open quote before a comment", "A='x # y\nB=2\n"],
  ["quotes-of-both-kinds", "Begins with one kind and ends with another", "A='x\"\nB=\"y'\nC=3\n"],
  ["dollar", "Nothing is expanded", 'A=$HOME\nB="\u0024{A}"\nC=$(id)\n'],
  ["prototype-chain", "A name with a dot is one name", "a.b.c=1\n"],
];

function vector(
  name: string,
  description: string,
  bytes: Buffer,
  pairs = Object.entries(parse(bytes)),
): Vector {
  return {
    category: "env-file",
    name,
    description,
    inputs: {},
    expected: { error: null, pairs },
    bin: bytes,
  };
}
