// Masking secrets in what a child process writes, line by line.

import { Transform } from "node:stream";

const MASK = "***";
/** Shorter values (`true`, `8080`) are words of the output itself: masking them would garble it and hide nothing. */
const SHORTEST = 6;
/** A line longer than this is passed on in pieces. */
const LONGEST_LINE = 64 * 1024;

/** A stream that passes lines on with every value masked, also where it stands escaped as in JSON. */
export function createRedactor(values: Iterable<string>): Transform {
  const needles = findNeedles(values, SHORTEST);
  const overlap = Math.max(0, (needles[0]?.length ?? 1) - 1);
  const mask = (text: string): string => maskNeedles(text, needles);
  const decoder = new TextDecoder();
  let rest = "";
  return new Transform({
    decodeStrings: true,
    transform(chunk: Uint8Array, _encoding, done) {
      rest += decoder.decode(chunk, { stream: true });
      const end = rest.lastIndexOf("\n") + 1;
      let out = mask(rest.slice(0, end));
      rest = rest.slice(end);
      if (rest.length > LONGEST_LINE) {
        // Masked before it is cut: no value can lie across the cut but in the part that is kept.
        rest = mask(rest);
        out += rest.slice(0, rest.length - overlap);
        rest = rest.slice(rest.length - overlap);
      }
      done(null, out);
    },
    flush(done) {
      done(null, mask(rest + decoder.decode()));
    },
  });
}

/** The text with every value masked that has `shortest` characters or more. */
export function maskValues(text: string, values: Iterable<string>, shortest: number = SHORTEST): string {
  return maskNeedles(text, findNeedles(values, shortest));
}

function maskNeedles(text: string, needles: readonly string[]): string {
  return needles.reduce((masked, needle) => masked.replaceAll(needle, MASK), text);
}

/** What to look for, longest first: a value may be part of another one. */
function findNeedles(values: Iterable<string>, shortest: number): string[] {
  const needles = new Set<string>();
  for (const value of values) {
    // Output is judged by lines, so a value of several lines is too.
    for (const line of value.split(/\r?\n/)) {
      if (line.trim().length < shortest) continue;
      needles.add(line.trim());
      needles.add(JSON.stringify(line.trim()).slice(1, -1));
    }
  }
  return [...needles].sort((a, b) => b.length - a.length);
}
