import { once } from "node:events";
import {
  chmodSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  unlinkSync,
  writeFileSync,
} from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { decodeConfigBlob, deriveKeys, sealBundle, utf8, type VaultConfig } from "@vsync/envelope";
import { openStore } from "@vsync/store";
import { describe, expect, onTestFinished, test } from "vitest";
import { describeWithS3 } from "../../../test/s3-suite.ts";
import { init } from "../src/commands/init.ts";
import { push } from "../src/commands/push.ts";
import { describeRuntimeToken, type RuntimeTokenInput, runtimeToken } from "../src/commands/runtime-token.ts";
import { type EnvConfig, requireEnvConfig, saveEnvConfig } from "../src/config/env-config.ts";
import { openKeystore } from "../src/keys/keystore.ts";
import { type ContextOptions, makeWorkplace, type Workplace } from "./workplace.ts";

const configOf = (place: Workplace): EnvConfig => requireEnvConfig(place.context().host, "acme_shop", "demo");
const keyOf = async (place: Workplace): Promise<string> =>
  (await (await openKeystore(place.context().host)).get("acme_shop/demo")) as string;

async function initialised(): Promise<Workplace> {
  const place = makeWorkplace();
  await init(place.context(), { env: "demo", ...place.bucket, iterations: 100_000 });
  return place;
}

async function pushed(times = 1): Promise<Workplace> {
  const place = await initialised();
  for (let time = 1; time <= times; time++) {
    writeFileSync(join(place.root, "infra/vault/demo/.env.demo"), `A=${time}\n`);
    await push(place.context(), { env: "demo" });
  }
  return place;
}

async function mint(
  place: Workplace,
  input: Partial<Omit<RuntimeTokenInput, "out">> = {},
  options: ContextOptions = {},
): Promise<{ token: VaultConfig; err: string; out: string | undefined }> {
  const context = place.context(options);
  const result = await runtimeToken(context, { env: "demo", ...input });
  const token = await decodeConfigBlob(result.config);
  return { token, err: context.said().err, out: describeRuntimeToken(result).out };
}

/** Points the environment at another endpoint, as if the bucket had moved there. */
function moveTo(place: Workplace, endpoint: string): void {
  const config = configOf(place);
  const s3 = {
    ...config.s3,
    endpoint,
    region: "us-east-1",
    bucket: "bucket",
    accessKeyId: "own",
    secretAccessKey: "canary-own",
  };
  saveEnvConfig(place.context().host, "acme_shop", "demo", { ...config, s3 });
}

