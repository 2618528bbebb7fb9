// Each row of the verdict table of docs/formats.md section 6, through openWith.

import {
  bundleDigest,
  concat,
  encodePointerSeal,
  encryptEnvelope,
  packArchive,
  sealManifest,
  utf8,
  type VaultConfig,
} from "@vsync/envelope";
import { afterEach, beforeEach, describe, expect, type MockInstance, test, vi } from "vitest";
import { openWith, type Vault } from "../src/index.ts";
import { type Answer, serveS3 } from "./s3-loopback.ts";
import {
  blob,
  makeRotatedVault,
  makeVault,
  PASSPHRASE,
  PREFIX,
  type TestObject,
  type TestObjects,
  type TestVault,
  TIMESTAMP,
  testKeys,
  vaultFiles,
} from "./vault-fixture.ts";

const MANIFEST = `${PREFIX}manifest`;
const BUNDLE = `${PREFIX}v=${TIMESTAMP}`;

let warnings: MockInstance<typeof console.warn>;
beforeEach(() => {
  warnings = vi.spyOn(console, "warn").mockImplementation(() => {});
});
afterEach(() => warnings.mockRestore());

interface Opening {
  readonly config?: Partial<VaultConfig>;
  readonly passphrase?: string;
  readonly answer?: Answer;
}

/** Opens, asks, closes; with what the server was asked for. */
async function openFrom<T>(vault: TestVault, opening: Opening, ask: (v: Vault) => T | Promise<T>) {
  await using server = await serveS3(vault.objects, opening.answer);
  const config = await blob(vault, { endpoint: server.endpoint, ...opening.config });
  try {
    await using v = await openWith({ config, passphrase: opening.passphrase ?? PASSPHRASE });
    return { value: await ask(v), asked: server.seen.map((seen) => seen.path) };
  } catch (error) {
    return { error, asked: server.seen.map((seen) => seen.path) };
  }
}

const databaseUrl = (v: Vault) => v.getEnv("DATABASE_URL");

async function expectError(vault: TestVault, opening: Opening, name: string, code: string, message: RegExp) {
  const { error } = await openFrom(vault, opening, databaseUrl);
  expect(error).toMatchObject({ name, code });
  expect((error as Error).message).toMatch(message);
}

const corrupt = ["BundleCorruptError", "VSYNC_BUNDLE_CORRUPT"] as const;
const wrong = ["WrongPassphraseError", "VSYNC_WRONG_PASSPHRASE"] as const;

function object(vault: TestVault, key: string): TestObject {
  return vault.objects.get(key) as TestObject;
}

/** Puts these bytes in the bundle's place and seals a manifest over them. */
async function resealOver(vault: TestVault, bundle: Uint8Array): Promise<void> {
  vault.objects.set(BUNDLE, { body: bundle, metadata: {} });
  const sha256 = await bundleDigest(bundle);
  const fields = { timestamp: TIMESTAMP, generation: 3, sha256, writeId: "0".repeat(32) };
  vault.objects.set(MANIFEST, await sealManifest(vault.keys, PREFIX, fields));
}

