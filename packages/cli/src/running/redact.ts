// Masking secrets in what a child process writes.

import { Transform } from "node:stream";

const MASK = "***";
/** Shorter values (`true`, `8080`) are words of the output itself: masking them would garble it and hide nothing. */
const SHORTEST = 6;

/** Where a value stands in a text; `end` is exclusive. */
interface Span {
  readonly start: number;
  end: number;
}

/**
 * A stream that passes bytes on with every value masked, also where it stands escaped as in JSON. It holds back only what may
 * be the beginning of a value.
 */
export function createRedactor(values: Iterable<string>): Transform {
  // One character for each byte: what is no UTF-8 comes out as it went in.
  const needles = findNeedles(values, SHORTEST).map((needle) => Buffer.from(needle).toString("latin1"));
  let rest = "";
  /** So much of `rest` belongs to a value whose mask is written already. */
  let covered = 0;
  const pass = (text: string, end: number): Buffer => {
    const { masked, over } = mask(text, needles, end, covered);
    rest = text.slice(end);
    covered = over;
    return Buffer.from(masked, "latin1");
  };
  return new Transform({
    decodeStrings: true,
    transform(chunk: Buffer, _encoding, done) {
      const text = rest + chunk.toString("latin1");
      done(null, pass(text, startOfUnfinished(text, needles)));
    },
    flush(done) {
      done(null, pass(rest, rest.length));
    },
  });
}

/** The text with every value masked that has `shortest` characters or more. */
export function maskValues(text: string, values: Iterable<string>, shortest: number = SHORTEST): string {
  return mask(text, findNeedles(values, shortest)).masked;
}

/**
 * The text up to `end`, masked. `covered` characters at its beginning belong to a value that was masked before; `over` says
 * how many after `end` do.
 */
function mask(
  text: string,
  needles: readonly string[],
  end: number = text.length,
  covered = 0,
): { masked: string; over: number } {
  let masked = "";
  let at = 0;
  for (const span of findSpans(text, needles, covered)) {
    if (span.start >= Math.max(end, covered)) break;
    masked += text.slice(at, span.start) + (span.start < covered ? "" : MASK);
    at = span.end;
  }
  return { masked: masked + text.slice(at, Math.max(at, end)), over: Math.max(0, at - end) };
}

/** Values that overlap are one span: masking only one of them would show what is left of the other. */
function findSpans(text: string, needles: readonly string[], covered: number): Span[] {
  const found: Span[] = covered > 0 ? [{ start: 0, end: covered }] : [];
  for (const needle of needles) {
    for (let start = text.indexOf(needle); start !== -1; ) {
      const end = endOfRun(text, needle, start);
      found.push({ start, end });
      start = text.indexOf(needle, end);
    }
  }
  found.sort((a, b) => a.start - b.start);
  const spans: Span[] = [];
  for (const span of found) {
    const last = spans.at(-1);
    if (last === undefined || span.start >= last.end) spans.push(span);
    else last.end = Math.max(last.end, span.end);
  }
  return spans;
}

/**
 * Where the needles end that overlap, one the other, from the one at `start` on. Goes on from the last that begins in each:
 * those in between add nothing, and where one character is repeated there would be one for each.
 */
function endOfRun(text: string, needle: string, start: number): number {
  for (let at = start; ; ) {
    const next = text.lastIndexOf(needle, at + needle.length - 1);
    if (next === at) return at + needle.length;
    at = next;
  }
}

/** The earliest place from where the rest of the text could still become a value; its length when there is none. */
function startOfUnfinished(text: string, needles: readonly string[]): number {
  let earliest = text.length;
  for (const needle of needles) {
    const first = needle.charAt(0);
    let start = text.indexOf(first, Math.max(0, text.length - needle.length + 1));
    while (start !== -1 && start < earliest && !needle.startsWith(text.slice(start)))
      start = text.indexOf(first, start + 1);
    if (start !== -1) earliest = Math.min(earliest, start);
  }
  return earliest;
}

/** What to look for: each value whole, and each of its lines, which may be printed alone. */
function findNeedles(values: Iterable<string>, shortest: number): string[] {
  const needles = new Set<string>();
  for (const value of values) {
    const lines = value.split(/\r?\n/);
    for (const part of [value, lines.join("\n"), lines.join("\r\n"), ...lines]) {
      const needle = part.trim();
      if (needle.length < shortest) continue;
      needles.add(needle);
      needles.add(JSON.stringify(needle).slice(1, -1));
    }
  }
  return [...needles];
}
