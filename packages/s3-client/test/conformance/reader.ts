// Runs the corpus through the reader as an application would: by its public surface, against a loopback server and a
// folder bucket.

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { decodeConfigBlob, deriveKeys, KEY_LIMITS, sealBundle, setEnvValue, utf8 } from "@vsync/envelope";
import type { Fields, Vector } from "../../../envelope/test/conformance/corpus.ts";
import {
  bytesOf,
  type Check,
  check,
  comparePairs,
  type Implementation,
  metadataOf,
  pairsOf,
  textOf,
} from "../../../envelope/test/conformance/judge.ts";
import { ManifestNotFoundError, openWith, S3UnreachableError, type Vault } from "../../src/index.ts";
import { blobFor, type Objects, type Serve, serveFromFolder, serveOverHttp, TIMEOUT_MS } from "./buckets.ts";
import { provoke } from "./scenarios.ts";

/** A vault of the runner's own, for what is not about vaults. */
const PASSPHRASE = "a passphrase of the runner";
const VERSION = "20260102-030405";
const VAULT = {
  prefix: "",
  env: "prod",
  salt: "a salt of the runner",
  iterations: KEY_LIMITS.minIterations,
} as const;

const openOverHttp = openBundle(serveOverHttp);

export const readers: readonly Implementation[] = [
  {
    name: "reader over HTTP",
    checks: {
      "config-blob": check(askForManifest, (asked, expected) =>
        compareRequest(asked, expected.config_json as Fields),
      ),
      // What HTTP would not carry as it is, such as a blank at the start, is left to the folder.
      "bundle-open": async (vector) =>
        Object.values(manifestOf(vector).metadata).every(isHeaderValue) ? openOverHttp(vector) : null,
      "error-taxonomy": check(provoke, () => {}),
    },
  },
  {
    name: "reader on a folder",
    checks: {
      "bundle-open": openBundle(serveFromFolder),
      "fallback-chain": check(lookUp, (results, expected) => assert.deepEqual(results, expected.results)),
    },
  },
];

type Asked = { readonly url: URL; readonly headers: Headers } | "folder";

/** What the reader asks a store for shows what it has read in its config. This store has nothing. */
async function askForManifest(vector: Vector): Promise<Asked> {
  let asked: Asked = "folder";
  const fetch = async (url: unknown, init?: RequestInit): Promise<Response> => {
    asked = { url: new URL(String(url)), headers: new Headers(init?.headers) };
    return new Response(null, { status: 404 });
  };
  try {
    await openWith({ config: Buffer.from(bytesOf(vector)).toString(), passphrase: "not asked for", fetch });
  } catch (error) {
    const isAnswer =
      error instanceof ManifestNotFoundError || (asked === "folder" && error instanceof S3UnreachableError);
    if (isAnswer) return asked;
    throw error;
  }
  throw new Error("the reader opened a vault that is not there");
}

function compareRequest(asked: Asked, expected: Fields): void {
  const endpoint = new URL(textOf(expected, "endpoint"));
  if (asked === "folder") {
    assert.equal(endpoint.protocol, "file:");
    return;
  }
  const { url, headers } = asked;
  assert.equal(url.origin, endpoint.origin);
  const root = endpoint.pathname.replace(/\/$/, "");
  assert.equal(decodeURIComponent(url.pathname), `${root}/${expected.bucket}/${expected.prefix}manifest`);
  const [, keyId, region] =
    /Credential=([^/]+)\/\d+\/([^/]+)\/s3\//.exec(headers.get("authorization") ?? "") ?? [];
  assert.deepEqual([keyId, region], [expected.accessKeyId, expected.region]);
  assert.equal(headers.get("x-amz-security-token") ?? undefined, expected.sessionToken);
}

