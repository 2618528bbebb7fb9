// The pointer seal, first bytes of a bundle's plaintext: binds a payload to its version. docs/formats.md section 3.

import { utf8 } from "./encoding.ts";
import { BundleCorruptError, UnsupportedSpecVersionError } from "./errors.ts";
import { parseTimestamp } from "./timestamp.ts";

const MAGIC = "RQEM0001";
const TIMESTAMP_BYTES = 15;
const HEADER_BYTES = MAGIC.length + TIMESTAMP_BYTES;

/** The 23 bytes that go before the payload. */
export function encodePointerSeal(timestamp: string): Uint8Array {
  if (parseTimestamp(timestamp) === null) throw new RangeError(`not a version timestamp: ${timestamp}`);
  return utf8(MAGIC + timestamp);
}

/**
 * The version a payload was sealed for, and the payload as a view of the plaintext.
 * Throws BundleCorruptError, also when `expected` (the version that was asked for) is another one, and
 * UnsupportedSpecVersionError for a later form.
 */
export function decodePointerSeal(
  plaintext: Uint8Array,
  expected?: string,
): { timestamp: string; payload: Uint8Array } {
  const header = String.fromCharCode(...plaintext.subarray(0, HEADER_BYTES));
  const magic = header.slice(0, MAGIC.length);
  if (/^RQEM\d{4}$/.test(magic) && magic !== MAGIC) {
    throw new UnsupportedSpecVersionError(
      `pointer seal ${magic} is newer than this release knows; update vsync`,
    );
  }
  if (magic !== MAGIC || header.length < HEADER_BYTES) {
    throw new BundleCorruptError(
      "no pointer seal: the decrypted bundle does not begin with RQEM0001 and a version",
    );
  }
  const timestamp = header.slice(MAGIC.length);
  if (parseTimestamp(timestamp) === null) {
    throw new BundleCorruptError("the version sealed into the bundle is not a real date and time");
  }
  if (expected !== undefined && timestamp !== expected) {
    throw new BundleCorruptError(
      `the manifest names version ${expected}, but the bundle was sealed as ${timestamp}`,
    );
  }
  return { timestamp, payload: plaintext.subarray(HEADER_BYTES) };
}
