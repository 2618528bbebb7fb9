// Replacing a vault that nobody here can open: docs/formats.md section 6, "Take-over and loss".

import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { deriveKeys, formatTimestamp, judgeManifest, nextTimestamp, utf8 } from "@vsync/envelope";
import { type ObjectStore, openStore } from "@vsync/store";
import { describe, expect, it, onTestFinished } from "vitest";
import { startFakeS3 } from "../../../store/test/fake-s3.ts";
import { init } from "../../src/commands/init.ts";
import { pull } from "../../src/commands/pull.ts";
import { push } from "../../src/commands/push.ts";
import { loadEnvConfig } from "../../src/config/env-config.ts";
import { openKeystore } from "../../src/keys/keystore.ts";
import { type ContextOptions, makeWorkplace, type Workplace } from "../workplace.ts";

const PREFIX = "acme_shop/demo/";

/** A bucket with somebody else's manifest, and a machine that knows nothing of it. */
async function makeOccupied(
  body: string,
  metadata: Record<string, string>,
): Promise<{ place: Workplace; store: ObjectStore }> {
  const place = makeWorkplace();
  const location = { ...place.bucket, region: "", accessKeyId: "", secretAccessKey: "" };
  const store = await openStore(location, { createBucket: true });
  await store.put(`${PREFIX}manifest`, utf8(body), { metadata });
  return { place, store };
}

async function takeOver(body: string, metadata: Record<string, string>) {
  const world = await makeOccupied(body, metadata);
  await initOver(world.place);
  return world;
}

const initOver = (place: Workplace, options: ContextOptions = {}) =>
  init(place.context(options), { env: "demo", ...place.bucket, iterations: 100_000, takeOver: true });

async function currentOf({ place, store }: { place: Workplace; store: ObjectStore }) {
  const { host } = place.context();
  const { salt, iterations } = loadEnvConfig(host, "acme_shop", "demo")!.encryption;
  const passphrase = await (await openKeystore(host)).get("acme_shop/demo");
  const keys = await deriveKeys(passphrase!, salt, iterations);
  const verdict = await judgeManifest(keys, PREFIX, (await store.get(`${PREFIX}manifest`))!, Date.now());
  if (verdict.kind !== "verified") throw new Error(verdict.kind);
  return verdict.manifest;
}

const seal = "A".repeat(43);
const NEXT_MONTH = formatTimestamp(Date.now() + 30 * 86_400_000);

