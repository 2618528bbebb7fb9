import * as crypto from "node:crypto";
import { deflateRawSync } from "node:zlib";
import { describe, expect, test } from "vitest";
import type { Native } from "../src/native.ts";
import * as node from "../src/native-node.ts";
import * as web from "../src/native-web.ts";

const bytes = (length: number, seed = 1) =>
  Uint8Array.from({ length }, (_, i) => (i * 31 * seed + (i >> 7)) & 0xff);
const key = bytes(32, 3);
const iv = bytes(12, 5);

test("both runtimes derive, authenticate, digest and encrypt alike", async () => {
  const [a, b]: Native[] = [node, web];
  for (const length of [0, 1, 15, 16, 17, 1 << 18, (1 << 18) + 1, 700_001]) {
    const data = bytes(length);
    const parts = [data.subarray(0, length >> 1), data.subarray(length >> 1)];
    expect(await a!.hmacSha256(key, data)).toEqual(await b!.hmacSha256(key, data));
    expect(await a!.sha256(parts)).toEqual(await b!.sha256(parts));
    expect(a!.crc32(data)).toBe(b!.crc32(data));
    const outA = new Uint8Array(length + 16);
    const outB = new Uint8Array(length + 16);
    await a!.encryptAesGcm(key, iv, parts, outA);
    await b!.encryptAesGcm(key, iv, parts, outB);
    expect(Buffer.compare(outA, outB)).toBe(0);
    for (const native of [a, b]) {
      expect(Buffer.compare((await native!.decryptAesGcm(key, iv, outA))!, data)).toBe(0);
      expect(Buffer.compare(outA, outB)).toBe(0);
      expect(Buffer.compare((await native!.decryptAesGcm(key, iv, outA.slice(), true))!, data)).toBe(0);
    }
  }
  expect(await a!.hkdfSha256(key, "vsync test")).toEqual(await b!.hkdfSha256(key, "vsync test"));
  expect(await a!.pbkdf2Sha256(key, iv, 1000)).toEqual(await b!.pbkdf2Sha256(key, iv, 1000));
});

test("on Node the plaintext takes the ciphertext's place when it may, and leaves nothing there when the tag is wrong", async () => {
  const sealed = new Uint8Array(1000 + 16);
  await node.encryptAesGcm(key, iv, [bytes(1000)], sealed);
  const damaged = sealed.slice();
  damaged[1015]! ^= 1;
  const opened = await node.decryptAesGcm(key, iv, sealed, true);
  expect([opened?.buffer, opened?.length]).toEqual([sealed.buffer, 1000]);
  expect(await node.decryptAesGcm(key, iv, damaged, true)).toBeNull();
  expect(damaged.subarray(0, 1000)).toEqual(new Uint8Array(1000));
});

describe.each<[string, Native]>([
  ["node", node],
  ["web", web],
])("%s", (_name, native) => {
  test("a tag with any bit flipped, or cut short, hands out nothing", async () => {
    const sealed = new Uint8Array(40 + 16);
    await native.encryptAesGcm(key, iv, [bytes(40)], sealed);
    for (let bit = 0; bit < sealed.length * 8; bit++) {
      const damaged = sealed.slice();
      damaged[bit >> 3]! ^= 1 << (bit & 7);
      expect(await native.decryptAesGcm(key, iv, damaged)).toBeNull();
    }
    for (let cut = 16; cut < sealed.length; cut++) {
      expect(await native.decryptAesGcm(key, iv, sealed.subarray(0, cut))).toBeNull();
    }
  });

  test("the platform's vectors for PBKDF2 and HKDF hold", async () => {
    const expected = crypto.pbkdf2Sync("password", "saltsalt", 4096, 32, "sha256");
    const derived = await native.pbkdf2Sha256(Buffer.from("password"), Buffer.from("saltsalt"), 4096);
    expect(Buffer.compare(derived, expected)).toBe(0);
  });

  test("what deflates comes back, and only as exactly the size that was declared", async () => {
    for (const length of [0, 1, 3, 1000, 300_000]) {
      const data = bytes(length);
      for (const deflated of [await native.deflateRaw(data), new Uint8Array(deflateRawSync(data))]) {
        expect(Buffer.compare(await native.inflateRaw(deflated, length), data)).toBe(0);
        await expect(native.inflateRaw(deflated, length + 1)).rejects.toThrow(RangeError);
        if (length > 0) await expect(native.inflateRaw(deflated, length - 1)).rejects.toThrow(RangeError);
      }
    }
  });

  test("a deflate stream that is cut, followed by a byte, empty or no such thing is refused", async () => {
    const deflated = await native.deflateRaw(bytes(1000));
    for (let cut = 0; cut < deflated.length; cut++) {
      await expect(native.inflateRaw(deflated.subarray(0, cut), 1000)).rejects.toThrow(RangeError);
    }
    for (const extra of [0, 1, 255]) {
      const longer = Uint8Array.of(...deflated, extra);
      await expect(native.inflateRaw(longer, 1000)).rejects.toThrow(RangeError);
    }
    await expect(native.inflateRaw(Uint8Array.of(0xff, 0xff), 0)).rejects.toThrow(RangeError);
  });

  test("random bytes are fresh", () => {
    expect(native.randomBytes(16)).toHaveLength(16);
    expect(native.randomBytes(16)).not.toEqual(native.randomBytes(16));
  });
});
