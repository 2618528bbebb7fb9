// Shares, key files, VSYNC_CONFIG, the manifest, and the small forms they are made of.

import {
  BundleCorruptError,
  ConfigMissingError,
  ConfigUnsupportedVersionError,
  checkKdf,
  decodeConfigBlob,
  decodeKeyFile,
  decodeShare,
  encodeConfigBlob,
  formatTimestamp,
  fromBase64,
  fromBase64url,
  fromHex,
  fromUtf8,
  graceBundle,
  hmacSha256,
  judgeManifest,
  locationProblem,
  nextTimestamp,
  parseTimestamp,
  passphraseProblem,
  readTimestamp,
  sealManifest,
  toBase64,
  toBase64url,
  toHex,
  UnsupportedSpecVersionError,
  utf8,
  WrongPassphraseError,
} from "@vsync/envelope";
import fc from "fast-check";
import { vectorBytes, vectors } from "../corpus.ts";
import { base64, configBlob, fromJson, gzip, json, KEYS, PASSPHRASE, shareFile } from "../sealing.ts";
import { bytes, endsIn, JSON_SYNTAX, must, same, type Target, text } from "../target.ts";

const SHARE_ERRORS = [BundleCorruptError, UnsupportedSpecVersionError, WrongPassphraseError];
const CONFIG_ERRORS = [BundleCorruptError, ConfigMissingError, ConfigUnsupportedVersionError];
const SYNTAX = [
  ...JSON_SYNTAX,
  // Deeper than JSON.stringify goes.
  `"nested":${"[".repeat(9000)}${"]".repeat(9000)},`,
  '"v":1',
];

const configs = vectors("config-blob").flatMap(({ expected }) =>
  expected.config_json ? [json(expected.config_json)] : [],
);
const shares = vectors("sls1-share").flatMap(({ expected }) =>
  expected.payload_json ? [json(expected.payload_json)] : [],
);
const anyJson = fc.json({ maxDepth: 4 }).map(bytes);

/** A JSON object with each of these fields, mostly as in the example, now and then of any kind. */
function varied(example: Readonly<Record<string, unknown>>): fc.Arbitrary<Uint8Array> {
  const fields = Object.fromEntries(
    Object.entries(example).map(([name, value]) => [
      name,
      fc.oneof(
        { weight: 8, arbitrary: fc.constant(value) },
        { weight: 1, arbitrary: fc.jsonValue({ maxDepth: 2 }) },
      ),
    ]),
  );
  return fc.oneof({ weight: 4, arbitrary: fc.record(fields).map(json) }, { weight: 1, arbitrary: anyJson });
}

const config = {
  v: 1,
  endpoint: "https://s3.example",
  region: "eu-1",
  bucket: "b",
  accessKeyId: "AK",
  secretAccessKey: "SK",
  prefix: "shop/prod/",
  env: "prod",
  salt: "c2FsdHNhbHRzYWx0c2FsdHNh",
  iterations: 600_000,
  minGen: 3,
};
const environment = { repo: "shop", env: "prod", config: { version: 1 }, key: "vault passphrase" };

interface Received {
  body: string;
  metadata: Record<string, string>;
  /** Put a genuine seal over whatever the fields are: what a holder of the key could write. */
  sealIt?: boolean;
}

const SEALED = [
  ...vectors("manifest-seal").map(({ inputs }) => json({ body: inputs.body, metadata: inputs.metadata })),
  ...vectors("manifest-seal").map(({ inputs }) =>
    json({ body: inputs.body, metadata: inputs.metadata, sealIt: true }),
  ),
];

/** The manifest that JSON describes, or null when a server could not send such a one. */
function received(input: Uint8Array): Received | null {
  const value = fromJson(input) as Partial<Received> | null | undefined;
  if (typeof value?.body !== "string" || typeof value.metadata !== "object" || value.metadata === null)
    return null;
  const strings = Object.entries(value.metadata).filter(([, field]) => typeof field === "string");
  return { body: value.body, metadata: Object.fromEntries(strings), sealIt: value.sealIt === true };
}

async function judge({ body, metadata, sealIt }: Received): Promise<string> {
  const prefix = "app/prod/";
  if (sealIt) {
    const { gen, "rotated-at": rotatedAt = "", sha256, "write-id": writeId, grace = "" } = metadata;
    const sealed = ["vsync-manifest-v1", body.trim(), gen, rotatedAt, sha256, writeId, grace, prefix].join(
      "\n",
    );
    metadata.seal = toBase64url(await hmacSha256(KEYS.sealKey, utf8(sealed)));
  }
  const object = { body: utf8(body), metadata };
  const verdict = await judgeManifest(KEYS, prefix, object, Date.UTC(2026, 0, 1));
  readTimestamp(object.body);
  if (metadata.grace !== undefined) graceBundle(metadata.grace);
  if (verdict.kind !== "verified") return verdict.kind;
  // One manifest, one spelling: what verifies is what a writer would have written.
  const again = await sealManifest(KEYS, prefix, verdict.manifest);
  for (const name of ["gen", "rotated-at", "sha256", "write-id", "grace", "seal"])
    must(again.metadata[name] === metadata[name], `${name} has two spellings`);
  return `verified${verdict.manifest.grace ? " with grace" : ""}`;
}

