// What every test of a hostile archive asserts.

import { expect } from "vitest";
import { ARCHIVE_LIMITS, unpackArchive } from "../src/archive.ts";
import { BundleCorruptError } from "../src/errors.ts";

/** The class, the code and the words; and that the words cannot act on a terminal. */
export async function expectRefused(
  zip: Uint8Array,
  message: RegExp,
  limits: typeof ARCHIVE_LIMITS = ARCHIVE_LIMITS,
): Promise<void> {
  const error = await unpackArchive(zip, limits).then(
    () => expect.unreachable("the archive was unpacked"),
    (thrown: unknown) => thrown,
  );
  expect(error).toBeInstanceOf(BundleCorruptError);
  const { code, message: text } = error as BundleCorruptError;
  expect(code).toBe("VSYNC_BUNDLE_CORRUPT");
  expect(text).toMatch(message);
  expect(text).not.toMatch(/[\p{Cc}\p{Cf}]/u);
  expect(text.length).toBeLessThan(400);
}
