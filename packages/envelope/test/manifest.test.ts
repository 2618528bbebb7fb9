import { createHmac, hkdfSync } from "node:crypto";
import { beforeAll, describe, expect, test } from "vitest";
import { fromHex, utf8 } from "../src/encoding.ts";
import { BundleCorruptError } from "../src/errors.ts";
import { expandKeys, type VaultKeys } from "../src/key.ts";
import {
  graceBundle,
  judgeManifest,
  type ManifestFields,
  readGeneration,
  readTimestamp,
  sealGrace,
  sealManifest,
} from "../src/manifest.ts";
import { parseTimestamp } from "../src/timestamp.ts";

const prefix = "app/prod/";
const now = parseTimestamp("20260601-120000")!;
const fields: ManifestFields = {
  timestamp: "20260601-115900",
  generation: 7,
  sha256: "ab".repeat(32),
  writeId: "cd".repeat(16),
  rotatedAt: "2026-05-01T00:00:00Z",
};
let keys: VaultKeys;
let oldKeys: VaultKeys;

beforeAll(async () => {
  keys = await expandKeys(new Uint8Array(32).fill(1));
  oldKeys = await expandKeys(new Uint8Array(32).fill(2));
});

test("the seal is the documented HMAC over the documented text", async () => {
  const { body, metadata } = await sealManifest(keys, prefix, fields);
  const sealKey = hkdfSync("sha256", keys.master, "", "vsync manifest seal v1", 32);
  const text = `vsync-manifest-v1\n20260601-115900\n7\n2026-05-01T00:00:00Z\n${fields.sha256}\n${fields.writeId}\n\napp/prod/`;
  expect(Buffer.from(body).toString()).toBe("20260601-115900");
  expect(metadata.seal).toBe(createHmac("sha256", Buffer.from(sealKey)).update(text).digest("base64url"));
});

test("a sealed manifest verifies, also with white space around its body", async () => {
  const sealed = await sealManifest(keys, prefix, fields);
  expect(await judgeManifest(keys, prefix, sealed, now)).toEqual({ kind: "verified", manifest: fields });
  const spaced = { ...sealed, body: utf8(" \t20260601-115900\r\n") };
  expect(await judgeManifest(keys, prefix, spaced, now)).toEqual({ kind: "verified", manifest: fields });
});

test("any sealed field changed, spelt otherwise or taken away fails, and so does another prefix or key", async () => {
  const { body, metadata } = await sealManifest(keys, prefix, fields);
  const tamperings: Record<string, string>[] = [
    { gen: "8" },
    { gen: "07" },
    { gen: "9007199254740993" },
    { gen: "-1" },
    { gen: "7e0" },
    { sha256: fields.sha256.toUpperCase() },
    { "write-id": "ce".repeat(16) },
    { "rotated-at": "2026-05-02T00:00:00Z" },
    { grace: "nonsense" },
  ];
  for (const change of tamperings) {
    const received = { body, metadata: { ...metadata, ...change } };
    expect(await judgeManifest(keys, prefix, received, now), JSON.stringify(change)).toEqual({
      kind: "failed",
    });
  }
  for (const name of ["gen", "sha256", "write-id", "rotated-at"]) {
    const { [name]: _gone, ...rest } = metadata;
    expect(await judgeManifest(keys, prefix, { body, metadata: rest }, now), name).toEqual({
      kind: "failed",
    });
  }
  expect(await judgeManifest(keys, "app/dev/", { body, metadata }, now)).toEqual({ kind: "failed" });
  expect(await judgeManifest(oldKeys, prefix, { body, metadata }, now)).toEqual({ kind: "failed" });
  const later = { body: utf8("20260601-115901"), metadata };
  expect(await judgeManifest(keys, prefix, later, now)).toEqual({ kind: "failed" });
});

test("a time of rotation that is no date is not sealed", async () => {
  for (const rotatedAt of ["2026-02-30T00:00:00Z", "2026-05-01", "20260501-000000"])
    await expect(sealManifest(keys, prefix, { ...fields, rotatedAt }), rotatedAt).rejects.toThrow(RangeError);
});

test("a seal that no writer makes is malformed, none at all is unsealed", async () => {
  const { body, metadata } = await sealManifest(keys, prefix, fields);
  for (const seal of ["", "short", `${metadata.seal}=`, metadata.seal!.replace(/^./, "+")]) {
    expect(await judgeManifest(keys, prefix, { body, metadata: { ...metadata, seal } }, now)).toEqual({
      kind: "malformed",
    });
  }
  const unsealed = { kind: "unsealed", timestamp: fields.timestamp, generation: 0 };
  expect(await judgeManifest(keys, prefix, { body, metadata: {} }, now)).toEqual(unsealed);
  expect(await judgeManifest(keys, prefix, { body, metadata: { gen: "3" } }, now)).toEqual({
    ...unsealed,
    generation: 3,
  });
});