describe("the seal verifies", () => {
  test("digest and tag right: open", async () => {
    const { value } = await openFrom(await makeVault(), {}, databaseUrl);
    expect(value).toBe("postgres://db");
    expect(warnings).not.toHaveBeenCalled();
  });

  test("white space around the manifest's body does not count", async () => {
    const vault = await makeVault();
    object(vault, MANIFEST).body = utf8(`\r\n ${TIMESTAMP}\t\n`);
    expect((await openFrom(vault, {}, databaseUrl)).value).toBe("postgres://db");
  });

  test("digest wrong: corrupt", async () => {
    const vault = await makeVault();
    object(vault, BUNDLE).body = concat([object(vault, BUNDLE).body, Uint8Array.of(0)]);
    await expectError(vault, {}, ...corrupt, /its digest differs/);
  });

  test("tag wrong: corrupt, since the seal has vouched for the passphrase", async () => {
    const vault = await makeVault();
    const bundle = object(vault, BUNDLE).body.slice();
    bundle[bundle.length - 1] = (bundle.at(-1) as number) ^ 1;
    await resealOver(vault, bundle);
    await expectError(vault, {}, ...corrupt, /damaged.*passphrase is right/);
  });

  test("another timestamp inside: corrupt, naming both", async () => {
    const vault = await makeVault();
    const inside = [encodePointerSeal("20250101-000000"), ...(await packArchive(vault.files))];
    await resealOver(vault, await encryptEnvelope(vault.keys.master, inside));
    await expectError(
      vault,
      {},
      ...corrupt,
      /20250101-000000.*20260102-030405|20260102-030405.*20250101-000000/,
    );
  });

  test("bundle missing: corrupt, naming it", async () => {
    const vault = await makeVault();
    vault.objects.delete(BUNDLE);
    await expectError(vault, {}, ...corrupt, /names bundle 20260102-030405, which is not in the bucket/);
  });

  test("an envelope or a pointer seal of a later version says so", async () => {
    const unsupported = ["UnsupportedSpecVersionError", "VSYNC_UNSUPPORTED_SPEC_VERSION"] as const;
    const envelope = await makeVault();
    await resealOver(envelope, concat([utf8("RQE2"), object(envelope, BUNDLE).body.subarray(4)]));
    await expectError(envelope, {}, ...unsupported, /RQE2/);
    const pointer = await makeVault();
    await resealOver(pointer, await encryptEnvelope(pointer.keys.master, [utf8(`RQEM0002${TIMESTAMP}`)]));
    await expectError(pointer, {}, ...unsupported, /RQEM0002/);
  });

  test("generation below minGen: corrupt", async () => {
    const vault = await makeVault({ generation: 3 });
    await expectError(vault, { config: { minGen: 4 } }, ...corrupt, /generation is 3, .* it was 4/);
    expect((await openFrom(vault, { config: { minGen: 3 } }, databaseUrl)).value).toBe("postgres://db");
  });
});

describe("the seal fails", () => {
  const message = /^wrong passphrase, or a manifest written by somebody without it; /;

  test("under another passphrase", async () => {
    await expectError(await makeVault(), { passphrase: "another passphrase" }, ...wrong, message);
  });

  test("and nothing is decrypted, or even found damaged, before", async () => {
    const vault = await makeVault();
    object(vault, BUNDLE).body = utf8("not an envelope at all");
    await expectError(vault, { passphrase: "another passphrase" }, ...wrong, message);
    vault.objects.delete(BUNDLE);
    await expectError(vault, { passphrase: "another passphrase" }, ...wrong, message);
  });

  test("for a manifest moved to another prefix", async () => {
    const vault = await makeVault();
    const moved: TestObjects = new Map();
    for (const [key, each] of vault.objects) moved.set(key.replace(PREFIX, "app/dev/"), each);
    await expectError({ ...vault, objects: moved }, { config: { prefix: "app/dev/" } }, ...wrong, message);
  });

  test.each([
    ["a changed generation", { gen: "4" }],
    ["another spelling of the generation", { gen: "03" }],
    ["no generation", { gen: undefined }],
    ["a generation past 2^53-1", { gen: "9007199254740992" }],
    ["an upper-case digest", { sha256: "upper" }],
    ["a write-id of another form", { "write-id": "0".repeat(31) }],
    ["a rotation date put in", { "rotated-at": "2026-01-01T00:00:00Z" }],
    ["a rotation date that is no date", { "rotated-at": "yesterday" }],
    ["a grace put in", { grace: "x" }],
    ["a seal of zeros", { seal: "A".repeat(43) }],
  ])("for %s", async (_what, changes: Record<string, string | undefined>) => {
    const vault = await makeVault();
    const { metadata } = object(vault, MANIFEST);
    for (const [name, value] of Object.entries(changes)) {
      if (value === undefined) delete metadata[name];
      else metadata[name] = value === "upper" ? (metadata[name] as string).toUpperCase() : value;
    }
    await expectError(vault, {}, ...wrong, message);
  });

  test("for a grace cut out", async () => {
    const { next } = await makeRotatedVault("99991231-235959");
    delete object(next, MANIFEST).metadata.grace;
    await expectError(next, { passphrase: next.passphrase }, ...wrong, message);
  });
});

