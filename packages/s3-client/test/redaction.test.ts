// A canary in every secret place, looked for in every way a vault or an error can be turned into text.

import { Console } from "node:console";
import { Writable } from "node:stream";
import { format, inspect } from "node:util";
import { serialize } from "node:v8";
import { toBase64, toHex, utf8, type VaultConfig } from "@vsync/envelope";
import fc from "fast-check";
import { afterAll, beforeAll, expect, test } from "vitest";
import { openWith, type Vault } from "../src/index.ts";
import { type Answer, type LoopbackServer, sendError, serveS3 } from "./s3-loopback.ts";
import { blob, makeVault, type TestObject, type TestVault } from "./vault-fixture.ts";

const REDACTED = "<vsync:redacted>";

/** Everything a reader of logs may not see, each with its own canary. */
interface Secrets {
  readonly passphrase: string;
  readonly config: Partial<VaultConfig>;
  readonly key: string;
  readonly value: string;
  readonly fileName: string;
  readonly content: string;
  readonly fallback: string;
}

function plant(token: string): Secrets {
  const canary = (place: string) => `Canary${place}${token}`;
  return {
    passphrase: `${canary("Passphrase")} of twelve and more`,
    config: {
      accessKeyId: canary("AccessKey"),
      secretAccessKey: canary("SecretKey"),
      sessionToken: canary("SessionToken"),
      bucket: canary("Bucket"),
      prefix: `${canary("Prefix")}/`,
      salt: canary("Salt"),
      region: canary("Region"),
    },
    key: canary("Key"),
    value: canary("Value"),
    fileName: canary("File"),
    content: canary("Content"),
    fallback: canary("Default"),
  };
}

async function vaultOf({ passphrase, config, key, value, fileName, content }: Secrets): Promise<TestVault> {
  const files = { ".env.prod": `${key}=${value}\n`, [fileName]: content };
  return makeVault({
    passphrase,
    prefix: config.prefix as string,
    salt: config.salt as string,
    files,
    minGen: 1,
  });
}

/** Fails when the text holds "Canary" in any spelling that a byte array or an encoder could give it. */
function expectNoCanary(text: string, how: string): void {
  const bytes = utf8("Canary");
  const spellings = [
    "Canary",
    toHex(bytes),
    toHex(bytes).replace(/..(?=.)/g, "$& "),
    bytes.join(","),
    bytes.join(", "),
    bytes.join(",\n"),
    // base64 has three spellings, by where in a group of three bytes the word begins.
    ...[0, 1, 2].map((shift) => toBase64(utf8(`${"x".repeat(shift)}Canary`)).slice(shift === 0 ? 0 : 4, -4)),
  ].filter((spelling) => spelling.length >= 4);
  const compact = text.replace(/\s+/g, " ");
  for (const spelling of spellings) {
    if (text.includes(spelling) || compact.includes(spelling)) {
      throw new Error(`${how} shows a secret (as ${JSON.stringify(spelling)}): ${text.slice(0, 300)}`);
    }
  }
}

/** Everything that makes text of a value. */
function renderings(value: object): readonly (readonly [how: string, text: string])[] {
  const written: string[] = [];
  const sink = new Writable({
    write: (chunk, _encoding, done) => {
      written.push(String(chunk));
      done();
    },
  });
  const logger = new Console({ stdout: sink, stderr: sink });
  logger.log(value, [value], { value });
  logger.error("%s %o %O %j", value, value, value, value);
  logger.dir(value, { showHidden: true, depth: null });
  logger.table([value]);
  const every = {
    depth: null,
    showHidden: true,
    maxArrayLength: null,
    maxStringLength: null,
    getters: true,
  } as const;
  const clone = structuredClone(value);
  return [
    ["String", String(value)],
    ["a template", `${value}`],
    ["concatenation", `${value}`.concat(value as never)],
    ["JSON", JSON.stringify(value) ?? ""],
    ["JSON of an object around it", JSON.stringify({ deep: [{ value }] })],
    ["inspect", inspect(value)],
    ["inspect of everything", inspect(value, every)],
    ["inspect without the custom one", inspect(value, { ...every, customInspect: false })],
    ["inspect of an object around it", inspect({ deep: [{ value }] }, every)],
    ["its prototype chain", inspect(Object.getPrototypeOf(value), { ...every, customInspect: false })],
    ["format", format("%s|%o|%O|%j", value, value, value, value)],
    ["structuredClone", inspect(clone, { ...every, customInspect: false })],
    ["JSON of a clone", JSON.stringify(clone)],
    ["v8.serialize", Buffer.from(serialize(value)).toString("latin1")],
    ["own properties", inspect(Object.getOwnPropertyDescriptors(value), every)],
    ["spread", inspect({ ...value }, every)],
    ["a cause", inspect(new Error("outer", { cause: value }), every)],
    ["a diagnostic report", JSON.stringify(process.report.getReport(new Error("x", { cause: value })))],
    ["console", written.join("")],
  ];
}

