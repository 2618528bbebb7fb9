import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openWith } from "@muthuishere/vsync-s3-client";
import { decodeConfigBlob, decodeShare } from "@vsync/envelope";
import { describe, expect, onTestFinished, test, vi } from "vitest";
import { type FakeS3, type FakeS3Options, startFakeS3 } from "../../store/test/fake-s3.ts";
import { type InitInput, init } from "../src/commands/init.ts";
import { pull } from "../src/commands/pull.ts";
import { push } from "../src/commands/push.ts";
import { run } from "../src/commands/run.ts";
import { runtimeToken } from "../src/commands/runtime-token.ts";
import { set } from "../src/commands/set.ts";
import { shareExport } from "../src/commands/share-export.ts";
import { loadEnvConfig } from "../src/config/env-config.ts";
import { openKeystore } from "../src/keys/keystore.ts";
import { chooseBucket } from "../src/setup/location.ts";
import { regionFlags } from "../src/vault/bucket.ts";
import { type ContextOptions, makeWorkplace, type Workplace } from "./workplace.ts";

const env = "demo";
const TOKEN = "temporary/token==";

interface Place extends Workplace {
  readonly fake: FakeS3;
  /** What a CI system hands over. */
  readonly handed: ContextOptions;
}

async function makePlace(options: FakeS3Options = { sessionToken: TOKEN }): Promise<Place> {
  const fake = await startFakeS3(options);
  onTestFinished(() => fake.close());
  const { accessKeyId, secretAccessKey } = fake.credentials;
  const handed = {
    env: {
      AWS_ACCESS_KEY_ID: accessKeyId,
      AWS_SECRET_ACCESS_KEY: secretAccessKey,
      AWS_SESSION_TOKEN: TOKEN,
    },
  };
  return { ...makeWorkplace(), fake, handed };
}

const setUp = (place: Place, input: Partial<InitInput> = {}, options: ContextOptions = place.handed) =>
  init(place.context(options), {
    env,
    endpoint: place.fake.endpoint,
    bucket: place.fake.bucket,
    region: place.fake.region,
    iterations: 100_000,
    ...input,
  });
const configOf = (place: Place) => loadEnvConfig(place.context().host, "acme_shop", env);

/** An AWS configuration for the SDK, which reads the process's own environment. */
function configureAws(text: string): void {
  const folder = mkdtempSync(join(tmpdir(), "vsync-aws-"));
  writeFileSync(join(folder, "config"), text);
  const variables = { AWS_CONFIG_FILE: "config", AWS_SHARED_CREDENTIALS_FILE: "none" };
  for (const [name, file] of Object.entries(variables)) vi.stubEnv(name, join(folder, file));
  onTestFinished(() => {
    vi.unstubAllEnvs();
    rmSync(folder, { recursive: true });
  });
}

