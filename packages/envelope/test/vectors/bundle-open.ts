// Vectors for the whole way of a reader: config, manifest, seal, bundle, archive. Section 6 of the format document.

import { blob } from "./config-blob.ts";
import {
  type ErrorName,
  hex,
  type JsonObject,
  seededBytes,
  seededPassphrase,
  seededSalt,
  sha256Hex,
  type Vector,
} from "./vector.ts";
import {
  envelope,
  FAST_ITERATIONS,
  type Grace,
  graceField,
  type Keys,
  keysFor,
  pointerSeal,
  type SealedFields,
  sealedMetadata,
  writeId,
} from "./writer.ts";
import { DEFLATED, MODE, type ZipEntry, zip } from "./zip-writer.ts";

const passphrase = seededPassphrase("bundle-open");
const oldPassphrase = seededPassphrase("bundle-open before the rotation");
const salt = seededSalt("bundle-open");
const PREFIX = "acme_shop/prod/";
const VERSION = "20260214-093000";
const GENERATION = 7;

const keys = (): Keys => keysFor(passphrase, salt, FAST_ITERATIONS);
const oldKeys = (): Keys => keysFor(oldPassphrase, salt, FAST_ITERATIONS);

const ENV = 'DATABASE_URL=postgres://app@db/app\nEMPTY=\n# a comment\nGREETING="grüß\\ngott"\n';
const SCALARS = { DATABASE_URL: "postgres://app@db/app", EMPTY: "", GREETING: "grüß\ngott" };
const CERTIFICATE = seededBytes("bundle-open", "certificate", 900);

const FILES: readonly ZipEntry[] = [
  { name: ".env.prod", data: ENV },
  { name: "hooks/rotate.sh", data: "#!/bin/sh\nexit 0\n", mode: MODE.executable },
  { name: "tls/server.crt", data: CERTIFICATE },
];

/** A bucket as a reader finds it: manifest, bundle and what its config says. */
interface Bucket {
  readonly config?: JsonObject;
  readonly passphrase?: string;
  readonly body?: string;
  readonly metadata: Readonly<Record<string, string>>;
  readonly bundle: Buffer;
  readonly graceBundle?: Buffer;
}

export function bundleOpen(): Vector[] {
  return [...opened(), ...corrupt(), ...wrongPassphrase(), ...grace(), ...withoutSeal(), ...minimum()];
}

function opened(): Vector[] {
  const opens = (
    name: string,
    description: string,
    entries: readonly ZipEntry[],
    scalars: JsonObject,
    bucket: Partial<Bucket> = {},
  ): Vector => vector(name, description, { ...sealed(name, entries), ...bucket }, opening(entries, scalars));
  const env = (name: string, data: string): ZipEntry => ({ name, data });
  return [
    opens("sealed", "A sealed manifest and its bundle", FILES, SCALARS),
    opens(
      "deflated",
      "Entries that are deflated",
      FILES.map((entry) => ({ ...entry, method: DEFLATED })),
      SCALARS,
    ),
    opens("empty-vault", "A vault without a file", [], {}),
    opens("no-scalars", "Files, and no .env among them", FILES.slice(1), {}),
    opens("plain-env", "No .env.prod: .env has the scalars", [env(".env", "A=1\n")], { A: "1" }),
    opens(
      "env-before-plain",
      "Both: .env.prod has them, .env is a content like any other",
      [env(".env", "A=1\nB=1\n"), env(".env.prod", "A=2\n")],
      { A: "2" },
    ),
    opens(
      "empty-env",
      "An empty .env.prod still stands before .env",
      [env(".env", "A=1\n"), env(".env.prod", "")],
      {},
    ),
    opens("nested-env", "A .env.prod in a folder has no scalars", [env("app/.env.prod", "A=1\n")], {}),
    opens("unicode-name", "A file name outside ASCII", [env("schlüssel/ключ.pem", "x")], {}),
    opens(
      "strange-keys",
      "`__proto__` and `constructor` are keys like any other",
      [env(".env.prod", "__proto__=a\nconstructor=b\ntoString=c\n")],
      JSON.parse('{"__proto__":"a","constructor":"b","toString":"c"}'),
    ),
    opens("body-line-feed", "A line feed after the version in the manifest's body", FILES, SCALARS, {
      body: `${VERSION}\n`,
    }),
    ...[sealed("rotated", FILES, { "rotated-at": "2026-02-14T09:30:00Z" })].map((bucket) =>
      vector("rotated", "After a rotation", bucket, opening(FILES, SCALARS)),
    ),
    ...[sealed("root", FILES, {}, "")].map((bucket) =>
      vector(
        "prefix-empty",
        "A vault at the root of its bucket",
        { ...bucket, config: { prefix: "" } },
        opening(FILES, SCALARS),
      ),
    ),
    ...[sealed("unicode prefix", FILES, {}, "équipe/a b+c/")].map((bucket) =>
      vector(
        "prefix-unicode",
        "A prefix that has to be escaped in a URL",
        { ...bucket, config: { prefix: "équipe/a b+c/" } },
        opening(FILES, SCALARS),
      ),
    ),
  ];
}

