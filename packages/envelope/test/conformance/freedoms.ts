// What the format document leaves open, and a corpus from elsewhere may therefore say in its own way.
// Each of these is described in test-vectors/README.md.

import { parseEnv, unsetEnvValue, type Verdict } from "@vsync/envelope";

type Kind = Verdict["kind"];

/** The words for a verdict, lower case and joined by hyphens. The first is ours. */
const VERDICT_WORDS: Readonly<Record<Kind, readonly string[]>> = {
  verified: ["verified", "verifies", "valid", "ok", "sealed"],
  grace: ["grace", "in-grace", "grace-valid", "grace-active"],
  "grace-over": ["grace-over", "grace-ended", "grace-expired", "over", "wrong-passphrase-error"],
  failed: ["failed", "fails", "invalid", "wrong", "bad", "wrong-passphrase", "wrong-passphrase-error"],
  unsealed: ["unsealed", "absent", "missing", "none", "no-seal"],
  malformed: ["malformed", "corrupt", "bundle-corrupt-error"],
};

/** `Grace over`, `grace_over` and `graceOver` are one word. */
export function isVerdictWord(kind: Kind, word: string): boolean {
  const hyphenated = word
    .trim()
    .replace(/([a-z])([A-Z])/g, "$1-$2")
    .replace(/[\s_-]+/g, "-")
    .toLowerCase();
  return VERDICT_WORDS[kind].includes(hyphenated);
}

/** Rows counted from 1, as indexes from 0, or as lines of the file: `index` is the one from 0. */
export function isRowNumber(index: number, number: unknown): boolean {
  return number === index + 1 || number === index || number === index + 2;
}

/** The same values in a file that is the same but for the lines of `keys`: which quotes a value gets is the writer's choice. */
export function isSameEdit(actual: Uint8Array, expected: Uint8Array, keys: Iterable<string>): boolean {
  const [a, b] = [parseEnv(actual), parseEnv(expected)];
  if (a.size !== b.size || [...a].some(([key, value]) => b.get(key) !== value)) return false;
  let [restOfActual, restOfExpected] = [actual, expected];
  for (const key of keys) {
    restOfActual = unsetEnvValue(restOfActual, key);
    restOfExpected = unsetEnvValue(restOfExpected, key);
  }
  return Buffer.compare(restOfActual, restOfExpected) === 0;
}

/**
 * An archive without what the document does not settle: the versions that headers name, the flag for UTF-8 names, the
 * DOS half of the attributes, and whether the Unix mode says "regular file" or nothing.
 */
export function settledZipBytes(archive: Uint8Array): Buffer {
  const bytes = Buffer.from(archive);
  const end = bytes.length - 22;
  if (end < 0) return bytes;
  const utf8Flag = 0x800;
  let at = bytes.readUInt32LE(end + 16);
  for (let entry = 0; entry < bytes.readUInt16LE(end + 10) && at + 46 <= end; entry++) {
    const local = bytes.readUInt32LE(at + 42);
    if (local + 30 > at) return bytes;
    bytes.writeUInt16LE(0, at + 4);
    bytes.writeUInt16LE(0, at + 6);
    bytes.writeUInt16LE(bytes.readUInt16LE(at + 8) & ~utf8Flag, at + 8);
    bytes.writeUInt16LE(0, at + 38);
    bytes.writeUInt16LE(bytes.readUInt16LE(at + 40) & 0o7777, at + 40);
    bytes.writeUInt16LE(0, local + 4);
    bytes.writeUInt16LE(bytes.readUInt16LE(local + 6) & ~utf8Flag, local + 6);
    at += 46 + bytes.readUInt16LE(at + 28) + bytes.readUInt16LE(at + 30) + bytes.readUInt16LE(at + 32);
  }
  return bytes;
}
