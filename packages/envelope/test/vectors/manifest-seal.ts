// Vectors for the verdict on a manifest: its seal, its grace seal, and what is neither. Section 6 of the format document.

import { type JsonObject, seededPassphrase, seededSalt, type Vector } from "./vector.ts";
import {
  FAST_ITERATIONS,
  type Grace,
  graceField,
  keysFor,
  type SealedFields,
  sealedMetadata,
  someDigest,
  writeId,
} from "./writer.ts";

type Metadata = Readonly<Record<string, string>>;

const passphrase = seededPassphrase("manifest-seal");
const salt = seededSalt("manifest-seal");
const oldPassphrase = seededPassphrase("manifest-seal before the rotation");
const PREFIX = "acme_shop/prod/";

const FIELDS: SealedFields = {
  body: "20260214-093000",
  gen: "7",
  sha256: someDigest("manifest-seal"),
  "write-id": writeId("manifest-seal"),
};

const OLD_BUNDLE: Grace = {
  timestamp: "20260213-180000",
  gen: "6",
  sha256: someDigest("manifest-seal before the rotation"),
  until: "99991231-235959",
};

const keys = () => keysFor(passphrase, salt, FAST_ITERATIONS);
const oldKeys = () => keysFor(oldPassphrase, salt, FAST_ITERATIONS);

export function manifestSeal(): Vector[] {
  return [...verified(), ...changed(), ...outOfForm(), ...graces(), ...withoutSeal()];
}

function verified(): Vector[] {
  const seals = (
    name: string,
    description: string,
    fields: Partial<SealedFields>,
    prefix = PREFIX,
  ): Vector => {
    const all = { ...FIELDS, ...fields };
    return vector(name, description, "verified", sealedMetadata(keys(), prefix, all), {
      prefix,
      body: all.body,
    });
  };
  return [
    seals("verified", "A sealed manifest", {}),
    seals("verified-first-generation", "Generation 1", { gen: "1" }),
    seals("verified-last-generation", "Generation 2^53-1", { gen: "9007199254740991" }),
    seals("verified-rotated", "After a rotation", { "rotated-at": "2026-02-14T09:30:00Z" }),
    seals("verified-with-grace", "A rotation with a grace period, read under the new passphrase", {
      "rotated-at": "2026-02-14T09:30:00Z",
      grace: graceField(oldKeys(), PREFIX, OLD_BUNDLE),
    }),
    seals("verified-with-grace-over", "The same when the period is over: nothing but the seal counts", {
      "rotated-at": "2000-01-01T00:00:00Z",
      grace: graceField(oldKeys(), PREFIX, { ...OLD_BUNDLE, until: "20000102-000000" }),
    }),
    seals("verified-empty-prefix", "At the root of the bucket", {}, ""),
    seals("verified-unicode-prefix", "A prefix outside ASCII is sealed as UTF-8", {}, "équipe/прод/"),
    seals("verified-leap-day", "A version of 29 February", { body: "20240229-235959" }),
    vector("verified-other-metadata", "Metadata that the seal does not cover", "verified", {
      ...sealedMetadata(keys(), PREFIX, FIELDS),
      "uploaded-by": "rclone",
    }),
    ...bodies(),
  ];
}

/** A reader trims space, tab, CR and LF around the body before it looks at it. */
function bodies(): Vector[] {
  const metadata = sealedMetadata(keys(), PREFIX, FIELDS);
  return [
    ["line-feed", `${FIELDS.body}\n`],
    ["crlf", `${FIELDS.body}\r\n`],
    ["blanks", `\t ${FIELDS.body} \t`],
  ].map(([name, body]) =>
    vector(`verified-body-${name}`, "White space that an editor left around the body", "verified", metadata, {
      body: String(body),
    }),
  );
}