/** A server that answers every request with `status`, and tells who asked for what. */
async function listen(status: number): Promise<{ endpoint: string; requests: string[] }> {
  const requests: string[] = [];
  const server = createServer((request, response) => {
    const key = /Credential=([^/]+)\//.exec(request.headers.authorization ?? "")?.[1];
    requests.push(`${request.method} ${request.url?.replace(/\?.*/, "")} ${key}`);
    response
      .writeHead(status)
      .end(`<Error><Code>${status === 404 ? "NoSuchKey" : "AccessDenied"}</Code></Error>`);
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  onTestFinished(() => void server.close());
  return { endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, requests };
}

test("a token holds the place, the key's parameters and the generation that was verified", async () => {
  const place = await pushed(3);
  const { encryption, s3 } = configOf(place);
  const { token, err } = await mint(place);
  expect(token).toEqual({
    endpoint: s3.endpoint,
    region: "",
    bucket: "bucket",
    accessKeyId: "",
    secretAccessKey: "",
    prefix: "acme_shop/demo/",
    env: "demo",
    ...encryption,
    minGen: 3,
  });
  expect(err).toBe("");
});

test("a token never holds the passphrase", async () => {
  const place = await pushed();
  const { token, out, err } = await mint(place);
  const key = await keyOf(place);
  for (const text of [JSON.stringify(token), out, err]) expect(text).not.toContain(key);
});

test("before the first push minGen is 0, and a warning says that nothing is there", async () => {
  const { token, err } = await mint(await initialised());
  expect(token.minGen).toBe(0);
  expect(err).toMatch(/^warning: nothing has been pushed yet.*vsync push demo\n$/);
});

test("when the manifest was deleted minGen is what was seen before", async () => {
  const place = await pushed(2);
  unlinkSync(join(place.folder, "bucket/acme_shop/demo/manifest"));
  expect((await mint(place)).token.minGen).toBe(2);
});

test("for a vault without a seal minGen is left out, with a warning", async () => {
  const place = await initialised();
  const { encryption, prefix } = configOf(place);
  const keys = await deriveKeys(await keyOf(place), encryption.salt, encryption.iterations);
  const { bytes } = await sealBundle(keys, "20260101-000000", new Map());
  const store = await openStore({ ...place.bucket, region: "", accessKeyId: "", secretAccessKey: "" });
  await store.put(`${prefix}v=20260101-000000`, bytes);
  await store.put(`${prefix}manifest`, utf8("20260101-000000"));
  const { token, err } = await mint(place);
  expect(token).not.toHaveProperty("minGen");
  expect(err).toMatch(/^warning: this vault has no seal/);
});

test("a manifest that this passphrase did not seal makes no token", async () => {
  const place = await pushed();
  const { host } = place.context();
  await (await openKeystore(host)).set("acme_shop/demo", "another passphrase entirely");
  await expect(mint(place)).rejects.toMatchObject({ code: "WRONG_PASSPHRASE" });
});

test("an older state of the bucket than was seen makes no token", async () => {
  const place = await pushed();
  const manifest = join(place.folder, "bucket/acme_shop/demo/manifest");
  const old = readFileSync(manifest);
  writeFileSync(join(place.root, "infra/vault/demo/.env.demo"), "A=new\n");
  await push(place.context(), { env: "demo" });
  writeFileSync(manifest, old);
  await expect(mint(place)).rejects.toMatchObject({ code: "ROLLBACK" });
});

describe("the application's own key", () => {
  test("is in the token instead of this machine's, and is the one that is tried", async () => {
    const place = await initialised();
    const { endpoint, requests } = await listen(404);
    moveTo(place, endpoint);
    const { token } = await mint(
      place,
      { accessKey: "reader", secretKeyFile: "-", audit: false },
      { stdin: "reader-secret\n" },
    );
    expect(token).toMatchObject({ accessKeyId: "reader", secretAccessKey: "reader-secret" });
    expect(requests).toEqual([
      "HEAD /bucket/acme_shop/demo/manifest reader",
      "GET /bucket/acme_shop/demo/manifest own",
    ]);
  });

  test.each<[string, Partial<RuntimeTokenInput>]>([
    ["an id without a secret", { accessKey: "reader" }],
    ["a secret without an id", { secretKeyFile: "-" }],
  ])("%s is refused", async (_, input) => {
    await expect(mint(await initialised(), input, { stdin: "x" })).rejects.toMatchObject({ code: "USAGE" });
  });
});

describe("credentials that do not work", () => {
  test("are ACCESS_DENIED after one HEAD, and a GET that asks why", async () => {
    const place = await initialised();
    const { endpoint, requests } = await listen(403);
    moveTo(place, endpoint);
    const failure: Error = await mint(place).catch((error) => error);
    expect(failure).toMatchObject({ code: "ACCESS_DENIED" });
    expect(requests).toEqual([
      "HEAD /bucket/acme_shop/demo/manifest own",
      "GET /bucket/acme_shop/demo/manifest own",
    ]);
    expect(`${failure.message}${failure.stack}`).not.toContain("canary");
  });

  test("and a server that is not there are told apart: UNREACHABLE", async () => {
    const place = await initialised();
    moveTo(place, "http://127.0.0.1:9");
    await expect(mint(place)).rejects.toMatchObject({ code: "UNREACHABLE" });
  });

  test("are not tried with --no-validate", async () => {
    const place = await pushed(2);
    moveTo(place, "http://127.0.0.1:9");
    const { token, err } = await mint(place, { validate: false });
    expect(token).toMatchObject({ accessKeyId: "own", secretAccessKey: "canary-own", minGen: 2 });
    expect(err).toBe("");
  });
});

describeWithS3("on the S3 server", ({ location, prefix }) => {
  const onServer = async (): Promise<Workplace> => {
    const place = makeWorkplace();
    const { endpoint, region, bucket, accessKeyId, secretAccessKey } = location;
    const input = {
      env: "demo",
      endpoint,
      region,
      bucket,
      prefix: `${prefix}${readdirSync(place.folder).length}${Date.now()}`,
      iterations: 100_000,
    };
    await init(place.context({ stdin: secretAccessKey }), {
      ...input,
      accessKey: accessKeyId,
      secretKeyFile: "-",
    });
    return place;
  };

  test("a token is made of credentials that have been tried", async () => {
    const place = await onServer();
    writeFileSync(join(place.root, "infra/vault/demo/.env.demo"), "A=1\n");
    await push(place.context(), { env: "demo" });
    expect((await mint(place)).token).toMatchObject({ ...location, minGen: 1 });
  });

  test("a key that the server does not know is ACCESS_DENIED", async () => {
    const place = await onServer();
    const input = { accessKey: "nobody", secretKeyFile: "-" };
    const failure: Error = await mint(place, input, { stdin: "canary-secret" }).catch((error) => error);
    expect(failure).toMatchObject({ code: "ACCESS_DENIED" });
    expect(`${failure.message}${failure.stack}`).not.toContain("canary");
  });
});

describe("--format", () => {
  test.each<[RuntimeTokenInput["format"], RegExp]>([
    ["env", /^VSYNC_CONFIG=BLOB$/],
    ["github", /^VSYNC_CONFIG=BLOB$/],
    ["systemd", /^\[Service\]\nEnvironment="VSYNC_CONFIG=BLOB"$/],
    ["compose", /^services:\n {2}app:\n {4}environment:\n {6}VSYNC_CONFIG: "BLOB"$/],
    [
      "k8s",
      /^apiVersion: v1\nkind: Secret\nmetadata:\n {2}name: vsync-acme-shop-demo\ntype: Opaque\nstringData:\n {2}VSYNC_CONFIG: "BLOB"$/,
    ],
  ])("%s", async (format, expected) => {
    const { out } = await mint(await initialised(), { ...(format && { format }) });
    expect(out?.replace(/vsync-cfg-v1:[A-Za-z0-9_-]+/, "BLOB")).toMatch(expected);
  });
});

describe("--out", () => {
  const at = (place: Workplace): string => join(place.folder, "config");
  const write = async (place: Workplace, input: Partial<RuntimeTokenInput> = {}, options?: ContextOptions) =>
    await runtimeToken(place.context(options), { env: "demo", out: at(place), ...input });
  const tokenIn = async (place: Workplace): Promise<VaultConfig> =>
    await decodeConfigBlob(readFileSync(at(place), "utf8").trim());

  test("writes the token to a file of mode 0600, and the result holds no secret", async () => {
    const place = await pushed();
    const result = await write(place);
    expect(result).toEqual({ out: at(place), minGen: 1, validated: true, dryRun: false });
    expect((await tokenIn(place)).minGen).toBe(1);
    expect(statSync(at(place)).mode & 0o777).toBe(0o600);
    expect(describeRuntimeToken(result)).toEqual({ notes: [expect.stringContaining(at(place))] });
  });

  test("leaves the token that is there as it is when the command fails", async () => {
    const place = await pushed();
    await write(place);
    const before = readFileSync(at(place), "utf8");
    const typo = { accessKey: "reader", secretKeyFile: join(place.folder, "typo") };
    await expect(write(place, typo)).rejects.toMatchObject({ code: "INPUT" });
    moveTo(place, (await listen(403)).endpoint);
    await expect(write(place)).rejects.toMatchObject({ code: "ACCESS_DENIED" });
    expect(readFileSync(at(place), "utf8")).toBe(before);
  });

  test.each<RuntimeTokenInput["format"]>([undefined, "env", "github", "systemd", "compose", "k8s"])(
    "replaces an earlier token of format %s, which others could read",
    async (format) => {
      const place = await pushed();
      const input = format === undefined ? {} : { format };
      await write(place, input);
      writeFileSync(join(place.root, "infra/vault/demo/.env.demo"), "A=new\n");
      await push(place.context(), { env: "demo" });
      const { out } = await mint(place, input);
      chmodSync(at(place), 0o644);
      await write(place, input);
      expect(readFileSync(at(place), "utf8")).toBe(`${out}\n`);
      expect(statSync(at(place)).mode & 0o777).toBe(0o600);
    },
  );

  test.each<[string, (place: Workplace) => void]>([
    ["something else", (place) => writeFileSync(at(place), "A=1\n")],
    ["a token in another format", (place) => writeFileSync(at(place), "VSYNC_CONFIG=vsync-cfg-v1:old\n")],
    ["a token among other things", (place) => writeFileSync(at(place), "vsync-cfg-v1:old\nA=1\n")],
    ["nothing", (place) => writeFileSync(at(place), "")],
    ["a link", (place) => symlinkSync("nowhere", at(place))],
  ])("refuses a file that holds %s", async (_, put) => {
    const place = await pushed();
    put(place);
    await expect(write(place)).rejects.toMatchObject({
      code: "INPUT",
      message: expect.stringMatching(/exists already/),
    });
    expect(readdirSync(place.folder)).toContain("config");
    expect(readFileSync(join(place.folder, "bucket/acme_shop/demo/audit.csv"), "utf8")).not.toContain(
      "runtime-token",
    );
  });

  test("writes nothing with --dry-run", async () => {
    const place = await pushed();
    expect(await write(place, {}, { flags: { dryRun: true } })).toMatchObject({ dryRun: true });
    expect(readdirSync(place.folder)).not.toContain("config");
  });

  test("warns of a file that git would take along", async () => {
    const place = await pushed();
    const context = place.context();
    await runtimeToken(context, { env: "demo", out: join(place.root, "config") });
    expect(context.said().err).toMatch(/^warning: git does not ignore .*config/);
  });
});

describe("the audit log", () => {
  const rows = (place: Workplace): string => {
    const file = readFileSync(join(place.folder, "bucket/acme_shop/demo/audit.csv"), "utf8");
    return file.slice(file.indexOf("\n") + 1);
  };

  test("has a row for the token, with the note", async () => {
    const place = await pushed();
    await mint(place, { note: "for the api" });
    expect(rows(place)).toMatch(/,runtime-token,\d{8}-\d{6},1,.*for the api/);
  });

  test("has none with --no-audit, --no-validate or --dry-run", async () => {
    const place = await pushed();
    await mint(place, { audit: false });
    await mint(place, { validate: false });
    await mint(place, {}, { flags: { dryRun: true } });
    expect(rows(place)).not.toContain("runtime-token");
  });
});