function expectRedactedVault(v: Vault): void {
  for (const [how, text] of renderings(v)) expectNoCanary(text, how);
  expect(Reflect.ownKeys(v)).toEqual([]);
  expect([String(v), `${v}`, JSON.parse(JSON.stringify(v)), inspect(v), format("%o", v)]).toEqual(
    Array(5).fill(REDACTED),
  );
  expect(inspect({ v }, { depth: 0 })).toBe(`{ v: ${REDACTED} }`);
}

function expectRedactedError(error: unknown): void {
  for (let at = error, depth = 0; at instanceof Error; at = at.cause, depth++) {
    expect(depth).toBeLessThan(5);
    for (const [how, text] of renderings(at)) expectNoCanary(text, `an error's ${how}`);
    expectNoCanary(`${at.message} ${at.stack}`, "message and stack");
    expectNoCanary(JSON.stringify(process.report.getReport(at)), "the report of an error");
  }
}

const tokens = fc.string({
  minLength: 4,
  maxLength: 8,
  unit: fc.constantFrom(..."abcdefghijklmnopqrstuvwxyz0123456789"),
});

test("the search finds what it looks for", () => {
  const secret = "a Canary in plain sight";
  for (const holder of [
    { secret },
    { bytes: utf8(secret) },
    { base64: toBase64(utf8(secret)) },
    { hex: toHex(utf8(secret)) },
    new Error(secret),
    new Error("outer", { cause: new Error(secret) }),
    new Map([[secret, 1]]),
  ]) {
    const found = renderings(holder).filter(([how, text]) => {
      try {
        expectNoCanary(text, how);
        return false;
      } catch {
        return true;
      }
    });
    expect(found.map(([how]) => how)).toContain("inspect of everything");
  }
});

test("an open vault shows nothing, nor does it after close", async () => {
  await fc.assert(
    fc.asyncProperty(tokens, async (token) => {
      const secrets = plant(token);
      const vault = await vaultOf(secrets);
      await using server = await serveS3(vault.objects, undefined, secrets.config.bucket);
      const v = await openWith({
        config: await blob(vault, { ...secrets.config, endpoint: server.endpoint }),
        passphrase: secrets.passphrase,
        defaults: { [secrets.fallback]: secrets.fallback },
      });
      expect([v.getEnv(secrets.key), v.getEnv(secrets.fallback)]).toEqual([secrets.value, secrets.fallback]);
      expect(v.getAsContent(secrets.fileName)).toEqual(utf8(secrets.content));
      expectRedactedVault(v);
      await v.remoteGeneration();
      expectRedactedVault(v);
      await v.close();
      expectRedactedVault(v);
    }),
    { numRuns: 5 },
  );
});

/** Ways to fail: each changes the vault, the server or the opening, and names the error that has to come of it. */
interface Failure {
  readonly code: string;
  readonly spoil?: (vault: TestVault, secrets: Secrets) => void;
  readonly answer?: Answer;
  readonly config?: Partial<VaultConfig>;
  readonly damage?: (blob: string) => string;
  readonly passphrase?: string;
  readonly timeoutMs?: number;
}

const object = (vault: TestVault, kind: "manifest" | "v=") =>
  [...vault.objects].find(([key]) => key.includes(kind))?.[1] as TestObject;

/** Sends back everything it was sent, in every place of an answer. */
const echo =
  (status: number): Answer =>
  (request, response) => {
    const heard = JSON.stringify([request.url, request.headers]).replace(/[^ -~]/g, "");
    const word = /Canary\w+/.exec(heard)?.[0] ?? "";
    response.writeHead(status, {
      "x-amz-bucket-region": word,
      location: `https://${word}.example/`,
      "retry-after": word,
      date: word,
      server: word,
    });
    response.end(`<Error><Code>${word}</Code><Message>${heard}</Message></Error>`);
    return true;
  };