/** The seal verifies, so the passphrase is right: whatever else is wrong is damage or forgery. */
function corrupt(): Vector[] {
  const good = sealed("sealed", FILES);
  const bad = (name: string, description: string, bucket: Partial<Bucket>): Vector =>
    refuses(name, description, "BundleCorruptError", { ...good, ...bucket });
  const resealed = (name: string, description: string, bundle: Buffer): Vector =>
    bad(name, description, { bundle, metadata: metadataFor(bundle) });
  const flipped = Buffer.from(good.bundle);
  flipped[100]! ^= 1;
  const payload = zip(FILES);
  return [
    bad("digest-differs", "One bit of the bundle flipped", { bundle: flipped }),
    bad("bundle-cut", "The last byte of the bundle is missing", { bundle: good.bundle.subarray(0, -1) }),
    bad("bundle-empty", "A bundle of no bytes", { bundle: Buffer.alloc(0) }),
    bad("bundle-replaced", "A genuine bundle of the same vault in the place of the one named", {
      bundle: bundleOf("replaced", keys(), VERSION, FILES.slice(1)),
    }),
    resealed("tag-fails", "A digest that is right for a bundle whose tag does not verify", flipped),
    resealed(
      "other-key",
      "Sealed under the passphrase, encrypted under another",
      bundleOf("other-key", oldKeys(), VERSION, FILES),
    ),
    resealed(
      "other-version-inside",
      "The version inside differs from the manifest's",
      bundleOf("inside", keys(), "20260214-092959", FILES),
    ),
    resealed(
      "magic",
      "A digest that is right for what is no envelope",
      Buffer.from("<html>not a bundle, but long enough to be one</html>"),
    ),
    resealed("short", "A digest that is right for 31 bytes", good.bundle.subarray(0, 31)),
    resealed(
      "no-pointer-seal",
      "An archive without a pointer seal",
      envelope("no-pointer-seal", keys().master, payload),
    ),
    resealed(
      "not-an-archive",
      "A payload that is no archive",
      envelope("not-an-archive", keys().master, pointerSeal(VERSION, Buffer.from("tar?"))),
    ),
    resealed(
      "no-payload",
      "No payload at all",
      envelope("no-payload", keys().master, pointerSeal(VERSION, Buffer.alloc(0))),
    ),
    resealed(
      "unsafe-archive",
      "An archive that reaches out of its folder",
      bundleOf("unsafe", keys(), VERSION, [{ name: "../x", data: "x" }]),
    ),
    refuses("version-rqe2", "An envelope of a later version, sealed", "UnsupportedSpecVersionError", {
      ...good,
      ...sealedAs(envelope("version-rqe2", keys().master, pointerSeal(VERSION, payload), { magic: "RQE2" })),
    }),
    refuses("version-rqem0002", "A pointer seal of a later version, sealed", "UnsupportedSpecVersionError", {
      ...good,
      ...sealedAs(envelope("version-rqem0002", keys().master, pointerSeal(VERSION, payload, "RQEM0002"))),
    }),
  ];
}

