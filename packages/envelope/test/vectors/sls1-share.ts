// Vectors for SLS1, the share file. Section 5 of the format document.

import {
  type ErrorName,
  type Json,
  type JsonObject,
  seededBytes,
  seededPassphrase,
  seededSalt,
  type Vector,
} from "./vector.ts";
import { DEFAULT_ITERATIONS, envelope, gzip, keysFor } from "./writer.ts";

const WORDS = "orbit-velvet-canyon-ribbon-thunder-maple";

const PAYLOAD = {
  version: 1,
  repo: "acme_shop",
  env: "prod",
  config: {
    version: 1,
    s3: {
      endpoint: "https://s3.example.com",
      region: "eu-central-1",
      bucket: "team-secrets",
      accessKeyId: "AKIAEXAMPLE000000001",
      secretAccessKey: seededBytes("sls1-share", "secretAccessKey", 30).toString("base64"),
      useSsl: true,
    },
    encryption: { salt: seededSalt("sls1-vault"), iterations: 600_000 },
    prefix: "acme_shop/prod/",
    files: { vaultFolder: "infra/vault/prod" },
    audit: { enabled: true },
  },
  key: seededPassphrase("sls1-vault"),
} as const satisfies JsonObject;

export function sls1Share(): Vector[] {
  const { config } = PAYLOAD;
  return [
    opens("six-words", "A passphrase of six words", PAYLOAD),
    opens("every-field", "All optional fields of a config", {
      ...PAYLOAD,
      config: {
        ...config,
        singleWriter: true,
        minGen: 12,
        sync: { gh: { repo: "acme/shop" } },
        initProfile: "acme",
      },
    }),
    opens(
      "chosen-passphrase",
      "A passphrase outside ASCII, and a vault key that is no base64",
      { ...PAYLOAD, key: " ключ с пробелами " },
      "mañana por la mañana",
    ),
    opens(
      "gzip-stored",
      "Another writer's gzip",
      PAYLOAD,
      WORDS,
      gzip(json(PAYLOAD), { level: 0, os: 3, time: 1_700_000_000 }),
    ),
    ...badFrame(),
    ...badPlaintext(),
  ];
}

function badFrame(): Vector[] {
  const whole = shareOf("frame", base64Text(gzip(json(PAYLOAD))));
  const salt = whole.subarray(5, 29);
  const inner = whole.subarray(29);
  const frame = (magic: string, length: number, saltBytes: Uint8Array = salt): Buffer =>
    Buffer.concat([Buffer.from(magic), Buffer.of(length), saltBytes, inner]);
  const flipped = Buffer.from(whole);
  flipped[whole.length - 1]! ^= 1;
  const innerVersion = Buffer.from(whole);
  innerVersion[29 + 3] = 0x32;
  const innerMagic = Buffer.from(whole);
  innerMagic[29] = 0x72;
  return [
    refuses("wrong-passphrase", "Another passphrase", "WrongPassphraseError", whole, `${WORDS}-maple`),
    refuses(
      "passphrase-with-spaces",
      "Spaces for the hyphens",
      "WrongPassphraseError",
      whole,
      WORDS.replaceAll("-", " "),
    ),
    refuses("flip-tag", "One bit of the tag flipped", "WrongPassphraseError", flipped),
    refuses(
      "byte-appended",
      "One byte after the tag",
      "WrongPassphraseError",
      Buffer.concat([whole, Buffer.of(0)]),
    ),
    ...[0, 3, 4, 5, 28, 29, 33, 60].map((length) =>
      refuses(
        `cut-to-${String(length).padStart(2, "0")}`,
        `The first ${length} bytes: magic, salt and the shortest envelope have 61`,
        "BundleCorruptError",
        whole.subarray(0, length),
      ),
    ),
    refuses("magic-lower-case", "sls1", "BundleCorruptError", frame("sls1", 24)),
    refuses("magic-envelope", "An envelope without the share's frame", "BundleCorruptError", inner),
    refuses(
      "salt-length-0",
      "A salt of no characters",
      "BundleCorruptError",
      frame("SLS1", 0, Buffer.alloc(0)),
    ),
    refuses(
      "salt-length-0-lying",
      "A salt length of 0 before a salt",
      "BundleCorruptError",
      frame("SLS1", 0),
    ),
    refuses("salt-length-23", "A salt length one short", "BundleCorruptError", frame("SLS1", 23)),
    refuses(
      "salt-length-past-the-end",
      "A salt length of 255 in a shorter file",
      "BundleCorruptError",
      frame("SLS1", 255).subarray(0, 200),
    ),
    refuses("inner-version", "RQE2 inside", "UnsupportedSpecVersionError", innerVersion),
    refuses("inner-magic", "No envelope inside", "BundleCorruptError", innerMagic),
  ];
}

