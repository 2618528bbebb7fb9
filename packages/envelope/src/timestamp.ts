// Version timestamps, `YYYYMMDD-HHmmss` in UTC: identifiers whose byte order is version order. docs/formats.md section 6.

import { BundleCorruptError } from "./errors.ts";

const LAST = "99991231-235959";
const FORM = /^(\d{4})(\d\d)(\d\d)-(\d\d)(\d\d)(\d\d)$/;

/** Milliseconds since the epoch, or null when the text has not the form or names no real date and time. */
export function parseTimestamp(text: string): number | null {
  const match = FORM.exec(text);
  if (match === null) return null;
  const [year, month, day, hour, minute, second] = match.slice(1).map(Number) as [
    number,
    number,
    number,
    number,
    number,
    number,
  ];
  const date = new Date(0);
  date.setUTCFullYear(year, month - 1, day);
  date.setUTCHours(hour, minute, second);
  // Date carries 30 February over into March; coming back to the same text is what makes it real.
  return formatTimestamp(date.getTime()) === text ? date.getTime() : null;
}

export function formatTimestamp(ms: number): string {
  const iso = new Date(ms).toISOString();
  return `${iso.slice(0, 4)}${iso.slice(5, 7)}${iso.slice(8, 10)}-${iso.slice(11, 13)}${iso.slice(14, 16)}${iso.slice(17, 19)}`;
}

/** The later of now and one second after the current version. Throws BundleCorruptError after the last that has a name. */
export function nextTimestamp(nowMs: number, current: string | null): string {
  const now = formatTimestamp(nowMs);
  if (current === null || now > current) return now;
  const currentMs = parseTimestamp(current);
  if (current === LAST)
    throw new BundleCorruptError(`version ${LAST} is dated so that no later one can be named`);
  if (currentMs === null) throw new RangeError(`not a version timestamp: ${current}`);
  return formatTimestamp(currentMs + 1000);
}