function wrongPassphrase(): Vector[] {
  const good = sealed("sealed", FILES);
  const wrong = (name: string, description: string, bucket: Partial<Bucket>): Vector =>
    refuses(name, description, "WrongPassphraseError", { ...good, ...bucket });
  return [
    wrong("seal-other-passphrase", "Another passphrase", { passphrase: seededPassphrase("other") }),
    wrong("seal-passphrase-newline", "A line break at the passphrase's end", {
      passphrase: `${passphrase}\n`,
    }),
    wrong("seal-gen-raised", "The generation raised by somebody without the passphrase", {
      metadata: { ...good.metadata, gen: String(GENERATION + 1) },
    }),
    wrong("seal-gen-form", "The generation in another form, and sealed", {
      metadata: metadataFor(good.bundle, { gen: "007" }),
    }),
    wrong("seal-body-changed", "The body points at another version", { body: "20260214-092959" }),
    wrong("seal-moved", "The manifest of another prefix", {
      metadata: metadataFor(good.bundle, {}, "acme_shop/staging/"),
    }),
    wrong("seal-forged", "A whole new vault by somebody without the passphrase", {
      bundle: bundleOf("forged", oldKeys(), VERSION, FILES),
      metadata: metadataFor(bundleOf("forged", oldKeys(), VERSION, FILES), {}, PREFIX, oldKeys()),
    }),
  ];
}

/** After a rotation, read by an application that still has the passphrase from before it. */
function grace(): Vector[] {
  const oldEntries: readonly ZipEntry[] = [{ name: ".env.prod", data: "A=old\n" }, ...FILES.slice(1)];
  const oldBundle = bundleOf("grace", oldKeys(), "20260213-180000", oldEntries);
  const current = bundleOf("sealed", keys(), VERSION, FILES);
  const rotation = (name: string, changes: Partial<Grace> = {}): Bucket => ({
    passphrase: oldPassphrase,
    bundle: current,
    graceBundle: oldBundle,
    metadata: metadataFor(current, {
      "rotated-at": "2026-02-14T09:30:00Z",
      "write-id": writeId(name),
      grace: graceField(oldKeys(), PREFIX, {
        timestamp: "20260213-180000",
        gen: String(GENERATION - 1),
        sha256: sha256Hex(oldBundle),
        until: "99991231-235959",
        ...changes,
      }),
    }),
  });
  const old = { ...opening(oldEntries, { A: "old" }), generation: GENERATION - 1 };
  const lasting = rotation("grace");
  const { graceBundle: _, ...missing } = rotation("grace-bundle-missing");
  const damaged = Buffer.from(oldBundle);
  damaged[60]! ^= 1;
  return [
    vector("grace", "The period lasts: the old bundle opens, with its generation", lasting, old),
    vector(
      "grace-min-gen",
      "The grace bundle's generation stands in for the manifest's against minGen",
      { ...lasting, config: { minGen: GENERATION - 1 } },
      old,
    ),
    vector(
      "grace-new-passphrase",
      "The new passphrase opens the new bundle, grace or not",
      { ...lasting, passphrase },
      opening(FILES, SCALARS),
    ),
    refuses("grace-below-min-gen", "The grace bundle's generation is below minGen", "BundleCorruptError", {
      ...lasting,
      config: { minGen: GENERATION },
    }),
    refuses(
      "grace-over",
      "The period is over",
      "WrongPassphraseError",
      rotation("grace-over", { until: "20000101-000000" }),
    ),
    refuses("grace-third-passphrase", "Neither passphrase", "WrongPassphraseError", {
      ...lasting,
      passphrase: seededPassphrase("third"),
    }),
    refuses("grace-bundle-missing", "The grace bundle is not there", "BundleCorruptError", missing),
    refuses("grace-digest-differs", "One bit of the grace bundle flipped", "BundleCorruptError", {
      ...lasting,
      graceBundle: damaged,
    }),
    refuses("grace-tag-fails", "A digest that is right for a damaged grace bundle", "BundleCorruptError", {
      ...rotation("grace-tag-fails", { sha256: sha256Hex(damaged) }),
      graceBundle: damaged,
    }),
    refuses(
      "grace-other-version-inside",
      "The version inside the grace bundle differs",
      "BundleCorruptError",
      rotation("grace-other-version-inside", { timestamp: "20260213-180001" }),
    ),
  ];
}

