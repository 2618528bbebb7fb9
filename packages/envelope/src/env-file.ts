// Reads and edits .env files without losing a byte of what is not meant: the syntax is dotenv's. docs/formats.md section 4.

import type { VaultFiles } from "./archive.ts";
import { fromUtf8, utf8 } from "./encoding.ts";
import { quoteName } from "./entry-names.ts";
import { type Assignment, scanEnv } from "./env-scan.ts";
import { InputRefusedError } from "./errors.ts";

type Pair = Pick<Assignment, "key" | "value">;

/** The pairs of a .env file: what `dotenv.parse` makes of the bytes, with `__proto__` a key like any other. */
export function parseEnv(bytes: Uint8Array): Map<string, string> {
  // Not strict: dotenv, too, reads what is not UTF-8 as U+FFFD.
  const text = new TextDecoder("utf-8", { ignoreBOM: true }).decode(bytes);
  return new Map(scanEnv(text).map(({ key, value }) => [key, value]));
}

/** The file that holds the scalars of `env`: `.env.<env>`, or else `.env`; null when the vault has neither. */
export function scalarsFile(files: Pick<VaultFiles, "has">, env: string): string | null {
  return [`.env.${env}`, ".env"].find((name) => files.has(name)) ?? null;
}

/**
 * The file with `key` set to `value`: the assignment in force (the last one) is changed, or a line added at the end, and
 * no other byte. Throws InputRefusedError when the file is not UTF-8, when the key is none, and when no syntax makes
 * dotenv read exactly this value and every other one as before.
 */
export function setEnvValue(bytes: Uint8Array, key: string, value: string): Uint8Array {
  if (!/^[\w.-]+$/.test(key)) {
    throw new InputRefusedError(
      `${quoteName(key)} cannot be a name in a .env file: use letters, digits, "_", "." and "-"`,
    );
  }
  if (/\p{Surrogate}/u.test(value)) {
    throw new InputRefusedError(
      `the value for ${quoteName(key)} is not Unicode text (half of a surrogate pair): keep it in a file`,
    );
  }
  const text = editableText(bytes);
  const before = scanEnv(text);
  const inForce = before.findLast((assignment) => assignment.key === key);
  if (inForce?.value === value) return bytes;
  const wanted: Pair[] = inForce
    ? before.map((assignment) => (assignment === inForce ? { key, value } : assignment))
    : [...before, { key, value }];
  const candidates = inForce ? rewritten(text, inForce, value) : appended(text, key, value);
  for (const candidate of candidates) {
    if (samePairs(scanEnv(candidate), wanted)) return utf8(candidate);
  }
  throw new InputRefusedError(
    `no quoting makes this file give back exactly the value for ${quoteName(key)} and leave every other one as it is: keep the value in a file of its own in the vault`,
  );
}

/** The file without the lines that assign `key`. Throws InputRefusedError when that would change another value. */
export function unsetEnvValue(bytes: Uint8Array, key: string): Uint8Array {
  const text = editableText(bytes);
  const before = scanEnv(text);
  const doomed = before.filter((assignment) => assignment.key === key);
  if (doomed.length === 0) return bytes;
  const bom = text.startsWith("\ufeff") ? 1 : 0;
  let kept = "";
  let at = 0;
  for (const { start, end } of doomed) {
    kept += text.slice(at, Math.max(start, bom));
    at = end;
  }
  kept += text.slice(at);
  const wanted = before.filter((assignment) => assignment.key !== key);
  if (!samePairs(scanEnv(kept), wanted)) {
    throw new InputRefusedError(
      `without the lines of ${quoteName(key)} the rest of the file would read differently (a quote that is not closed, or a name without a value, comes before them): remove them in an editor`,
    );
  }
  return utf8(kept);
}

function editableText(bytes: Uint8Array): string {
  const text = fromUtf8(bytes);
  if (text === null) {
    throw new InputRefusedError(
      "the .env file is not UTF-8, so changing it would damage the rest: convert it first",
    );
  }
  return text;
}

function* rewritten(text: string, old: Assignment, value: string): Generator<string> {
  const written = text.slice(old.valueStart, old.valueEnd);
  // In place first; a value that was on a later line than its key can need to come up behind the separator.
  for (const from of new Set([old.valueStart, old.separatorEnd])) {
    for (const literal of literals(value, lineBreak(text), written)) {
      yield text.slice(0, from) + literal + text.slice(old.valueEnd);
    }
  }
}

function* appended(text: string, key: string, value: string): Generator<string> {
  const eol = lineBreak(text);
  const missing = text === "" || text === "\ufeff" || /[\n\r]$/.test(text) ? "" : eol;
  for (const literal of literals(value, eol, "")) yield `${text}${missing}${key}=${literal}${eol}`;
}

/**
 * Ways to write a value, the best first: in the quotes it had before, else the plainest; quotes that occur in the value
 * itself come last. None of them is promised to read back: that is for the caller to see.
 */
function literals(value: string, eol: string, before: string): Set<string> {
  const lines = value.replaceAll("\n", eol);
  // Only double quotes have escapes: they alone can hold a carriage return, or a line break on one line.
  const escaped = value.replaceAll("\r", "\\r");
  const onLines = { quote: '"', literal: `"${escaped.replaceAll("\n", eol)}"` };
  const oneLine = escaped.replaceAll("\n", "\\n");
  const onOneLine = { quote: '"', literal: `"${oneLine}"` };
  const wasEscaped = before.includes("\\n") && !/[\r\n]/.test(before);
  const styles = [
    { quote: "", literal: value },
    { quote: "'", literal: `'${lines}'` },
    ...(wasEscaped ? [onOneLine, onLines] : [onLines, onOneLine]),
    { quote: "`", literal: `\`${lines}\`` },
    // dotenv reads escapes after a double quote that opens the value even when none closes it.
    { quote: "", literal: oneLine },
  ];
  const quoteBefore = /^(['"`]).*\1$/s.exec(before)?.[1] ?? "";
  const rank = ({ quote }: { quote: string }) => {
    const clashes = quote === "" ? /^['"`]/.test(value) : value.includes(quote);
    const change = quote === quoteBefore ? 0 : quote !== "" ? 1 : 2;
    return (clashes ? 3 : 0) + change;
  };
  return new Set(styles.toSorted((a, b) => rank(a) - rank(b)).map((style) => style.literal));
}

/** The line break nearest to where a line is added. */
function lineBreak(text: string): string {
  const last = text.lastIndexOf("\n");
  if (last === -1) return text.includes("\r") ? "\r" : "\n";
  return text[last - 1] === "\r" ? "\r\n" : "\n";
}

function samePairs(found: readonly Pair[], wanted: readonly Pair[]): boolean {
  return (
    found.length === wanted.length &&
    found.every(({ key, value }, i) => key === wanted[i]?.key && value === wanted[i]?.value)
  );
}