describe("an environment with an AWS profile", () => {
  test("keeps its name and no key, and works with what it gives at each run", async () => {
    const place = await makePlace();
    const answer = join(place.folder, "answer.json");
    configureAws(`[profile team]\ncredential_process = cat ${answer}\n`);
    const { accessKeyId, secretAccessKey } = place.fake.credentials;
    const keys = { AccessKeyId: accessKeyId, SecretAccessKey: secretAccessKey, SessionToken: TOKEN };
    writeFileSync(answer, JSON.stringify({ Version: 1, ...keys }));
    await setUp(place, { awsProfile: "team" }, {});
    expect(configOf(place)?.s3).toMatchObject({ awsProfile: "team", accessKeyId: "", secretAccessKey: "" });
    await set(place.context({ stdin: "one" }), { env, name: "VALUE", source: "-" });
    expect(await push(place.context(), { env })).toMatchObject({ generation: 1 });
    writeFileSync(answer, JSON.stringify({ Version: 1, ...keys, SessionToken: "of yesterday" }));
    await expect(pull(place.context(), { env })).rejects.toMatchObject({ code: "ACCESS_DENIED" });
    rmSync(answer);
    await expect(pull(place.context(), { env })).rejects.toMatchObject({
      code: "ACCESS_DENIED",
      hint: "see what the profile gives: aws sts get-caller-identity --profile team",
    });
  });

  test("takes temporary credentials from the environment, as CI hands them over", async () => {
    const place = await makePlace();
    await setUp(place, { awsProfile: "default" });
    await set(place.context({ stdin: "one" }), { env, name: "VALUE", source: "-" });
    expect(await push(place.context(place.handed), { env })).toMatchObject({ generation: 1 });
    expect(JSON.stringify(configOf(place))).not.toContain(TOKEN);
  });

  test("changes to a key and back by --edit", async () => {
    const place = await makePlace({});
    const key = { accessKey: place.fake.credentials.accessKeyId, secretKeyFile: "-" };
    const stdin = place.fake.credentials.secretAccessKey;
    await setUp(place, key, { stdin });
    const edit = { edit: true, iterations: undefined } as unknown as Partial<InitInput>;
    configureAws(
      `[profile team]\naws_access_key_id = ${key.accessKey}\naws_secret_access_key = ${stdin}\nregion = x\n`,
    );
    await setUp(place, { ...edit, awsProfile: "team" }, {});
    expect(configOf(place)?.s3).toMatchObject({ awsProfile: "team", accessKeyId: "" });
    await setUp(place, edit, {});
    expect(configOf(place)?.s3).toMatchObject({ awsProfile: "team" });
    await setUp(place, { ...edit, ...key }, { stdin });
    expect(configOf(place)?.s3).toMatchObject({ accessKeyId: key.accessKey });
    expect(configOf(place)?.s3.awsProfile).toBeUndefined();
  });

  test("is refused together with a key, or by a name that no profile has", async () => {
    const place = await makePlace();
    const both = { awsProfile: "team", accessKey: "AKIA" };
    await expect(setUp(place, both)).rejects.toMatchObject({ code: "USAGE" });
    await expect(setUp(place, { awsProfile: "--x" })).rejects.toMatchObject({ code: "INPUT" });
    expect(configOf(place)).toBeNull();
  });

  test("is the answer to temporary credentials at init", async () => {
    const place = await makePlace();
    await expect(setUp(place)).rejects.toMatchObject({
      code: "INPUT",
      hint: expect.stringContaining("--aws-profile <name>"),
    });
  });

  test("has Amazon's endpoint in its region, unless another is given", async () => {
    configureAws("[profile team]\nregion = eu-central-1\n[profile china]\nregion = cn-north-1\n");
    const context = makeWorkplace().context();
    const choose = (input: object) => chooseBucket(context, { bucket: "b", ...input }, null);
    expect(await choose({ awsProfile: "team" })).toEqual({
      endpoint: "https://s3.eu-central-1.amazonaws.com",
      region: "eu-central-1",
      bucket: "b",
      accessKeyId: "",
      secretAccessKey: "",
      awsProfile: "team",
    });
    expect(await choose({ awsProfile: "china" })).toMatchObject({
      endpoint: "https://s3.cn-north-1.amazonaws.com.cn",
    });
    expect(await choose({ awsProfile: "team", region: "us-west-2" })).toMatchObject({ region: "us-west-2" });
    const elsewhere = { awsProfile: "team", endpoint: "https://minio.example.com" };
    expect(await choose(elsewhere)).toMatchObject({ region: "eu-central-1" });
    await expect(choose({ awsProfile: "nowhere" })).rejects.toMatchObject({ code: "INPUT" });
  });
});