/** The config's endpoint cannot be reached: it is replaced, and nothing else but the name of the bucket. */
function openBundle(serve: Serve): Check {
  return check(
    async (vector) => {
      const { inputs } = vector;
      const config = await decodeConfigBlob(textOf(inputs, "config"));
      return serve(objectsOf(vector, config.prefix), async (endpoint) => {
        return openWith({
          config: await blobFor(endpoint, config),
          passphrase: textOf(inputs, "passphrase"),
          timeoutMs: TIMEOUT_MS,
        });
      });
    },
    async (vault, expected) => {
      const scalars = pairsOf(expected.scalars);
      const names = pairsOf(expected.contents_sha256);
      comparePairs(new Map([...scalars.keys()].map((key) => [key, vault.getEnv(key)])), scalars, "scalars");
      for (const key of scalars.keys()) assert.equal(vault.envSource(key), "vault", key);
      comparePairs(
        new Map([...names.keys()].map((name) => [name, digestOf(vault, name)])),
        names,
        "contents",
      );
      assert.equal(vault.generation(), expected.generation);
      await vault.close();
    },
  );
}

function objectsOf(vector: Vector, prefix: string): Objects {
  const { body, metadata } = manifestOf(vector);
  const { grace_bundle_hex: graceBundle } = vector.inputs;
  const objects: Objects = new Map();
  objects.set(`${prefix}manifest`, { body: Buffer.from(body), metadata });
  if (isVersion(body.trim()))
    objects.set(`${prefix}v=${body.trim()}`, { body: bytesOf(vector), metadata: {} });
  if (typeof graceBundle === "string") {
    const [version] = (metadata.grace ?? "").split(".");
    objects.set(`${prefix}v=${version}`, { body: Buffer.from(graceBundle, "hex"), metadata: {} });
  }
  return objects;
}

function manifestOf(vector: Vector): { readonly body: string; readonly metadata: Record<string, string> } {
  const manifest = vector.inputs.manifest as Fields;
  return { body: textOf(manifest, "body"), metadata: metadataOf(manifest) };
}

/** Opens a vault with these scalars, in an environment with those and without everything else that is asked for. */
async function lookUp({ inputs }: Vector): Promise<Fields[]> {
  const queries = inputs.queries as string[];
  const defaults = Object.fromEntries(pairsOf(inputs.defaults ?? {})) as Record<string, string>;
  let bytes: Uint8Array = new Uint8Array(0);
  for (const [key, value] of pairsOf(inputs.vault ?? {})) bytes = setEnvValue(bytes, key, String(value));
  const keys = await deriveKeys(PASSPHRASE, VAULT.salt, VAULT.iterations);
  const bundle = await sealBundle(keys, VERSION, new Map([[".env.prod", { bytes, executable: false }]]));
  const objects: Objects = new Map([
    ["manifest", { body: utf8(VERSION), metadata: {} }],
    [`v=${VERSION}`, { body: bundle.bytes, metadata: {} }],
  ]);
  return serveFromFolder(objects, async (endpoint) => {
    const config = await blobFor(endpoint, VAULT);
    await using vault = await openWith({ config, passphrase: PASSPHRASE, defaults, timeoutMs: TIMEOUT_MS });
    return withEnvironment(pairsOf(inputs.env ?? {}), queries, () =>
      queries.map((key) => ({
        key,
        value: vault.getEnv(key),
        source: vault.envSource(key),
        has: vault.hasEnv(key),
      })),
    );
  });
}

function withEnvironment<T>(values: ReadonlyMap<string, unknown>, asked: readonly string[], use: () => T): T {
  const names = [...new Set([...values.keys(), ...asked])];
  const before = names.map(
    (name) => [name, Object.hasOwn(process.env, name) ? process.env[name] : undefined] as const,
  );
  for (const name of names) delete process.env[name];
  for (const [name, value] of values) process.env[name] = String(value);
  try {
    return use();
  } finally {
    for (const [name, value] of before) {
      if (value === undefined) delete process.env[name];
      else process.env[name] = value;
    }
  }
}

function digestOf(vault: Vault, name: string): string {
  return createHash("sha256").update(vault.getAsContent(name)).digest("hex");
}

function isVersion(text: string): boolean {
  return /^\d{8}-\d{6}$/.test(text);
}

function isHeaderValue(text: string): boolean {
  return /^[\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?$/.test(text);
}