/** A writer that does not seal, or somebody who took the seal away. */
function withoutSeal(): Vector[] {
  const good = sealed("sealed", FILES);
  const { seal: _, ...bare } = good.metadata;
  const unsealed = { ...good, metadata: bare };
  const malformed = { ...good, metadata: { ...bare, seal: "not a seal" } };
  return [
    vector("unsealed", "No seal, and a config that asks for none", unsealed, opening(FILES, SCALARS)),
    vector(
      "unsealed-no-metadata",
      "No metadata at all: generation 0",
      { ...good, metadata: {} },
      { ...opening(FILES, SCALARS), generation: 0 },
    ),
    refuses("unsealed-min-gen-0", "No seal, and a config with minGen 0", "BundleCorruptError", {
      ...unsealed,
      config: { minGen: 0 },
    }),
    refuses("unsealed-min-gen", "No seal, and a config with minGen", "BundleCorruptError", {
      ...unsealed,
      config: { minGen: GENERATION },
    }),
    refuses(
      "malformed-seal-min-gen-0",
      "A seal that is none, and a config with minGen 0",
      "BundleCorruptError",
      { ...malformed, config: { minGen: 0 } },
    ),
    refuses(
      "unsealed-other-passphrase",
      "No seal: only the tag can say that the passphrase is wrong",
      "WrongPassphraseError",
      {
        ...unsealed,
        passphrase: seededPassphrase("other"),
      },
    ),
    refuses("unsealed-other-version-inside", "No seal, and another version inside", "BundleCorruptError", {
      ...unsealed,
      metadata: {},
      bundle: bundleOf("unsealed inside", keys(), "20260214-092959", FILES),
    }),
    ...[
      ["empty", ""],
      ["html", "<!doctype html><title>Sign in</title>"],
      ["month-13", "20261314-093000"],
      ["two-versions", `${VERSION}\n${VERSION}`],
      ["path", "../../../etc/passwd"],
    ].map(([name, body]) =>
      refuses(`unsealed-body-${name}`, `A manifest of ${JSON.stringify(body)}`, "BundleCorruptError", {
        ...unsealed,
        body: String(body),
      }),
    ),
  ];
}

function minimum(): Vector[] {
  const good = sealed("sealed", FILES);
  return [
    ...[0, 1, GENERATION].map((minGen) =>
      vector(
        `min-gen-${minGen}`,
        `Generation ${GENERATION}, minGen ${minGen}`,
        { ...good, config: { minGen } },
        opening(FILES, SCALARS),
      ),
    ),
    refuses("min-gen-above", "A generation below minGen: an older state replayed", "BundleCorruptError", {
      ...good,
      config: { minGen: GENERATION + 1 },
    }),
  ];
}

function opening(entries: readonly ZipEntry[], scalars: JsonObject): JsonObject {
  const digests = entries.map(({ name, data }) => [name, sha256Hex(Buffer.from(data ?? ""))]);
  return { scalars, contents_sha256: Object.fromEntries(digests), generation: GENERATION };
}

function bundleOf(name: string, under: Keys, version: string, entries: readonly ZipEntry[]): Buffer {
  return envelope(`bundle-open ${name}`, under.master, pointerSeal(version, zip(entries)));
}

function sealed(
  name: string,
  entries: readonly ZipEntry[],
  fields: Partial<SealedFields> = {},
  prefix = PREFIX,
): Bucket {
  const bundle = bundleOf(name, keys(), VERSION, entries);
  return { bundle, metadata: metadataFor(bundle, fields, prefix) };
}

function sealedAs(bundle: Buffer): Bucket {
  return { bundle, metadata: metadataFor(bundle) };
}

function metadataFor(
  bundle: Buffer,
  fields: Partial<SealedFields> = {},
  prefix = PREFIX,
  under = keys(),
): Record<string, string> {
  return sealedMetadata(under, prefix, {
    body: VERSION,
    gen: String(GENERATION),
    sha256: sha256Hex(bundle),
    "write-id": writeId("bundle-open"),
    ...fields,
  });
}

function refuses(name: string, description: string, error: ErrorName, bucket: Bucket): Vector {
  return vector(name, description, bucket, { error });
}

function vector(name: string, description: string, bucket: Bucket, expected: JsonObject): Vector {
  const { metadata, bundle, graceBundle, body = VERSION } = bucket;
  const config = blob({
    v: 1,
    endpoint: "https://s3.example.com",
    region: "eu-central-1",
    bucket: "team-secrets",
    accessKeyId: "AKIAEXAMPLE000000001",
    secretAccessKey: "example-secret-access-key",
    prefix: PREFIX,
    env: "prod",
    salt,
    iterations: FAST_ITERATIONS,
    ...bucket.config,
  });
  return {
    category: "bundle-open",
    name,
    description,
    inputs: {
      config,
      passphrase: bucket.passphrase ?? passphrase,
      manifest: { body, metadata },
      ...(graceBundle !== undefined && { grace_bundle_hex: hex(graceBundle) }),
    },
    expected: { error: null, ...expected },
    bin: bundle,
  };
}