/** Genuine once, then touched by somebody without the passphrase. */
function changed(): Vector[] {
  const genuine = sealedMetadata(keys(), PREFIX, { ...FIELDS, "rotated-at": "2026-02-14T09:30:00Z" });
  const graced = sealedMetadata(keys(), PREFIX, {
    ...FIELDS,
    grace: graceField(oldKeys(), PREFIX, OLD_BUNDLE),
  });
  const { gen: _gen, ...noGen } = genuine;
  const { sha256: _sha256, ...noDigest } = genuine;
  const { "write-id": _writeId, ...noWriteId } = genuine;
  const { "rotated-at": _rotatedAt, ...noRotation } = genuine;
  const { grace: _grace, ...noGrace } = graced;
  const seal = genuine.seal!;
  const fails = (name: string, description: string, metadata: Metadata, inputs: JsonObject = {}): Vector =>
    vector(`failed-${name}`, description, "failed", metadata, inputs);
  return [
    fails("other-passphrase", "Another passphrase", genuine, { passphrase: seededPassphrase("other") }),
    fails("passphrase-newline", "The passphrase with a line break", genuine, {
      passphrase: `${passphrase}\n`,
    }),
    fails("other-salt", "Another salt", genuine, { salt: seededSalt("other") }),
    fails("other-iterations", "Another count", genuine, { iterations: FAST_ITERATIONS + 1 }),
    fails("moved", "Copied to another prefix", genuine, { prefix: "acme_shop/staging/" }),
    fails("moved-to-root", "Copied to the root of the bucket", genuine, { prefix: "" }),
    fails("prefix-without-slash", "The prefix without its slash", genuine, { prefix: "acme_shop/prod" }),
    fails("body-changed", "Another version in the body", genuine, { body: "20260214-093001" }),
    fails("gen-raised", "The generation raised", { ...genuine, gen: "8" }),
    fails("gen-lowered", "The generation lowered", { ...genuine, gen: "6" }),
    fails("gen-removed", "No generation", noGen),
    fails("sha256-changed", "Another digest", { ...genuine, sha256: someDigest("other") }),
    fails("sha256-removed", "No digest", noDigest),
    fails("write-id-changed", "Another write-id", { ...genuine, "write-id": writeId("other") }),
    fails("write-id-removed", "No write-id", noWriteId),
    fails("rotated-at-changed", "Another time of rotation", {
      ...genuine,
      "rotated-at": "2026-02-14T09:30:01Z",
    }),
    fails("rotated-at-removed", "No time of rotation", noRotation),
    fails("grace-cut-out", "Grace removed", noGrace),
    fails("grace-spliced-in", "A grace period that this seal does not cover", {
      ...genuine,
      grace: graceField(oldKeys(), PREFIX, OLD_BUNDLE),
    }),
    fails("seal-bit", "The first bit of the seal flipped", {
      ...genuine,
      seal: (seal[0] === "A" ? "g" : "A") + seal.slice(1),
    }),
    fails(
      "seal-under-master",
      "Sealed with the master key in place of the seal key",
      sealedMetadata({ ...keys(), sealKey: keys().master }, PREFIX, FIELDS),
    ),
    fails(
      "seal-under-chain-key",
      "Sealed with the audit chain's key",
      sealedMetadata({ ...keys(), sealKey: keys().chainKey }, PREFIX, FIELDS),
    ),
  ];
}

/** Sealed by a holder of the passphrase, over values that do not have their form: no seal over those counts. */
function outOfForm(): Vector[] {
  const forms: readonly [string, Partial<SealedFields>][] = [
    ["gen-0", { gen: "0" }],
    ["gen-leading-zeros", { gen: "007" }],
    ["gen-plus", { gen: "+7" }],
    ["gen-negative", { gen: "-1" }],
    ["gen-fraction", { gen: "7.0" }],
    ["gen-exponent", { gen: "1e3" }],
    ["gen-1e400", { gen: "1e400" }],
    ["gen-hexadecimal", { gen: "0x7" }],
    ["gen-space", { gen: " 7" }],
    ["gen-letters", { gen: "3abc" }],
    ["gen-empty", { gen: "" }],
    ["gen-2-to-53", { gen: "9007199254740992" }],
    ["gen-17-digits", { gen: "10000000000000000" }],
    ["gen-arabic-digit", { gen: "\u0667" }],
    ["sha256-upper-case", { sha256: FIELDS.sha256.toUpperCase() }],
    ["sha256-63-digits", { sha256: FIELDS.sha256.slice(1) }],
    ["sha256-65-digits", { sha256: `${FIELDS.sha256}0` }],
    ["sha256-base64", { sha256: Buffer.from(FIELDS.sha256, "hex").toString("base64") }],
    ["write-id-upper-case", { "write-id": "ABCDEF0123456789ABCDEF0123456789" }],
    ["write-id-31-digits", { "write-id": FIELDS["write-id"].slice(1) }],
    ["rotated-at-milliseconds", { "rotated-at": "2026-02-14T09:30:00.000Z" }],
    ["rotated-at-offset", { "rotated-at": "2026-02-14T09:30:00+00:00" }],
    ["rotated-at-lower-case", { "rotated-at": "2026-02-14t09:30:00z" }],
    ["rotated-at-version-form", { "rotated-at": "20260214-093000" }],
    ["body-month-13", { body: "20261314-093000" }],
    ["body-30-february", { body: "20260230-093000" }],
    ["body-iso", { body: "2026-02-14T09:30:00Z" }],
    ["body-html", { body: "<html><body>Sign in</body></html>" }],
    ["body-empty", { body: "" }],
    ["grace-junk", { grace: "later" }],
    [
      "grace-four-parts",
      { grace: graceField(oldKeys(), PREFIX, OLD_BUNDLE).split(".").slice(0, 4).join(".") },
    ],
  ];
  return forms.map(([name, fields]) => {
    const all = { ...FIELDS, ...fields };
    const description = `Sealed over ${JSON.stringify(fields)}, which is no form of that field`;
    return vector(`failed-form-${name}`, description, "failed", sealedMetadata(keys(), PREFIX, all), {
      body: all.body,
    });
  });
}

