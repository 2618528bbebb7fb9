// Against a real S3 server: what it makes of our signatures, and which of its answers we take for what.

import { openStore } from "@vsync/store";
import { afterEach, beforeAll, expect, test, vi } from "vitest";
import { describeWithS3 } from "../../../test/s3-suite.ts";
import { openWith } from "../src/index.ts";
import { type BuiltReader, buildReader } from "./built-reader.ts";
import { blob, makeVault, PASSPHRASE, type TestVault } from "./vault-fixture.ts";

const unreachable = { name: "S3UnreachableError", code: "VSYNC_S3_UNREACHABLE" };

describeWithS3("a real S3 server", ({ location, prefix }) => {
  async function pushed(under: string): Promise<TestVault> {
    const vault = await makeVault({ prefix: under, minGen: 3 });
    const store = await openStore(location);
    for (const [key, { body, metadata }] of vault.objects) await store.put(key, body, { metadata });
    await store.close();
    return vault;
  }

  let vault: TestVault;
  let reader: BuiltReader;
  beforeAll(async () => {
    vault = await pushed(prefix);
    reader = await buildReader();
  });
  afterEach(() => vi.restoreAllMocks());

  const { endpoint, region, bucket, accessKeyId, secretAccessKey } = location;
  const place = { endpoint, region, bucket, accessKeyId, secretAccessKey };
  const open = async (of: TestVault, changes = {}) =>
    openWith({ config: await blob(of, { ...place, ...changes }), passphrase: PASSPHRASE });

  test("opens a vault and polls it", async () => {
    await using v = await open(vault);
    expect([v.getEnv("DATABASE_URL"), v.generation()]).toEqual(["postgres://db", 3]);
    expect(await v.hasNewVersion()).toBe(false);
  });

  test("the web build does, with fetch and Web Crypto", async () => {
    const web: typeof import("../src/index.ts") = await import(reader.web);
    const v = await web.openWith({ config: await blob(vault, place), passphrase: PASSPHRASE });
    expect([v.getEnv("DATABASE_URL"), await v.remoteGeneration()]).toEqual(["postgres://db", 3]);
  });

  test("prefixes that need encoding are signed as the server signs them", async () => {
    for (const strange of ["a b/", "ü/", "v=1&x?y#z/", "%2F+/", "(!'*)~/", ".../"]) {
      const v = await open(await pushed(prefix + strange));
      expect([v.getEnv("DATABASE_URL"), await v.remoteGeneration()]).toEqual(["postgres://db", 3]);
    }
  });

  test("a missing bucket is unreachable on GET, and may be either on HEAD", async () => {
    await expect(open(vault, { bucket: "no-such-bucket-here" })).rejects.toMatchObject({
      ...unreachable,
      message: expect.stringMatching(/HTTP 404 \(NoSuchBucket\)/),
    });
  });

  test("a missing manifest is not found", async () => {
    await expect(open(vault, { prefix: `${prefix}nothing/` })).rejects.toMatchObject({
      name: "ManifestNotFoundError",
      code: "VSYNC_MANIFEST_NOT_FOUND",
    });
  });

  test("a secret key or an access key that is wrong: unreachable, with what to do", async () => {
    await expect(open(vault, { secretAccessKey: "wrong" })).rejects.toMatchObject({
      ...unreachable,
      message: expect.stringMatching(/HTTP 403 \(SignatureDoesNotMatch\).*`vsync runtime-token`/),
    });
    await expect(open(vault, { accessKeyId: "WRONG" })).rejects.toMatchObject({
      ...unreachable,
      message: expect.stringMatching(/HTTP 403 \(InvalidAccessKeyId\).*`vsync runtime-token`/),
    });
  });

  test("a clock that is an hour off: unreachable, naming the clock", async () => {
    const now = Date.now();
    vi.spyOn(Date, "now").mockReturnValue(now + 3_600_000);
    await expect(open(vault)).rejects.toMatchObject({
      ...unreachable,
      message: expect.stringMatching(/HTTP 403.*clock is 60 minutes ahead of the server's/),
    });
  });
});
