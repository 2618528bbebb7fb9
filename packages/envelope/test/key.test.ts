import { hkdfSync, pbkdf2Sync } from "node:crypto";
import { describe, expect, test } from "vitest";
import { equalBytes, fromBase64, toHex } from "../src/encoding.ts";
import { BundleCorruptError } from "../src/errors.ts";
import {
  checkKdf,
  deriveKeys,
  deriveMaster,
  expandKeys,
  generatePassphrase,
  generateSalt,
  passphraseProblem,
  wipe,
} from "../src/key.ts";
import { formatTimestamp, nextTimestamp, parseTimestamp } from "../src/timestamp.ts";

test("the salt is the text itself, never decoded, and nothing is normalised or trimmed", async () => {
  const salt = "c2FsdHNhbHRzYWx0";
  for (const passphrase of ["plain passphrase", " spaced ", "e\u0301", "\u00e9", "😀"]) {
    const expected = pbkdf2Sync(
      Buffer.from(passphrase, "utf8"),
      Buffer.from(salt, "ascii"),
      100_000,
      32,
      "sha256",
    );
    expect(toHex(await deriveMaster(passphrase, salt, 100_000))).toBe(expected.toString("hex"));
  }
});

test("the three keys differ", async () => {
  const { master, sealKey, chainKey } = await deriveKeys("a passphrase", "saltsalt", 100_000);
  expect(new Set([master, sealKey, chainKey].map(toHex)).size).toBe(3);
});

test.each([0, 1, 99_999, 10_000_001, 1e9, Number.NaN, 600_000.5, "600000" as unknown as number])(
  "%s iterations are refused before any work",
  (iterations) => expect(() => checkKdf("saltsalt", iterations)).toThrow(BundleCorruptError),
);

test("a salt is measured in bytes of UTF-8", () => {
  expect(() => checkKdf("saltsal", 600_000)).toThrow(BundleCorruptError);
  expect(() => checkKdf("éééé", 600_000)).not.toThrow();
});

test("generated secrets have their documented shape", () => {
  expect(fromBase64(generatePassphrase())).toHaveLength(32);
  expect(generateSalt()).toMatch(/^[A-Za-z0-9_-]{24}$/);
});

describe("a new passphrase", () => {
  const rules = { chosen: true, iterations: 600_000 };
  test("is taken", () => expect(passphraseProblem("correct horse", rules)).toBeNull());
  test("is taken from 12 characters on", () => expect(passphraseProblem("twelve chars", rules)).toBeNull());
  test.each([
    ["too short", "elevenchars"],
    ["characters and not code units count", "😀😀😀😀😀😀"],
    ["NUL", "twelve\0characters"],
    ["lone surrogate", "twelve characters \ud800"],
    ["white space at the end", "twelve characters "],
    ["white space at the start", "\u00a0twelve characters"],
  ])("is refused: %s", (_why, passphrase) => expect(passphraseProblem(passphrase, rules)).not.toBeNull());
  test("is refused when it is the one in force", () => {
    expect(passphraseProblem("correct horse", { ...rules, inForce: "correct horse" })).not.toBeNull();
  });
  test("below 600,000 iterations has to be a generated one", () => {
    expect(passphraseProblem("correct horse", { chosen: true, iterations: 100_000 })).not.toBeNull();
    expect(passphraseProblem(generatePassphrase(), { chosen: false, iterations: 100_000 })).toBeNull();
  });
  test("that is generated may be given: from where it was made", () => {
    const given = { chosen: true, iterations: 100_000 };
    const generated = generatePassphrase();
    expect(passphraseProblem(generated, given)).toBeNull();
    expect(passphraseProblem(`AAAA${generated}`, given)).not.toBeNull();
    expect(passphraseProblem(generated.slice(0, -1), given)).not.toBeNull();
  });
});

describe("version timestamps", () => {
  test("come back", () =>
    expect(formatTimestamp(parseTimestamp("20260228-235959")!)).toBe("20260228-235959"));
  test("never stand still or go back", () => {
    const now = parseTimestamp("20260101-000000")!;
    expect(nextTimestamp(now, null)).toBe("20260101-000000");
    expect(nextTimestamp(now, "20251231-235959")).toBe("20260101-000000");
    expect(nextTimestamp(now, "20250607-080910")).toBe("20260101-000000");
    expect(nextTimestamp(now, "20260101-000000")).toBe("20260101-000001");
    expect(nextTimestamp(now, "20261231-235959")).toBe("20270101-000000");
    expect(() => nextTimestamp(now, "99991231-235959")).toThrow(BundleCorruptError);
    expect(() => nextTimestamp(now, "later")).toThrow(RangeError);
  });
  test.each(["", "20260101", "20260101-0000000", "20260101T000000", "٢٠٢٦٠١٠١-000000", "20260101-000000\n"])(
    "%j is none",
    (text) => expect(parseTimestamp(text)).toBeNull(),
  );
});

test("iterations are taken up to both limits", () => {
  for (const iterations of [100_000, 10_000_000]) checkKdf("saltsalt", iterations);
});

test("the seal and chain keys are the documented HKDF of the master key", async () => {
  const master = new Uint8Array(32).fill(5);
  const expanded = await expandKeys(master);
  for (const [key, info] of [
    [expanded.sealKey, "vsync manifest seal v1"],
    [expanded.chainKey, "vsync audit chain v1"],
  ] as const) {
    expect(toHex(key)).toBe(Buffer.from(hkdfSync("sha256", master, "", info, 32)).toString("hex"));
  }
});

test("wiping leaves nothing of a secret", () => {
  const [one, two] = [Uint8Array.of(1, 2), Uint8Array.of(3)];
  wipe(one, two);
  expect([...one, ...two]).toEqual([0, 0, 0]);
});

test("bytes are equal when all of them are, and none is left over", () => {
  expect(equalBytes(Uint8Array.of(1, 2), Uint8Array.of(1, 2))).toBe(true);
  for (const other of [[1], [1, 3], [0, 2], [1, 2, 0], []]) {
    expect(equalBytes(Uint8Array.of(1, 2), Uint8Array.from(other))).toBe(false);
    expect(equalBytes(Uint8Array.from(other), Uint8Array.of(1, 2))).toBe(false);
  }
});
