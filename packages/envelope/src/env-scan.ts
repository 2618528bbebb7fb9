// Finds the assignments of a .env file as dotenv's `parse` does, with where each of them stands. docs/formats.md section 4.
//
// dotenv is one regular expression, and what it accepts is what that expression happens to match: a separator or an
// opening quote may come lines after the key, quotes that do not close are ordinary characters. The same language is
// read here from left to right, in time linear in the text, where backtracking takes the square of it and more.

/** One assignment; offsets count UTF-16 units of the text that was scanned. */
export interface Assignment {
  readonly key: string;
  readonly value: string;
  /** Start of the line on which it begins, `export` included. */
  readonly start: number;
  /** Just after `=`, or after `:` and its one white space. */
  readonly separatorEnd: number;
  /** The value as written, quotes included. */
  readonly valueStart: number;
  readonly valueEnd: number;
  /** After the line break that ends it, past an inline comment. */
  readonly end: number;
}

/** A value within the text: where it is written, and what it says before escapes are read. */
interface Written {
  readonly start: number;
  readonly end: number;
  readonly text: string;
}

/** In the order of the text, repeated keys included: the last one is in force. */
export function scanEnv(text: string): Assignment[] {
  const assignments: Assignment[] = [];
  // `at` is always the start of a line: nothing begins anywhere else.
  for (let at = 0; at < text.length; ) {
    const start = skipSpace(text, at);
    const assignment = assignmentAt(text, start);
    if (assignment !== null) assignments.push(assignment);
    at = assignment?.end ?? nextLine(text, start);
  }
  return assignments;
}

function assignmentAt(text: string, start: number): Assignment | null {
  const keyStart = skipExport(text, start);
  const keyEnd = skipKey(text, keyStart);
  if (keyEnd === keyStart) return null;
  const separatorEnd = skipSeparator(text, keyEnd);
  if (separatorEnd === -1) return null;
  const written = quotedValue(text, separatorEnd) ?? plainValue(text, separatorEnd);
  return {
    key: text.slice(keyStart, keyEnd),
    // Escapes go by the first character, closed by a second one or not.
    value:
      text[written.start] === '"' && written.end > written.start ? readEscapes(written.text) : written.text,
    start: lineStart(text, start),
    separatorEnd,
    valueStart: written.start,
    valueEnd: written.end,
    end: nextLine(text, written.end),
  };
}

/** `export` counts only before a key: in `export = 1` it is the key. */
function skipExport(text: string, at: number): number {
  if (!text.startsWith("export", at)) return at;
  const key = skipSpace(text, at + 6);
  return key > at + 6 && isKeyCharacter(text.charCodeAt(key)) ? key : at;
}

/** After `=` with white space before it, or after `:` with one white space behind it; -1 when there is neither. */
function skipSeparator(text: string, keyEnd: number): number {
  const equals = skipSpace(text, keyEnd);
  if (text[equals] === "=") return equals + 1;
  if (text[keyEnd] !== ":" || !isSpace(text.charCodeAt(keyEnd + 1))) return -1;
  // CRLF is one line break, and so one white space.
  return text.startsWith("\r\n", keyEnd + 1) ? keyEnd + 3 : keyEnd + 2;
}

function quotedValue(text: string, separatorEnd: number): Written | null {
  const start = skipSpace(text, separatorEnd);
  if (!isQuote(text[start])) return null;
  const closing = closingQuote(text, start);
  if (closing === -1) return null;
  return { start, end: closing + 1, text: oneLineBreak(text.slice(start + 1, closing)) };
}

/**
 * The first quote of the kind without a backslash before it, if nothing but a comment follows on its line; else the
 * last one before it, backslash or not, of which that is true; else -1.
 */
