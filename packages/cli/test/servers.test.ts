// Setting up on servers of several kinds: who does conditional writes, who says so, and who only seems to.

import { existsSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { decodeConfigBlob } from "@vsync/envelope";
import { describe, expect, onTestFinished, test } from "vitest";
import { type FakeS3, type FakeS3Options, startFakeS3 } from "../../store/test/fake-s3.ts";
import { diff } from "../src/commands/diff.ts";
import { type InitInput, type InitResult, init } from "../src/commands/init.ts";
import { pull } from "../src/commands/pull.ts";
import { push } from "../src/commands/push.ts";
import { rotatePassphrase } from "../src/commands/rotate-passphrase.ts";
import { runtimeToken } from "../src/commands/runtime-token.ts";
import { versions } from "../src/commands/versions.ts";
import { makeWorkplace, type Workplace } from "./workplace.ts";

async function start(options: FakeS3Options = {}): Promise<{ server: FakeS3; place: Workplace }> {
  const server = await startFakeS3(options);
  onTestFinished(() => server.close());
  return { server, place: makeWorkplace() };
}

async function setUp(
  { server, place }: { server: FakeS3; place: Workplace },
  input: Partial<InitInput> = {},
): Promise<InitResult> {
  const { endpoint, region, bucket, credentials } = server;
  const flags = { endpoint, region, bucket, accessKey: credentials.accessKeyId, secretKeyFile: "-" };
  const context = place.context({ stdin: credentials.secretAccessKey });
  return await init(context, { env: "demo", iterations: 100_000, ...flags, ...input });
}

const writeSecret = ({ root }: Workplace): void =>
  writeFileSync(join(root, "infra/vault/demo/.env.demo"), "A=1\n");

describe.each(["aws", "ceph16", "minio", "spaces"] as const)("%s", (profile) => {
  test("is found to do conditional writes, and keeps nothing of the probe", async () => {
    const at = await start({ profile });
    expect(await setUp(at)).toMatchObject({ conditionalWrites: true, singleWriter: false });
    expect([...at.server.objects.keys()]).toEqual([]);
  });
});

describe.each(["b2", "ignores-conditions"] as const)("%s", (profile) => {
  test("is UNSAFE_STORE, and leaves nothing behind on either side", async () => {
    const at = await start({ profile });
    await expect(setUp(at)).rejects.toMatchObject({
      code: "UNSAFE_STORE",
      hint: expect.stringContaining("--single-writer"),
    });
    expect([...at.server.objects.keys()]).toEqual([]);
    expect(readdirSync(at.place.root)).toEqual([".git"]);
    expect(existsSync(join(at.place.home, ".config"))).toBe(false);
  });

  test("can be used by a single writer who says so", async () => {
    const at = await start({ profile });
    expect(await setUp(at, { singleWriter: true })).toMatchObject({
      conditionalWrites: false,
      singleWriter: true,
    });
    writeSecret(at.place);
    expect(await push(at.place.context(), { env: "demo" })).toMatchObject({ published: true, generation: 1 });
  });

  test("finishes a rotation whose manifest got no answer", async () => {
    const { server, place } = await start({ profile });
    await setUp({ server, place }, { singleWriter: true });
    writeSecret(place);
    await push(place.context(), { env: "demo" });
    const manifest = "acme_shop/demo/manifest";
    // The third look is that for what became of the swap.
    server.inject({ method: "PUT", key: manifest, times: 3, fault: { cut: "before" } });
    server.inject({ method: "GET", key: manifest, skip: 2, times: 3, fault: { cut: "before" } });
    await expect(rotatePassphrase(place.context(), { env: "demo" })).rejects.toMatchObject({
      code: "OUTCOME_UNKNOWN",
    });
    const before = server.requests.length;
    const next = place.context();
    expect(await versions(next, { env: "demo" })).toMatchObject({
      versions: [{ generation: 2 }, { generation: 1 }],
    });
    expect(next.said().err).toBe("an interrupted rotation of demo's passphrase was finished\n");
    const swap = server.requests
      .slice(before)
      .find(({ method, key }) => method === "PUT" && key === manifest);
    expect(Object.keys(swap!.headers).filter((name) => name.startsWith("if-"))).toEqual([]);
  });
});

test("a key that may not list a missing manifest is ACCESS_DENIED with a hint about listing", async () => {
  await expect(setUp(await start({ mayList: false }))).rejects.toMatchObject({
    code: "ACCESS_DENIED",
    hint: expect.stringMatching(/list/i),
  });
});

test("a key that may look and write but not list sets up all the same", async () => {
  const at = await start();
  const listing = { method: "GET", key: "", times: 10, fault: { answer: { status: 403 } } } as const;
  at.server.inject(listing);
  expect(await setUp(at)).toMatchObject({ conditionalWrites: true });
});

test("a key that may not write is ACCESS_DENIED", async () => {
  const at = await start();
  const { accessKeyId, secretAccessKey } = at.server.readOnlyCredentials;
  const context = at.place.context({ stdin: secretAccessKey });
  const { endpoint, region, bucket } = at.server;
  const input = { env: "demo", endpoint, region, bucket, accessKey: accessKeyId, secretKeyFile: "-" };
  await expect(init(context, input)).rejects.toMatchObject({ code: "ACCESS_DENIED" });
  expect(readdirSync(at.place.root)).toEqual([".git"]);
});

test("a bucket that is not there says so", async () => {
  await expect(setUp(await start(), { bucket: "another-bucket" })).rejects.toMatchObject({
    code: "BUCKET_MISSING",
  });
});

test("a probe that cannot be removed is a warning, and the environment is set up", async () => {
  const { server, place } = await start();
  server.inject({ method: "DELETE", times: 10, fault: { answer: { status: 403 } } });
  const { endpoint, region, bucket, credentials } = server;
  const context = place.context({ stdin: credentials.secretAccessKey });
  const flags = { endpoint, region, bucket, accessKey: credentials.accessKeyId, secretKeyFile: "-" };
  await init(context, { env: "demo", iterations: 100_000, ...flags });
  expect(context.said().err).toMatch(
    /^warning: the probe object acme_shop\/demo\/probe-[0-9a-f]{16} could not be removed/,
  );
});

test("a read-only key makes a token that holds it and not ours", async () => {
  const at = await start();
  await setUp(at);
  writeSecret(at.place);
  await push(at.place.context(), { env: "demo" });
  const { accessKeyId, secretAccessKey } = at.server.readOnlyCredentials;
  const context = at.place.context({ stdin: secretAccessKey });
  const { config } = await runtimeToken(context, { env: "demo", accessKey: accessKeyId, secretKeyFile: "-" });
  expect(await decodeConfigBlob(config)).toMatchObject({ accessKeyId, secretAccessKey, minGen: 1 });
});

test("while a server refuses to say what became of a push, commands that only read go on, and others do not", async () => {
  const { server, place } = await start();
  await setUp({ server, place });
  writeSecret(place);
  await push(place.context(), { env: "demo" });
  writeFileSync(join(place.root, "infra/vault/demo/.env.demo"), "A=2\n");
  server.inject({
    method: "PUT",
    key: "acme_shop/demo/manifest",
    times: 1_000,
    fault: { answer: { status: 500 } },
  });
  const unknown = { code: "OUTCOME_UNKNOWN" };
  await expect(push(place.context(), { env: "demo" })).rejects.toMatchObject(unknown);
  const [listing, comparing] = [place.context(), place.context()];
  expect((await versions(listing, { env: "demo" })).versions).toHaveLength(1);
  const { scalars } = await diff(comparing, { env: "demo", remote: true });
  expect(scalars.changed).toEqual(["A"]);
  for (const { said } of [listing, comparing])
    expect(said().err).toMatch(
      /does not say whether version \d{8}-\d{6} of demo was published; this is what it has now/,
    );
  await expect(pull(place.context(), { env: "demo" })).rejects.toMatchObject(unknown);
  expect(existsSync(join(place.home, ".local/state/vsync/acme_shop/demo/pending.json"))).toBe(true);
});