describe("a take-over", () => {
  it.each([
    ["goes on from a generation that may be one", { gen: "41", seal }, 42],
    ["goes on from one just below the limit", { gen: String(2 ** 40 - 2), seal }, 2 ** 40 - 1],
    ["begins anew after one that would leave no room", { gen: String(2 ** 40 - 1), seal }, 1],
    ["begins anew after one that is no number", { gen: "3abc", seal }, 1],
    ["begins anew where there is none", {}, 1],
  ])("%s", async (_, metadata, generation) => {
    const world = await takeOver("20200101-000000", metadata as Record<string, string>);
    expect(await currentOf(world)).toMatchObject({ generation });
  });

  const AFTER_NEXT_MONTH = new RegExp(`^${nextTimestamp(0, NEXT_MONTH)}$`);
  it.each([
    ["one of next month", NEXT_MONTH, NEXT_MONTH, AFTER_NEXT_MONTH],
    ["one with a line end behind it", `${NEXT_MONTH}\n`, NEXT_MONTH, AFTER_NEXT_MONTH],
    ["20991231-235959, which no clock is that wrong for", "20991231-235959", "", /^20[2-8]/],
    ["99991231-235959", "99991231-235959", "", /^20/],
    ["<html>", "<html>", "", /^20/],
  ])("is a later version than %s", async (_, body, previous, timestamp) => {
    const world = await takeOver(body, { gen: "1", seal });
    const current = await currentOf(world);
    expect(current.timestamp).toMatch(timestamp);
    const bundle = await world.store.head(`${PREFIX}v=${current.timestamp}`);
    expect(bundle?.metadata["prev-ts"] ?? "").toBe(previous);
  });

  it("carries over neither grace nor a rotation that nobody vouches for, and can be pushed to at once", async () => {
    const grace = `20200101-000000.1.${"0".repeat(64)}.20990101-000000.${seal}`;
    const world = await takeOver("20200101-000000", {
      gen: "7",
      seal,
      grace,
      "rotated-at": "2020-01-01T00:00:00Z",
    });
    const current = await currentOf(world);
    expect([current.grace, current.rotatedAt]).toEqual([undefined, undefined]);
    writeFileSync(join(world.place.root, "infra/vault/demo/.env.demo"), "A=1\n");
    expect(await push(world.place.context(), { env: "demo" })).toMatchObject({
      published: true,
      generation: 9,
    });
    const audit = new TextDecoder().decode((await world.store.get(`${PREFIX}audit.csv`))!.body);
    expect(audit).toMatch(/,take-over,.*\n.*,push,/);
  });

  it("publishes what the vault folder holds, which is then in step", async () => {
    const { place, store } = await makeOccupied("20200101-000000", { gen: "7", seal });
    mkdirSync(join(place.root, "infra/vault/demo"), { recursive: true });
    writeFileSync(join(place.root, "infra/vault/demo/.env.demo"), "A=mine\n");
    await initOver(place);
    expect(await push(place.context(), { env: "demo" })).toMatchObject({ published: false, generation: 8 });
    rmSync(join(place.root, "infra/vault/demo"), { recursive: true });
    await pull(place.context(), { env: "demo", force: true });
    expect(readFileSync(join(place.root, "infra/vault/demo/.env.demo"), "utf8")).toBe("A=mine\n");
    expect((await currentOf({ place, store })).generation).toBe(8);
  });

  it("that somebody else comes before leaves theirs, and this machine as it was", async () => {
    const { place, store } = await makeOccupied("20200101-000000", { gen: "7", seal });
    const manifest = join(place.folder, "bucket", PREFIX, "manifest");
    const before = readFileSync(manifest);
    await store.put(`${PREFIX}manifest`, utf8("20200101-000001"), { metadata: { gen: "8", seal } });
    const theirs = readFileSync(manifest);
    writeFileSync(manifest, before);
    const { host } = place.context();
    // The first randomness after the state folder is there is drawn for the bundle: the manifest has been read.
    const random = (size: number) => {
      if (existsSync(join(place.home, ".local/state/vsync/acme_shop/demo"))) writeFileSync(manifest, theirs);
      return host.random(size);
    };
    await expect(initOver(place, { host: { random } })).rejects.toMatchObject({ code: "CONFLICT" });
    expect(loadEnvConfig(host, "acme_shop", "demo")).toBeNull();
    expect(await (await openKeystore(host)).get("acme_shop/demo")).toBeNull();
    expect(readFileSync(manifest)).toEqual(theirs);
  });

  it("whose outcome the bucket did not tell is found out, not done twice, by the same command", async () => {
    const s3 = await startFakeS3();
    onTestFinished(() => s3.close());
    const { accessKeyId, secretAccessKey } = s3.credentials;
    const env = { AWS_ACCESS_KEY_ID: accessKeyId, AWS_SECRET_ACCESS_KEY: secretAccessKey };
    const input = { env: "demo", endpoint: s3.endpoint, bucket: s3.bucket, iterations: 100_000 };
    const theirs = makeWorkplace();
    await init(theirs.context({ env }), input);
    writeFileSync(join(theirs.root, "infra/vault/demo/.env.demo"), "A=theirs\n");
    await push(theirs.context({ env }), { env: "demo" });
    const place = makeWorkplace();
    writeFileSync(join(place.root, ".env.demo"), "A=ours\n");
    const takeOver = () => init(place.context({ env }), { ...input, takeOver: true, takeEnvFile: true });
    s3.inject({ method: "PUT", key: /manifest$/, times: 1, fault: { cut: "after" } });
    s3.inject({ method: "GET", key: /manifest$/, skip: 1, times: 3, fault: { answer: { status: 503 } } });
    await expect(takeOver()).rejects.toMatchObject({
      code: "OUTCOME_UNKNOWN",
      hint: expect.stringContaining("run the same command again"),
    });
    const key = await (await openKeystore(place.context().host)).get("acme_shop/demo");
    expect(await takeOver()).toMatchObject({ did: "take-over", prefix: PREFIX, tookEnvFile: ".env.demo" });
    expect(existsSync(join(place.root, ".env.demo"))).toBe(false);
    expect(await (await openKeystore(place.context().host)).get("acme_shop/demo")).toBe(key);
    expect(s3.objects.get(`${PREFIX}manifest`)?.metadata.gen).toBe("2");
    writeFileSync(join(place.root, "infra/vault/demo/.env.demo"), "A=mine\n");
    expect(await push(place.context({ env }), { env: "demo" })).toMatchObject({ generation: 3 });
  });
});
