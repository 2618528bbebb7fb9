// AES-GCM does not commit to its key: a ciphertext can be made that opens under two. The manifest's seal is an HMAC, which
// does, and it is judged first.

import { createCipheriv, randomBytes } from "node:crypto";
import { expect, test } from "vitest";
import { expandKeys } from "../src/key.ts";
import { judgeManifest, sealManifest } from "../src/manifest.ts";
import { decryptEnvelope } from "../src/rqe1.ts";

const BLOCK = 16n * 8n;
const REDUCTION = 0xe1n << 120n;

/** The field of GCM (NIST SP 800-38D section 6.3): the first bit of a block is the lowest power. */
function multiply(x: bigint, y: bigint): bigint {
  let product = 0n;
  for (let bit = BLOCK - 1n; bit >= 0n; bit--) {
    if ((x >> bit) & 1n) product ^= y;
    y = y & 1n ? (y >> 1n) ^ REDUCTION : y >> 1n;
  }
  return product;
}

function power(x: bigint, exponent: bigint): bigint {
  let result = 1n << 127n;
  for (; exponent > 0n; exponent >>= 1n) {
    if (exponent & 1n) result = multiply(result, x);
    x = multiply(x, x);
  }
  return result;
}

const number = (bytes: Uint8Array): bigint => BigInt(`0x${Buffer.from(bytes).toString("hex")}`);
const block = (value: bigint): Buffer => Buffer.from(value.toString(16).padStart(32, "0"), "hex");

function encryptBlock(key: Uint8Array, input: Uint8Array): bigint {
  return number(createCipheriv("aes-256-ecb", key, null).setAutoPadding(false).update(input));
}

/** The tag of `ciphertext` under `key`, but for the part of its first block. */
function tagWithoutFirst(key: Uint8Array, iv: Uint8Array, ciphertext: readonly bigint[]): bigint {
  const h = encryptBlock(key, Buffer.alloc(16));
  const lengths = BigInt(ciphertext.length * 128);
  const hash = [...ciphertext.with(0, 0n), lengths].reduce((sum, part) => multiply(sum ^ part, h), 0n);
  return hash ^ encryptBlock(key, Buffer.concat([iv, Buffer.from([0, 0, 0, 1])]));
}

/** An envelope of four blocks with one tag that verifies under both keys: its first block is solved for. */
function openForBoth(one: Uint8Array, other: Uint8Array): Uint8Array {
  const iv = randomBytes(12);
  const rest = [0n, ...[1, 2, 3].map(() => number(randomBytes(16)))];
  const weight = (key: Uint8Array) => power(encryptBlock(key, Buffer.alloc(16)), BigInt(rest.length + 1));
  const difference = tagWithoutFirst(one, iv, rest) ^ tagWithoutFirst(other, iv, rest);
  const inverse = power(weight(one) ^ weight(other), (1n << BLOCK) - 2n);
  const first = multiply(difference, inverse);
  const tag = tagWithoutFirst(one, iv, rest) ^ multiply(first, weight(one));
  return new Uint8Array(
    Buffer.concat([Buffer.from("RQE1"), iv, ...rest.with(0, first).map(block), block(tag)]),
  );
}

test("a ciphertext that opens under two keys is made for one of them only by its manifest's seal", async () => {
  const [ours, theirs] = await Promise.all([expandKeys(randomBytes(32)), expandKeys(randomBytes(32))]);
  const envelope = openForBoth(ours.master, theirs.master);
  const [a, b] = await Promise.all([ours, theirs].map(({ master }) => decryptEnvelope(master, envelope)));
  expect(a).toHaveLength(64);
  expect(b).toHaveLength(64);
  expect(a).not.toEqual(b);

  const fields = {
    timestamp: "20260102-030405",
    generation: 1,
    sha256: "0".repeat(64),
    writeId: "0".repeat(32),
  };
  const manifest = await sealManifest(ours, "p/", fields);
  expect((await judgeManifest(ours, "p/", manifest, 0)).kind).toBe("verified");
  expect((await judgeManifest(theirs, "p/", manifest, 0)).kind).toBe("failed");
});