describe("no seal, or none that a writer makes", () => {
  async function unsealedVault(): Promise<TestVault> {
    const vault = await makeVault();
    object(vault, MANIFEST).metadata = { gen: "3" };
    return vault;
  }

  test("without minGen: decrypted", async () => {
    const { value } = await openFrom(await unsealedVault(), {}, (v) => [databaseUrl(v), v.generation()]);
    expect(value).toEqual(["postgres://db", 3]);
  });

  test("without any metadata the generation is 0", async () => {
    const vault = await unsealedVault();
    object(vault, MANIFEST).metadata = {};
    const { value } = await openFrom(vault, {}, async (v) => [v.generation(), await v.remoteGeneration()]);
    expect(value).toEqual([0, 0]);
  });

  test("without minGen and with another passphrase: wrong passphrase", async () => {
    await expectError(
      await unsealedVault(),
      { passphrase: "another passphrase" },
      ...wrong,
      /^wrong passphrase/,
    );
  });

  test.each([0, 1, 3])("with minGen %i: corrupt", async (minGen) => {
    await expectError(
      await unsealedVault(),
      { config: { minGen } },
      ...corrupt,
      /has no seal, though .*minGen/,
    );
  });

  test("malformed, with minGen: corrupt; without: the seal fails", async () => {
    const vault = await makeVault();
    const { metadata } = object(vault, MANIFEST);
    for (const seal of [`${metadata.seal}=`, "x", "A".repeat(42)]) {
      metadata.seal = seal;
      await expectError(vault, { config: { minGen: 0 } }, ...corrupt, /has a seal that no writer makes/);
      await expectError(vault, {}, ...wrong, /^wrong passphrase/);
    }
  });

  test.each([
    ["empty", ""],
    ["a web page", "<!doctype html><title>Sign in</title>"],
    ["an S3 error with status 200", "<Error><Code>InternalError</Code></Error>"],
    ["no real date", "20260230-000000"],
    ["a line too much", `${TIMESTAMP}\nx`],
  ])("a body that is %s: corrupt", async (_what, body) => {
    const vault = await unsealedVault();
    object(vault, MANIFEST).body = utf8(body);
    await expectError(vault, {}, ...corrupt, /does not hold a version timestamp/);
  });

  test.each(["-1", "1e400", "3abc", "9007199254740992", "03", ""])("gen %j: corrupt", async (gen) => {
    const vault = await unsealedVault();
    object(vault, MANIFEST).metadata = { gen };
    await expectError(vault, {}, ...corrupt, /generation is not a number/);
  });
});

