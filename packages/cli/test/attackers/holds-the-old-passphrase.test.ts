// Somebody who can write the bucket and still has the passphrase of before a rotation: gets nowhere with those who have the
// new one, and gets through to those who still have the old one. docs/threat-model.md says both.

import { readFileSync } from "node:fs";
import {
  bundleDigest,
  decodeConfigBlob,
  deriveKeys,
  sealBundle,
  sealGrace,
  sealManifest,
  type VaultKeys,
} from "@vsync/envelope";
import { beforeAll, beforeEach, describe, expect, test } from "vitest";
import { describeWithS3 } from "../../../../test/s3-suite.ts";
import { pull } from "../../src/commands/pull.ts";
import { push } from "../../src/commands/push.ts";
import { rotatePassphrase } from "../../src/commands/rotate-passphrase.ts";
import { edit, makeVictims, openAs, outcomeOf, PROD, type Victims } from "./victims.ts";

const MANIFEST = `${PROD}manifest`;
const FORGED = "20990101-000000";
let victims: Victims;
let oldKeys: VaultKeys;
let newPassphrase: string;

const withOld = () => victims.place.context({ env: { VSYNC_PASSPHRASE: victims.passphrase } });
const pullWith = (context: ReturnType<typeof withOld>) =>
  outcomeOf(async () => `generation ${(await pull(context, { env: "prod", force: true })).generation}`);

/** Puts a bundle of the attacker's own into the bucket, under the old passphrase. */
async function placeForged(): Promise<string> {
  const files = new Map([[".env.prod", { bytes: Buffer.from("VALUE='forged'\n"), executable: false }]]);
  const { bytes } = await sealBundle(oldKeys, FORGED, files);
  await victims.bucket.put(`${PROD}v=${FORGED}`, bytes, { metadata: { gen: "9" } });
  return await bundleDigest(bytes);
}

async function sealAnew(): Promise<void> {
  const sha256 = await placeForged();
  const manifest = { timestamp: FORGED, generation: 9, sha256, writeId: "1".repeat(32) };
  const { body, metadata } = await sealManifest(oldKeys, victims.prefix, manifest);
  await victims.bucket.put(MANIFEST, body, { metadata });
}

async function spliceGrace(): Promise<void> {
  const grace = { timestamp: FORGED, generation: 9, sha256: await placeForged(), until: "99991231-235959" };
  const { body, metadata } = (await victims.bucket.get(MANIFEST))!;
  await victims.bucket.put(MANIFEST, body, {
    metadata: { ...metadata, grace: await sealGrace(oldKeys, victims.prefix, grace) },
  });
}

describe("in a folder bucket", () => testWithOldPassphrase(makeVictims));
describeWithS3("on S3", (s3) => testWithOldPassphrase(() => makeVictims(s3)));

function testWithOldPassphrase(make: () => Promise<Victims>): void {
  beforeAll(async () => {
    victims = await make();
    const { salt, iterations } = await decodeConfigBlob(victims.token);
    oldKeys = await deriveKeys(victims.passphrase, salt, iterations);
  });

  beforeEach(async () => {
    await victims.reset();
    const { place } = victims;
    await rotatePassphrase(place.context(), { env: "prod" });
    newPassphrase = readFileSync(`${place.home}/keystore/acme_shop%2Fprod`, "utf8").trim();
  });

  describe("with vsync itself", () => {
    test.each([{ force: false }, { force: true }, { recreate: true }])(
      "a push with %o replaces nothing",
      async (flags) => {
        const before = await victims.bucket.get(MANIFEST);
        edit(victims.place, "prod", "forged");
        const failure = await push(withOld(), { env: "prod", ...flags }).catch((error) => error);
        expect(failure).toMatchObject({
          code: "WRONG_PASSPHRASE",
          message: expect.stringMatching(/rotated at 20\S+ by \S+/),
          hint: expect.stringContaining("vsync share import"),
        });
        expect(await victims.bucket.get(MANIFEST)).toMatchObject({
          etag: before?.etag,
          metadata: before?.metadata,
        });
      },
    );
  });

  describe.each([
    ["a manifest sealed anew under the old passphrase", sealAnew],
    ["a grace of the old passphrase, spliced into the new manifest", spliceGrace],
  ])("%s", (_, attack) => {
    test("is refused by whoever has the new passphrase, application or writer", async () => {
      await attack();
      expect(await openAs(victims.token, newPassphrase)).toBe("VSYNC_WRONG_PASSPHRASE");
      expect(await pullWith(victims.place.context())).toBe("WRONG_PASSPHRASE");
    });

    test("goes unseen by an application that still has the old one: the attacker's values are what it runs with", async () => {
      expect(await openAs(victims.token, victims.passphrase)).toBe("VSYNC_WRONG_PASSPHRASE");
      await attack();
      expect(await openAs(victims.token, victims.passphrase)).toBe("forged, generation 9");
    });
  });

  test("a writer who still has the old passphrase is not fooled by a grace, and is by a seal: they share a key", async () => {
    await spliceGrace();
    expect(await pullWith(withOld())).toBe("WRONG_PASSPHRASE");
    await sealAnew();
    expect(await pullWith(withOld())).toBe("generation 9");
  });

  test("the manifest of before the rotation, put back, is refused under the new passphrase", async () => {
    const { body, metadata } = victims.states.at(-1)!.get(MANIFEST)!;
    await victims.bucket.put(MANIFEST, body, { metadata });
    expect(await openAs(victims.token, newPassphrase)).toBe("VSYNC_WRONG_PASSPHRASE");
    expect(await pullWith(victims.place.context())).toBe("WRONG_PASSPHRASE");
  });
}