describe("what leaves an environment with an AWS profile", () => {
  async function published(): Promise<Place> {
    const place = await makePlace();
    await setUp(place, { awsProfile: "default" });
    await set(place.context({ stdin: "one" }), { env, name: "VALUE", source: "-" });
    await push(place.context(place.handed), { env });
    return place;
  }

  test("a token does not hold temporary credentials unless that is said", async () => {
    const place = await published();
    const mint = (input: object, options: ContextOptions = place.handed) => {
      const context = place.context(options);
      return runtimeToken(context, { env, ...input }).then(({ config }) => ({
        config,
        err: context.said().err,
      }));
    };
    await expect(mint({})).rejects.toMatchObject({
      code: "INPUT",
      hint: expect.stringMatching(/^vsync runtime-token demo --access-key .*--temporary/),
    });
    const temporary = await mint({ temporary: true });
    expect(temporary.err).toContain("warning: the token holds temporary credentials: they expire");
    const passphrase = await (await openKeystore(place.context().host)).get("acme_shop/demo");
    const vault = await openWith({ config: temporary.config, passphrase: passphrase as string });
    expect(vault.getEnv("VALUE")).toBe("one");
    const { accessKeyId, secretAccessKey } = place.fake.readOnlyCredentials;
    const own = await mint(
      { accessKey: accessKeyId, secretKeyFile: "-" },
      { ...place.handed, stdin: secretAccessKey },
    );
    expect(await decodeConfigBlob(own.config)).toMatchObject({ accessKeyId });
    expect(await decodeConfigBlob(own.config)).not.toHaveProperty("sessionToken");
  });

  test("run --remote reads with them, and does not pass them on", async () => {
    const place = await published();
    const out = join(place.folder, "environment");
    const command = ["sh", "-c", `env > ${out}`];
    expect(await run(place.context(place.handed), { env, command, remote: true })).toEqual({ status: 0 });
    const seen = readFileSync(out, "utf8");
    expect(seen).toContain("VALUE=one");
    expect(seen).not.toMatch(/^AWS_/m);
  });

  test("a share has the profile's name, or the teammate's own key in its place", async () => {
    const place = await published();
    const words = join(place.folder, "words");
    writeFileSync(words, "correct horse battery staple\n", { mode: 0o600 });
    const share = async (input: object, stdin = "") => {
      const out = join(place.folder, `${Object.keys(input).length}.share`);
      await shareExport(place.context({ ...place.handed, stdin }), {
        env,
        out,
        passphraseFile: words,
        ...input,
      });
      const { config } = await decodeShare("correct horse battery staple", readFileSync(out));
      return (config as { s3: object }).s3;
    };
    expect(await share({})).toMatchObject({ awsProfile: "default", accessKeyId: "", secretAccessKey: "" });
    const own = await share({ accessKey: "AKIATEAM", secretKeyFile: "-" }, "team-secret");
    expect(own).toMatchObject({ accessKeyId: "AKIATEAM", secretAccessKey: "team-secret" });
    expect(own).not.toHaveProperty("awsProfile");
  });
});

describe("a wrong region", () => {
  test.each(["aws", "minio"] as const)("is answered with what to run (%s)", async (profile) => {
    const place = await makePlace({ region: "eu-west-3", profile });
    const key = { accessKey: place.fake.credentials.accessKeyId, secretKeyFile: "-" };
    const stdin = place.fake.credentials.secretAccessKey;
    await expect(setUp(place, { ...key, region: "us-east-1" }, { stdin })).rejects.toMatchObject({
      code: "REJECTED",
      hint: "the bucket is in eu-west-3; the same command with: --region eu-west-3",
    });
    await setUp(place, key, { stdin });
    await set(place.context({ stdin: "one" }), { env, name: "VALUE", source: "-" });
    await push(place.context(), { env });
    await moveBucket(place);
    const hint = "the bucket is in eu-west-3: vsync init demo --edit --region eu-west-3";
    await expect(pull(place.context(), { env })).rejects.toMatchObject({ code: "REJECTED", hint });
    await expect(push(place.context(), { env })).rejects.toMatchObject({ code: "REJECTED", hint });
    await init(place.context(), { env, edit: true, region: "eu-west-3" });
    expect(await pull(place.context(), { env })).toMatchObject({ env });
  });

  test("changes the endpoint too, where that names one", () => {
    const flags = (endpoint: string, region = "us-east-1") => regionFlags({ endpoint, region }, "eu-west-3");
    const amazon = "--region eu-west-3 --endpoint https://s3.eu-west-3.amazonaws.com";
    expect(flags("https://s3.us-east-1.amazonaws.com")).toBe(amazon);
    expect(flags("https://s3-us-east-1.amazonaws.com")).toBe(amazon);
    expect(flags("https://s3.dualstack.us-east-1.amazonaws.com")).toBe(amazon);
    expect(flags("https://s3.amazonaws.com")).toBe(amazon);
    expect(flags("https://s3.eu-west-3.amazonaws.com")).toBe("--region eu-west-3");
    expect(flags("https://s3.cn-north-1.amazonaws.com.cn")).toContain("s3.eu-west-3.amazonaws.com.cn");
    expect(flags("https://s3.us-west-004.backblazeb2.com", "us-west-004")).toContain(
      "//s3.eu-west-3.backblazeb2.com",
    );
    expect(flags("https://nyc3.digitaloceanspaces.com", "nyc3")).toContain(
      "//eu-west-3.digitaloceanspaces.com",
    );
    expect(flags("https://minio.example.com")).toBe("--region eu-west-3");
  });
});

/** As when somebody had typed another region, which servers like MinIO take until one is set. */
async function moveBucket(place: Place): Promise<void> {
  const { saveEnvConfig } = await import("../src/config/env-config.ts");
  const config = configOf(place);
  if (config === null) throw new Error("not set up");
  const wrong = { ...config, s3: { ...config.s3, region: "us-east-1" } };
  saveEnvConfig(place.context().host, "acme_shop", env, wrong);
}
