// Wycheproof's vectors over both native implementations. The files are not carried here: VSYNC_WYCHEPROOF names a
// folder with C2SP/wycheproof's testvectors_v1.

import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { fromUtf8, toHex } from "../src/encoding.ts";
import * as node from "../src/native-node.ts";
import * as web from "../src/native-web.ts";

const folder = process.env.VSYNC_WYCHEPROOF ?? "";
const present = existsSync(join(folder, "aes_gcm_test.json"));
if (!present) {
  console.warn("wycheproof: skipped; set VSYNC_WYCHEPROOF to a checkout of C2SP/wycheproof's testvectors_v1");
}

const bytes = (hex: string) => new Uint8Array(Buffer.from(hex, "hex"));

// biome-ignore lint/suspicious/noExplicitAny: the shape differs from file to file
function cases(file: string, group: (group: any) => boolean): any[] {
  const { testGroups } = JSON.parse(readFileSync(join(folder, file), "utf8"));
  // biome-ignore lint/suspicious/noExplicitAny: as above
  const found = testGroups.filter(group).flatMap((each: any) => each.tests);
  expect(found.length, file).toBeGreaterThan(15);
  return found;
}

describe.skipIf(!present).each([
  ["node", node],
  ["web", web],
])("Wycheproof on %s", (_name, native) => {
  test("AES-GCM with 256-bit keys, 96-bit IVs and 128-bit tags", async () => {
    const ours = cases("aes_gcm_test.json", (g) => g.keySize === 256 && g.ivSize === 96 && g.tagSize === 128);
    // The envelope has no additional data.
    for (const { tcId, key, iv, msg, ct, tag, result } of ours.filter(({ aad }) => aad === "")) {
      const opened = await native.decryptAesGcm(bytes(key), bytes(iv), bytes(ct + tag));
      expect(opened && toHex(opened), `tcId ${tcId}`).toBe(result === "invalid" ? null : msg);
      if (result !== "valid") continue;
      const out = new Uint8Array((ct + tag).length / 2);
      await native.encryptAesGcm(bytes(key), bytes(iv), [bytes(msg)], out);
      expect(toHex(out), `tcId ${tcId}`).toBe(ct + tag);
    }
  });

  test("PBKDF2-HMAC-SHA256, its first block", async () => {
    for (const { tcId, password, salt, iterationCount, dk } of cases(
      "pbkdf2_hmacsha256_test.json",
      () => true,
    )) {
      const derived = toHex(await native.pbkdf2Sha256(bytes(password), bytes(salt), iterationCount));
      const length = Math.min(dk.length, derived.length);
      expect(derived.slice(0, length), `tcId ${tcId}`).toBe(dk.slice(0, length));
    }
  });

  test("HMAC-SHA256 with whole tags", async () => {
    for (const { tcId, key, msg, tag, result } of cases("hmac_sha256_test.json", (g) => g.tagSize === 256)) {
      const computed = toHex(await native.hmacSha256(bytes(key), bytes(msg)));
      expect(computed === tag, `tcId ${tcId}`).toBe(result === "valid");
    }
  });

  test("HKDF-SHA256 with an empty salt, its first block", async () => {
    const ours = cases("hkdf_sha256_test.json", () => true).filter(
      ({ salt, info, result }) => salt === "" && fromUtf8(bytes(info)) !== null && result === "valid",
    );
    expect(ours.length).toBeGreaterThan(5);
    for (const { tcId, ikm, info, okm } of ours) {
      const derived = toHex(await native.hkdfSha256(bytes(ikm), fromUtf8(bytes(info)) as string));
      const length = Math.min(okm.length, derived.length);
      expect(derived.slice(0, length), `tcId ${tcId}`).toBe(okm.slice(0, length));
    }
  });
});