export const TEXTS: readonly Target[] = [
  {
    name: "config blob",
    inputs: {
      inner: configs,
      made: varied(config),
      wraps: [gzip, configBlob],
      outer: vectorBytes("config-blob"),
      words: [...SYNTAX, "vsync-cfg-v1:", "+", "/", "=", "file:///", "..", "@", "?"],
    },
    memory: (length) => 64 * length + 64 * 64 * 1024,
    feed: (input) =>
      endsIn(CONFIG_ERRORS, async () => {
        const decoded = await decodeConfigBlob(text(input));
        must(locationProblem(decoded) === null, "a place that no writer would take");
        checkKdf(decoded.salt, decoded.iterations);
        const again = await decodeConfigBlob(await encodeConfigBlob(decoded));
        must(JSON.stringify(again) === JSON.stringify(decoded), "another config for the same blob");
        return `opens ${Object.keys(decoded).length}`;
      }),
  },
  ...[
    { name: "share file", magic: "SLS1", example: { version: 1, ...environment }, decode: decodeShare },
    {
      name: "key file",
      magic: "SLK1",
      example: { version: 1, environments: [{ ...environment, replaced: "old", origins: ["a/b"] }] },
      decode: decodeKeyFile,
    },
  ].map(
    ({ name, magic, example, decode }): Target => ({
      name,
      inputs: {
        inner: magic === "SLS1" ? shares : [json(example)],
        made: varied(example),
        wraps: [gzip, base64, shareFile(magic)],
        outer: vectorBytes("sls1-share"),
        words: [...SYNTAX, "SLS1", "SLS2", "SLK1", "SLK2", "RQE1"],
      },
      memory: (length) => 64 * length + 64 * 1024 * 1024,
      feed: (input) =>
        endsIn(SHARE_ERRORS, async () => {
          const decoded = await decode(PASSPHRASE, input);
          const environments = "env" in decoded ? [decoded] : decoded;
          for (const { repo, env, config, key } of environments) {
            // Whoever imports it writes it down again.
            must(JSON.stringify(config).length > 0, "a config that cannot be written");
            must(
              [repo, env, key].every((field) => typeof field === "string"),
              "a field of another type",
            );
          }
          return `opens ${environments.length}`;
        }),
    }),
  ),
  {
    name: "manifest",
    inputs: {
      inner: SEALED,
      words: [
        ...SYNTAX,
        '"gen":"',
        '"grace":"',
        "007",
        "2026",
        "-",
        ".",
        '"seal":"',
        '"sealIt":true',
        "\u00e9",
      ],
    },
    feed: (input) =>
      endsIn([BundleCorruptError], async () => {
        const object = received(input);
        return object === null ? "none" : judge(object);
      }),
  },
  {
    name: "small forms",
    inputs: {
      inner: [
        "20260102-030405",
        "00112233aabb",
        "QUJD",
        "QUI",
        "QUI=",
        "-_",
        "passphrase of some length",
      ].map(bytes),
      made: fc.string({ unit: "binary", maxLength: 60 }).map(bytes),
      words: ["=", "\0", " ", "\ud83d\udd11", "-", "_", "+", "/", "A", "0229", "1231", "9999"],
      maxBytes: 4096,
    },
    feed: (input) =>
      endsIn([BundleCorruptError], () => {
        const given = text(input);
        const ms = parseTimestamp(given);
        if (ms !== null) {
          must(formatTimestamp(ms) === given, "two spellings of one time");
          const next = nextTimestamp(0, given);
          must(next > given && parseTimestamp(next) !== null, "the next version is not later");
        }
        const hex = fromHex(given);
        must(hex === null || toHex(hex) === given, "two spellings in hex");
        const plain = fromBase64(given);
        must(plain === null || toBase64(plain) === given, "two spellings in base64");
        const url = fromBase64url(given);
        must(url === null || toBase64url(url) === given, "two spellings in base64url");
        const unicode = fromUtf8(input);
        must(unicode === null || same(utf8(unicode), input), "two spellings in UTF-8");
        const problem = passphraseProblem(given, { chosen: true, iterations: 600_000 });
        if (problem === null)
          must(text(utf8(given)) === given && given.trim() === given, "a passphrase with an alias");
        return [ms, hex, plain, url, unicode, problem].map((form) => form === null).join();
      }),
  },
];
