import { createCipheriv } from "node:crypto";
import { describe, expect, test } from "vitest";
import { utf8 } from "../src/encoding.ts";
import { BundleCorruptError, UnsupportedSpecVersionError, WrongPassphraseError } from "../src/errors.ts";
import { decryptEnvelope, encryptEnvelope } from "../src/rqe1.ts";
import { decodePointerSeal, encodePointerSeal } from "../src/rqem0001.ts";

const master = new Uint8Array(32).fill(7);

describe("RQE1", () => {
  test("comes back, whatever the parts, and differs each time", async () => {
    const parts = [utf8("one"), new Uint8Array(0), utf8("two")];
    const first = await encryptEnvelope(master, parts);
    const received = first.slice();
    expect(await decryptEnvelope(master, received)).toEqual(utf8("onetwo"));
    expect(received).toEqual(first);
    expect(await encryptEnvelope(master, parts)).not.toEqual(first);
  });

  test("has an IV of its own each of a hundred thousand times", async () => {
    const seen = new Set<string>();
    for (let i = 0; i < 100_000; i++) {
      const envelope = await encryptEnvelope(master, []);
      seen.add(Buffer.from(envelope.buffer, envelope.byteOffset + 4, 12).toString("latin1"));
    }
    expect(seen.size).toBe(100_000);
  });

  test("is laid out as magic, IV, ciphertext, tag", async () => {
    const iv = Uint8Array.from({ length: 12 }, (_, i) => i);
    const envelope = await encryptEnvelope(master, [utf8("hello")], () => iv);
    const cipher = createCipheriv("aes-256-gcm", master, iv, { authTagLength: 16 });
    const body = Buffer.concat([cipher.update("hello"), cipher.final(), cipher.getAuthTag()]);
    expect(Buffer.compare(envelope, Buffer.concat([Buffer.from("RQE1"), iv, body]))).toBe(0);
  });

  test("every bit flipped is refused, by its own error", async () => {
    const envelope = await encryptEnvelope(master, [utf8("secret")]);
    for (let bit = 0; bit < envelope.length * 8; bit++) {
      const damaged = envelope.slice();
      damaged[bit >> 3]! ^= 1 << (bit & 7);
      const digit = damaged[3]! >= 0x30 && damaged[3]! <= 0x39;
      const expected =
        bit >= 32
          ? WrongPassphraseError
          : bit >= 24 && digit
            ? UnsupportedSpecVersionError
            : BundleCorruptError;
      await expect(decryptEnvelope(master, damaged)).rejects.toThrow(expected);
    }
  });

  test("every length below the shortest is corrupt, every later cut fails its tag", async () => {
    const envelope = await encryptEnvelope(master, [utf8("secret")]);
    for (let cut = 0; cut < envelope.length; cut++) {
      const expected = cut < 32 ? BundleCorruptError : WrongPassphraseError;
      await expect(decryptEnvelope(master, envelope.subarray(0, cut))).rejects.toThrow(expected);
    }
    await expect(decryptEnvelope(master, Uint8Array.of(...envelope, 0))).rejects.toThrow(
      WrongPassphraseError,
    );
    await expect(decryptEnvelope(master, Uint8Array.of(...envelope, ...envelope))).rejects.toThrow(
      WrongPassphraseError,
    );
  });
});

describe("RQEM0001", () => {
  const sealed = Uint8Array.of(...encodePointerSeal("20240229-235959"), 1, 2, 3);

  test("gives back the version and a view of the payload", () => {
    const { timestamp, payload } = decodePointerSeal(sealed, "20240229-235959");
    expect(timestamp).toBe("20240229-235959");
    expect(decodePointerSeal(sealed).timestamp).toBe("20240229-235959");
    expect(() => encodePointerSeal("20230229-235959")).toThrow(RangeError);
    expect(payload).toEqual(Uint8Array.of(1, 2, 3));
    expect(payload.buffer).toBe(sealed.buffer);
  });

  test("another version than the expected one is corrupt and names both", () => {
    expect(() => decodePointerSeal(sealed, "20240301-000000")).toThrow(/20240301-000000.*20240229-235959/);
  });

  test.each([
    "20241301-000000",
    "20240230-000000",
    "20230229-000000",
    "20240101-240000",
    "20240101-000060",
    "2024010\0-00000",
  ])("%j is no date", (timestamp) => {
    expect(() => decodePointerSeal(utf8(`RQEM0001${timestamp}`))).toThrow(BundleCorruptError);
    expect(() => encodePointerSeal(timestamp)).toThrow(RangeError);
  });

  test("every cut is corrupt, a later form unsupported", () => {
    for (let cut = 0; cut < 23; cut++) {
      expect(() => decodePointerSeal(sealed.subarray(0, cut))).toThrow(BundleCorruptError);
    }
    expect(() => decodePointerSeal(utf8("RQEM000220240101-000000"))).toThrow(UnsupportedSpecVersionError);
    expect(() => decodePointerSeal(utf8("rqem000120240101-000000"))).toThrow(BundleCorruptError);
  });
});