describe("after a rotation, under the old passphrase", () => {
  const GRACE_BUNDLE = `${PREFIX}v=20260101-000000`;

  test("within the grace period: the last bundle of the old one, with one warning and one more GET", async () => {
    const { vault } = await makeRotatedVault("99991231-235959");
    const { value, asked } = await openFrom(vault, {}, async (v) => {
      const opened = [databaseUrl(v), v.generation()];
      return [...opened, await v.remoteGeneration(), await v.hasNewVersion()];
    });
    // The manifest is at 7 and so was it at open: nothing restarts in a loop.
    expect(value).toEqual(["postgres://db", 6, 7, false]);
    expect(asked.slice(0, -2)).toEqual([
      "/test-bucket/app/prod/manifest",
      "/test-bucket/app/prod/v%3D20260102-030405",
      "/test-bucket/app/prod/v%3D20260101-000000",
    ]);
    expect(warnings.mock.calls).toEqual([
      [
        "vsync: the passphrase was rotated; this process runs on the last bundle of the old one until 9999-12-31 23:59:59 UTC; set VSYNC_PASSPHRASE to the new one and restart before then",
      ],
    ]);
  });

  test("a later push is news even then", async () => {
    const { vault } = await makeRotatedVault("99991231-235959");
    const { value } = await openFrom(vault, {}, async (v) => {
      object(vault, MANIFEST).metadata.gen = "8";
      return [await v.hasNewVersion(), v.generation()];
    });
    expect(value).toEqual([true, 6]);
  });

  test("the new passphrase opens the new bundle, in silence", async () => {
    const { vault, next } = await makeRotatedVault("99991231-235959");
    const opening = { passphrase: next.passphrase };
    const { value } = await openFrom(vault, opening, (v) => [databaseUrl(v), v.generation()]);
    expect(value).toEqual(["rotated", 7]);
    expect(warnings).not.toHaveBeenCalled();
  });

  test("a third passphrase opens neither", async () => {
    const { vault } = await makeRotatedVault("99991231-235959");
    await expectError(vault, { passphrase: "a third passphrase" }, ...wrong, /^wrong passphrase/);
  });

  test("over by our clock: wrong passphrase, naming the end", async () => {
    const { vault } = await makeRotatedVault("20000101-000000");
    await expectError(vault, {}, ...wrong, /grace period for the old one ended on 2000-01-01 00:00:00 UTC/);
  });

  test("over by the server's clock, though not by ours: the same", async () => {
    const { vault } = await makeRotatedVault("99981231-235959");
    const answer: Answer = (_request, response) => {
      response.setHeader("date", "Fri, 31 Dec 9999 23:59:59 GMT");
      return false;
    };
    await expectError(vault, { answer }, ...wrong, /ended on 9998-12-31 23:59:59 UTC/);
  });

  test("a server's clock that is behind does not bring it back", async () => {
    const { vault } = await makeRotatedVault("20000101-000000");
    const answer: Answer = (_request, response) => {
      response.setHeader("date", "Fri, 01 Jan 1999 00:00:00 GMT");
      return false;
    };
    await expectError(vault, { answer }, ...wrong, /ended on 2000-01-01 00:00:00 UTC/);
  });

  test("the grace bundle missing, damaged or another: corrupt", async () => {
    const { vault } = await makeRotatedVault("99991231-235959");
    const bundle = object(vault, GRACE_BUNDLE).body;
    vault.objects.delete(GRACE_BUNDLE);
    await expectError(vault, {}, ...corrupt, /names bundle 20260101-000000, which is not in the bucket/);
    vault.objects.set(GRACE_BUNDLE, { body: concat([bundle, Uint8Array.of(0)]), metadata: {} });
    await expectError(vault, {}, ...corrupt, /its digest differs/);
    const damaged = bundle.slice();
    damaged[20] = (damaged[20] as number) ^ 1;
    const { vault: other } = await makeRotatedVault("99991231-235959", {
      sha256: await bundleDigest(damaged),
    });
    other.objects.set(GRACE_BUNDLE, { body: damaged, metadata: {} });
    await expectError(other, {}, ...corrupt, /damaged/);
    expect(warnings).not.toHaveBeenCalled();
  });

  test("minGen is held against the grace bundle's generation", async () => {
    const { vault } = await makeRotatedVault("99991231-235959");
    await expectError(vault, { config: { minGen: 7 } }, ...corrupt, /generation is 6, .* it was 7/);
    expect((await openFrom(vault, { config: { minGen: 6 } }, databaseUrl)).value).toBe("postgres://db");
  });

  test("a grace of another prefix, or with a later end written in, counts for nothing", async () => {
    const { vault } = await makeRotatedVault("99991231-235959");
    const { metadata } = object(vault, MANIFEST);
    const genuine = metadata.grace as string;
    metadata.grace = genuine.replace("99991231-235959", "99991231-235958");
    await expectError(vault, {}, ...wrong, /^wrong passphrase/);
    metadata.grace = genuine;
    const moved: TestObjects = new Map();
    for (const [key, each] of vault.objects) moved.set(key.replace(PREFIX, "app/dev/"), each);
    await expectError({ ...vault, objects: moved }, { config: { prefix: "app/dev/" } }, ...wrong, /^wrong/);
  });
});

describe("an object that is not there", () => {
  test("no manifest: not found, with the command that makes one", async () => {
    const vault = await makeVault();
    vault.objects.delete(MANIFEST);
    await expectError(vault, {}, "ManifestNotFoundError", "VSYNC_MANIFEST_NOT_FOUND", /`vsync push prod`$/);
  });

  test("an env that is no name does not get into the message", async () => {
    const vault = await makeVault();
    vault.objects.delete(MANIFEST);
    const config = { env: "\u001b]8;;http://x\u0007 ; rm -rf" };
    await expectError(
      vault,
      { config },
      "ManifestNotFoundError",
      "VSYNC_MANIFEST_NOT_FOUND",
      /`vsync push <env>`$/,
    );
  });

  test("no bucket: unreachable, and no word of a manifest", async () => {
    const config = { bucket: "another-bucket" };
    const vault = await makeVault();
    await expectError(
      vault,
      { config },
      "S3UnreachableError",
      "VSYNC_S3_UNREACHABLE",
      /NoSuchBucket.*no such bucket/,
    );
  });
});

test("an archive that is not safe is refused before anything is handed on", async () => {
  const keys = await testKeys();
  const vault = await makeVault();
  const safe = Buffer.from(concat(await packArchive(vaultFiles({ "aa/evil": "x" }))));
  const archive = Buffer.from(safe.toString("latin1").replaceAll("aa/evil", "../evil"), "latin1");
  await resealOver(vault, await encryptEnvelope(keys.master, [encodePointerSeal(TIMESTAMP), archive]));
  await expectError(vault, {}, ...corrupt, /evil/);
});