const failures: Readonly<Record<string, Failure>> = {
  "another passphrase": { code: "VSYNC_WRONG_PASSPHRASE", passphrase: "CanaryOther passphrase\n" },
  "a seal taken away": {
    code: "VSYNC_BUNDLE_CORRUPT",
    spoil: (vault) => {
      object(vault, "manifest").metadata = { gen: "3" };
    },
  },
  "a bundle cut short": {
    code: "VSYNC_BUNDLE_CORRUPT",
    spoil: (vault) => {
      object(vault, "v=").body = object(vault, "v=").body.subarray(0, 40);
    },
  },
  "a manifest deleted": {
    code: "VSYNC_MANIFEST_NOT_FOUND",
    spoil: (vault, secrets) => void vault.objects.delete(`${secrets.config.prefix}manifest`),
  },
  "a bundle deleted": {
    code: "VSYNC_BUNDLE_CORRUPT",
    spoil: (vault, secrets) => void vault.objects.delete(`${secrets.config.prefix}v=${vault.timestamp}`),
  },
  "a generation below minGen": { code: "VSYNC_BUNDLE_CORRUPT", config: { minGen: 9 } },
  "a server that denies": {
    code: "VSYNC_S3_UNREACHABLE",
    answer: (_request, response) => {
      sendError(response, 403, "AccessDenied");
      return true;
    },
  },
  "a server that redirects and echoes": { code: "VSYNC_S3_UNREACHABLE", answer: echo(301) },
  "a server that complains and echoes": { code: "VSYNC_S3_UNREACHABLE", answer: echo(400) },
  "a server that refuses and echoes": { code: "VSYNC_S3_UNREACHABLE", answer: echo(403) },
  "a server that fails and echoes": { code: "VSYNC_S3_UNREACHABLE", answer: echo(503) },
  "a server that says nothing": { code: "VSYNC_S3_UNREACHABLE", answer: () => true, timeoutMs: 1000 },
  "a name that does not resolve": {
    code: "VSYNC_S3_UNREACHABLE",
    config: { endpoint: "https://canary-host.invalid" },
  },
  "a port that nobody listens on": {
    code: "VSYNC_S3_UNREACHABLE",
    config: { endpoint: "http://127.0.0.1:1" },
  },
  "a folder that is not there": {
    code: "VSYNC_S3_UNREACHABLE",
    config: { endpoint: "file:///nowhere/Canary" },
  },
  "a config cut short": { code: "VSYNC_BUNDLE_CORRUPT", damage: (blob) => blob.slice(0, -20) },
  "a config with padding": { code: "VSYNC_CONFIG_UNSUPPORTED_VERSION", damage: (blob) => `${blob}==` },
  "a config that is raw JSON": {
    code: "VSYNC_CONFIG_MISSING",
    damage: () => '{"secretAccessKey":"CanarySecretKey"}',
  },
  "a passphrase in place of a config": { code: "VSYNC_CONFIG_MISSING", damage: () => "CanaryPassphrase" },
  "no passphrase": { code: "VSYNC_CONFIG_MISSING", passphrase: "" },
  "an endpoint with credentials": {
    code: "VSYNC_BUNDLE_CORRUPT",
    config: { endpoint: "https://CanaryUser:CanaryPassword@example.com" },
  },
  "too few iterations": { code: "VSYNC_BUNDLE_CORRUPT", config: { iterations: 1 } },
};

let vaults: readonly (readonly [Secrets, TestVault])[];
beforeAll(async () => {
  const planted = ["x7k2", "0q0q", "zzzz"].map(plant);
  vaults = await Promise.all(planted.map(async (secrets) => [secrets, await vaultOf(secrets)] as const));
});

const servers: LoopbackServer[] = [];
afterAll(async () => {
  for (const server of servers) await server[Symbol.asyncDispose]();
});

test.each(Object.entries(failures))(
  "%s: no error, and none of its causes, shows anything",
  async (_what, failure) => {
    for (const [secrets, { objects, ...vault }] of vaults) {
      const spoilt: TestVault = {
        ...vault,
        objects: new Map(
          [...objects].map(([key, each]) => [key, { ...each, metadata: { ...each.metadata } }]),
        ),
      };
      failure.spoil?.(spoilt, secrets);
      const server = await serveS3(spoilt.objects, failure.answer, secrets.config.bucket);
      servers.push(server);
      const config = await blob(spoilt, { ...secrets.config, endpoint: server.endpoint, ...failure.config });
      const error: unknown = await openWith({
        config: failure.damage?.(config) ?? config,
        passphrase: failure.passphrase ?? secrets.passphrase,
        ...(failure.timeoutMs !== undefined && { timeoutMs: failure.timeoutMs }),
      }).catch((reason) => reason);
      expect(error).toMatchObject({ code: failure.code });
      expectRedactedError(error);
      expect(inspect(error, { depth: null, showHidden: true }).toLowerCase()).not.toContain("canary");
    }
  },
);

test("the errors of a vault's accessors show nothing of the vault", async () => {
  const [secrets, vault] = vaults[0] as (typeof vaults)[number];
  await using server = await serveS3(vault.objects, undefined, secrets.config.bucket);
  const config = await blob(vault, { ...secrets.config, endpoint: server.endpoint });
  const v = await openWith({ config, passphrase: secrets.passphrase });
  const thrown = (action: () => unknown): unknown => {
    try {
      return action();
    } catch (error) {
      return error;
    }
  };
  expectRedactedError(thrown(() => v.getAsContent("no/such/file")));
  vault.objects.delete(`${secrets.config.prefix}manifest`);
  expectRedactedError(await v.remoteGeneration().catch((error) => error));
  await server[Symbol.asyncDispose]();
  expectRedactedError(await v.remoteGeneration().catch((error) => error));
  await v.close();
  expectRedactedError(thrown(() => v.getEnv(secrets.key)));
});