function badPlaintext(): Vector[] {
  const text = json(PAYLOAD);
  const zipped = gzip(text);
  const bad = (name: string, description: string, plaintext: Uint8Array): Vector =>
    refuses(name, description, "BundleCorruptError", shareOf(name, plaintext));
  const payload = (name: string, description: string, value: Json): Vector =>
    bad(name, description, base64Text(gzip(json(value))));
  const { key: _, ...withoutKey } = PAYLOAD;
  const lists = "[".repeat(10_000) + "]".repeat(10_000);
  return [
    bad("not-base64", "gzip without base64", zipped),
    bad(
      "base64-junk",
      "A character that is no base64",
      Buffer.concat([base64Text(zipped), Buffer.from("!")]),
    ),
    bad("not-gzip", "base64 of JSON", base64Text(text)),
    bad("gzip-two-members", "Two members", base64Text(Buffer.concat([zipped, gzip(Buffer.alloc(0))]))),
    bad("gzip-trailing-byte", "A byte after the member", base64Text(Buffer.concat([zipped, Buffer.of(0)]))),
    bad("gzip-crc", "A wrong CRC-32", base64Text(gzip(text, { crc: 1 }))),
    bad("not-json", "gzip of something else", base64Text(gzip(Buffer.from("share")))),
    bad(
      "bomb",
      "1 MiB of spaces after the JSON",
      base64Text(gzip(Buffer.concat([text, Buffer.alloc(1 << 20, " ")]))),
    ),
    payload("json-array", "An array", [PAYLOAD]),
    payload("key-missing", "No key", withoutKey),
    payload("key-number", "A key that is a number", { ...PAYLOAD, key: 1 }),
    payload("config-null", "A config of null", { ...PAYLOAD, config: null }),
    bad(
      "config-nested-deep",
      "A config with 10,000 lists, one in the other: more than JSON can be written from again",
      base64Text(gzip(Buffer.from(text.toString().replace('"config":{', `"config":{"nested":${lists},`)))),
    ),
  ];
}

function json(value: Json): Buffer {
  return Buffer.from(JSON.stringify(value));
}

function base64Text(bytes: Uint8Array): Buffer {
  return Buffer.from(Buffer.from(bytes).toString("base64"));
}

function shareOf(name: string, plaintext: Uint8Array, passphrase: string = WORDS): Buffer {
  // One salt for all that share a passphrase: 600,000 iterations each would make the corpus slow to run.
  const salt = seededBytes(`sls1-share ${passphrase}`, "salt", 16).toString("base64");
  const { master } = keysFor(passphrase, salt, DEFAULT_ITERATIONS);
  return Buffer.concat([
    Buffer.from("SLS1"),
    Buffer.of(salt.length),
    Buffer.from(salt),
    envelope(name, master, plaintext),
  ]);
}

function opens(
  name: string,
  description: string,
  payload: JsonObject,
  passphrase = WORDS,
  gzipped = gzip(json(payload)),
): Vector {
  return {
    category: "sls1-share",
    name,
    description,
    inputs: { passphrase },
    expected: { error: null, payload_json: payload },
    bin: shareOf(name, base64Text(gzipped), passphrase),
  };
}

function refuses(
  name: string,
  description: string,
  error: ErrorName,
  bin: Uint8Array,
  passphrase = WORDS,
): Vector {
  return {
    category: "sls1-share",
    name,
    description,
    inputs: { passphrase },
    expected: { error, payload_json: null },
    bin,
  };
}