function closingQuote(text: string, opening: number): number {
  const quote = text[opening] as string;
  let escaped = -1;
  for (let at = text.indexOf(quote, opening + 1); at !== -1; at = text.indexOf(quote, at + 1)) {
    const closes = nothingFollows(text, at + 1);
    if (text[at - 1] !== "\\") return closes ? at : escaped;
    if (closes) escaped = at;
  }
  return escaped;
}

function nothingFollows(text: string, at: number): boolean {
  while (at < text.length && isSpace(text.charCodeAt(at))) {
    if (isLineEnd(text.charCodeAt(at))) return true;
    at++;
  }
  return at >= text.length || text[at] === "#";
}

/** Up to a `#` or a line break, trimmed. U+2028 and U+2029 end lines everywhere but here. */
function plainValue(text: string, separatorEnd: number): Written {
  let end = separatorEnd;
  while (end < text.length && !"#\r\n".includes(text[end] as string)) end++;
  const raw = text.slice(separatorEnd, end);
  const value = raw.trim();
  if (value === "") return { start: separatorEnd, end: separatorEnd, text: "" };
  const start = separatorEnd + raw.length - raw.trimStart().length;
  return { start, end: start + value.length, text: stripQuotes(value) };
}

/** Quotes that did not make a quoted value but stand around one line of it, or several, still come off. */
function stripQuotes(value: string): string {
  const closings = new Map<string, number>();
  let stripped = "";
  for (let at = 0; at < value.length; ) {
    const quote = value[at] as string;
    if (isQuote(quote)) {
      const closing = closings.get(quote) ?? lastAtLineEnd(value, quote);
      closings.set(quote, closing);
      if (closing > at) {
        stripped += value.slice(at + 1, closing);
        at = closing + 1;
      }
    }
    const next = nextLine(value, at);
    stripped += value.slice(at, next);
    at = next;
  }
  return stripped;
}

function lastAtLineEnd(value: string, quote: string): number {
  let at = value.lastIndexOf(quote);
  while (at > 0 && at + 1 < value.length && !isLineEnd(value.charCodeAt(at + 1))) {
    at = value.lastIndexOf(quote, at - 1);
  }
  return at;
}

function readEscapes(text: string): string {
  return text.replaceAll("\\n", "\n").replaceAll("\\r", "\r");
}

function oneLineBreak(text: string): string {
  return text.replace(/\r\n?/g, "\n");
}

function skipSpace(text: string, at: number): number {
  while (at < text.length && isSpace(text.charCodeAt(at))) at++;
  return at;
}

function skipKey(text: string, at: number): number {
  while (at < text.length && isKeyCharacter(text.charCodeAt(at))) at++;
  return at;
}

function lineStart(text: string, at: number): number {
  while (at > 0 && !isLineEnd(text.charCodeAt(at - 1))) at--;
  return at;
}

function nextLine(text: string, at: number): number {
  while (at < text.length && !isLineEnd(text.charCodeAt(at))) at++;
  return text.startsWith("\r\n", at) ? at + 2 : Math.min(at + 1, text.length);
}

function isQuote(character: string | undefined): boolean {
  return character === "'" || character === '"' || character === "`";
}

/** `[\w.-]` */
function isKeyCharacter(code: number): boolean {
  return (
    (code >= 0x61 && code <= 0x7a) ||
    (code >= 0x41 && code <= 0x5a) ||
    (code >= 0x30 && code <= 0x39) ||
    code === 0x5f ||
    code === 0x2d ||
    code === 0x2e
  );
}

/** `\s`: the white space and line ends of ECMAScript, U+FEFF among them. */
function isSpace(code: number): boolean {
  if (code < 0xa0) return code === 0x20 || (code >= 0x09 && code <= 0x0d);
  if (code >= 0x2000 && code <= 0x200a) return true;
  return [0xa0, 0x1680, 0x2028, 0x2029, 0x202f, 0x205f, 0x3000, 0xfeff].includes(code);
}

function isLineEnd(code: number): boolean {
  return code === 0x0a || code === 0x0d || code === 0x2028 || code === 0x2029;
}