/** Read under the passphrase from before the rotation. */
function graces(): Vector[] {
  const read = (
    name: string,
    description: string,
    verdict: string,
    grace: string,
    inputs: JsonObject = {},
  ): Vector =>
    vector(name, description, verdict, sealedMetadata(keys(), PREFIX, { ...FIELDS, grace }), {
      passphrase: oldPassphrase,
      ...inputs,
    });
  const grace = (changes: Partial<Grace> = {}, prefix = PREFIX): string =>
    graceField(oldKeys(), prefix, { ...OLD_BUNDLE, ...changes });
  const parts = grace().split(".");
  const swap = (index: number, value: string): string =>
    parts.map((part, at) => (at === index ? value : part)).join(".");
  return [
    read("grace", "A grace period that lasts", "grace", grace()),
    read(
      "grace-first-generation",
      "The bundle before the rotation was the first",
      "grace",
      grace({ gen: "1" }),
    ),
    read("grace-over", "A grace period that is over", "grace-over", grace({ until: "20000101-000000" })),
    read("failed-grace-third-passphrase", "Neither the new passphrase nor the old", "failed", grace(), {
      passphrase: seededPassphrase("third"),
    }),
    read(
      "failed-grace-other-prefix",
      "A grace seal for another prefix",
      "failed",
      grace({}, "acme_shop/staging/"),
    ),
    read("failed-grace-moved", "The whole manifest copied to another prefix", "failed", grace(), {
      prefix: "acme_shop/staging/",
    }),
    read(
      "failed-grace-prolonged",
      "The end of the period put off",
      "failed",
      grace({ until: "20000101-000000" }).replace("20000101", "99991231"),
    ),
    read("failed-grace-timestamp-changed", "Another bundle named", "failed", swap(0, "20260212-180000")),
    read("failed-grace-gen-changed", "Another generation", "failed", swap(1, "5")),
    read("failed-grace-sha256-changed", "Another digest", "failed", swap(2, someDigest("other"))),
    read("failed-grace-seal-changed", "Another grace seal", "failed", swap(4, `${"A".repeat(42)}E`)),
    read("failed-grace-gen-form", "A generation of leading zeros, sealed", "failed", grace({ gen: "006" })),
    read(
      "failed-grace-until-form",
      "An end that is no real date, sealed",
      "failed",
      grace({ until: "99991331-235959" }),
    ),
    read(
      "failed-grace-sha256-form",
      "An upper-case digest, sealed",
      "failed",
      grace({ sha256: OLD_BUNDLE.sha256.toUpperCase() }),
    ),
    read("failed-grace-six-parts", "A part too many", "failed", `${grace()}.x`),
  ];
}

function withoutSeal(): Vector[] {
  const { seal: _, ...unsealed } = sealedMetadata(keys(), PREFIX, FIELDS);
  return [
    vector("unsealed", "The seal removed, or a writer that does not seal", "unsealed", unsealed),
    vector("unsealed-no-metadata", "No metadata at all", "unsealed", {}),
    vector(
      "unsealed-line-feed",
      "A body written by hand",
      "unsealed",
      { gen: "3" },
      { body: `${FIELDS.body}\n` },
    ),
    vector("malformed-padded", "A seal with base64 padding", "malformed", {
      ...unsealed,
      seal: `${"A".repeat(43)}=`,
    }),
    vector("malformed-short", "A seal of 42 characters", "malformed", { ...unsealed, seal: "A".repeat(42) }),
    vector("malformed-standard-base64", "A seal in standard base64", "malformed", {
      ...unsealed,
      seal: `+/${"A".repeat(41)}`,
    }),
    vector("malformed-hexadecimal", "A seal in hex", "malformed", { ...unsealed, seal: "ab".repeat(32) }),
    vector("malformed-space", "A seal with a space after it", "malformed", {
      ...unsealed,
      seal: `${"A".repeat(43)} `,
    }),
  ];
}

function vector(
  name: string,
  description: string,
  verdict: string,
  metadata: Metadata,
  inputs: JsonObject = {},
): Vector {
  return {
    category: "manifest-seal",
    name,
    description,
    inputs: {
      passphrase,
      salt,
      iterations: FAST_ITERATIONS,
      prefix: PREFIX,
      body: FIELDS.body,
      metadata,
      ...inputs,
    },
    expected: { error: null, verdict },
  };
}