test("an unsealed manifest with a body or generation that is none is corrupt", async () => {
  for (const body of ["", "<html>", "20261301-000000"]) {
    await expect(judgeManifest(keys, prefix, { body: utf8(body), metadata: {} }, now)).rejects.toThrow(
      BundleCorruptError,
    );
  }
  for (const gen of ["-1", "1e400", "3abc", "007", "9007199254740992", ""]) {
    const received = { body: utf8(fields.timestamp), metadata: { gen } };
    await expect(judgeManifest(keys, prefix, received, now)).rejects.toThrow(BundleCorruptError);
  }
});

describe("a grace period", () => {
  const bundle = {
    timestamp: "20260531-000000",
    generation: 6,
    sha256: "ef".repeat(32),
    until: "20260601-120001",
  };

  test("opens the old bundle to the old keys until it ends", async () => {
    const grace = await sealGrace(oldKeys, prefix, bundle);
    const rotated = await sealManifest(keys, prefix, { ...fields, grace });
    expect((await judgeManifest(keys, prefix, rotated, now)).kind).toBe("verified");
    expect(await judgeManifest(oldKeys, prefix, rotated, now)).toEqual({
      kind: "grace",
      generation: 7,
      grace: bundle,
    });
    expect(await judgeManifest(oldKeys, prefix, rotated, now + 1000)).toEqual({
      kind: "grace-over",
      until: bundle.until,
    });
  });

  test("cannot be cut out, put in, moved or made longer", async () => {
    const grace = await sealGrace(oldKeys, prefix, bundle);
    const rotated = await sealManifest(keys, prefix, { ...fields, grace });
    const { grace: _cut, ...without } = rotated.metadata;
    expect((await judgeManifest(keys, prefix, { ...rotated, metadata: without }, now)).kind).toBe("failed");
    const plain = await sealManifest(keys, prefix, fields);
    const spliced = { ...plain, metadata: { ...plain.metadata, grace } };
    expect((await judgeManifest(keys, prefix, spliced, now)).kind).toBe("failed");
    const longer = grace.replace(bundle.until, "99990101-000000");
    const stretched = { ...rotated, metadata: { ...rotated.metadata, grace: longer } };
    expect((await judgeManifest(oldKeys, prefix, stretched, now)).kind).toBe("failed");
    expect((await judgeManifest(oldKeys, "app/dev/", rotated, now)).kind).toBe("failed");
  });
});

test("a writer's own bad field is a bug, not a manifest", async () => {
  for (const bad of [
    { generation: 0 },
    { generation: 2 ** 53 },
    { sha256: "AB".repeat(32) },
    { timestamp: "x" },
    { grace: "x" },
  ]) {
    await expect(sealManifest(keys, prefix, { ...fields, ...bad })).rejects.toThrow(RangeError);
  }
});

test("a HEAD's generation is read or is none", () => {
  expect(readGeneration({})).toBe(0);
  expect(readGeneration({ gen: "9007199254740991" })).toBe(Number.MAX_SAFE_INTEGER);
  for (const gen of ["0", "9007199254740992", "1.0", " 1", "1e3"]) expect(readGeneration({ gen })).toBeNull();
});

test("hex has one spelling", () => {
  expect(fromHex("00ff")).toEqual(Uint8Array.of(0, 255));
  for (const text of ["0", "0F", "0g"]) expect(fromHex(text)).toBeNull();
});

test("a body's version is read before its seal, white space around it or not, and nothing else is", () => {
  expect(readTimestamp(utf8(" 20260601-115900\r\n"))).toBe("20260601-115900");
  for (const body of ["", "20260601", "20260601 -115900", "<html>"])
    expect(readTimestamp(utf8(body))).toBeNull();
});

test("a manifest with every field gives all of them back, and a grace period its end", async () => {
  const grace = await sealGrace(oldKeys, prefix, { ...fields, until: "20260701-000000" });
  const whole = { ...fields, grace };
  const sealed = await sealManifest(keys, prefix, whole);
  expect(await judgeManifest(keys, prefix, sealed, now)).toEqual({ kind: "verified", manifest: whole });
  const { rotatedAt: _, ...plain } = fields;
  const verdict = await judgeManifest(keys, prefix, await sealManifest(keys, prefix, plain), now);
  expect(verdict).toEqual({ kind: "verified", manifest: plain });
  expect(Object.keys((verdict as { manifest: object }).manifest)).not.toContain("grace");
  expect(graceBundle(grace)).toMatchObject({ generation: 7, until: "20260701-000000" });
  for (const broken of [
    "",
    `${grace}.x`,
    grace.replace("20260701", "20260732"),
    grace.replace(".7.", ".07."),
  ])
    expect(graceBundle(broken)).toBeNull();
});
