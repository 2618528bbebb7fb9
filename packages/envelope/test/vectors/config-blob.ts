// Vectors for VSYNC_CONFIG. Section 8 of the format document.

import type { ErrorName, Json, JsonObject, Vector } from "./vector.ts";
import { seededBytes, seededSalt } from "./vector.ts";
import { type GzipForm, gzip } from "./writer.ts";

const MAGIC = "vsync-cfg-v1:";

export const BASE_CONFIG: JsonObject = {
  v: 1,
  endpoint: "https://s3.example.com",
  region: "eu-central-1",
  bucket: "team-secrets",
  accessKeyId: "AKIAEXAMPLE000000001",
  secretAccessKey: seededBytes("config-blob", "secretAccessKey", 30).toString("base64"),
  prefix: "acme_shop/prod/",
  env: "prod",
  salt: seededSalt("config-blob"),
  // The fewest, since a reader derives its key before it finds that there is no such bucket.
  iterations: 100_000,
};

/** The blob of a config's JSON; a string is taken as it is. */
export function blob(config: Json, form: GzipForm = {}): string {
  return blobOf(gzip(Buffer.from(typeof config === "string" ? config : JSON.stringify(config)), form));
}

function blobOf(gzipped: Uint8Array): string {
  return MAGIC + Buffer.from(gzipped).toString("base64url");
}

export function configBlob(): Vector[] {
  return [...accepted(), ...notForUs(), ...badText(), ...badGzip(), ...badJson(), ...badFields()];
}

function accepted(): Vector[] {
  const decodes = (name: string, description: string, fields: JsonObject, text?: string): Vector => {
    const config = { ...BASE_CONFIG, ...fields };
    return vector(name, description, null, text ?? blob(config), config);
  };
  const { v: _, ...rest } = BASE_CONFIG;
  const backwards = Object.fromEntries(Object.entries(BASE_CONFIG).reverse());
  const withUnknown = { future: { nested: [1, null, "x"] }, ...BASE_CONFIG, V: 2, Endpoint: "other" };
  const edge = 64 * 1024 - JSON.stringify({ ...BASE_CONFIG, padding: "" }).length;
  return [
    decodes("required-fields", "The ten required fields in their order", {}),
    decodes("min-gen-0", "minGen 0: no manifest yet when the token was made", { minGen: 0 }),
    decodes("min-gen", "minGen", { minGen: 17 }),
    decodes("min-gen-max", "The largest generation, 2^53-1", { minGen: 2 ** 53 - 1 }),
    decodes("session-token", "minGen and sessionToken", {
      minGen: 3,
      sessionToken: "FwoGZXIvYXdzEXAMPLE/+==",
    }),
    decodes("prefix-empty", "A vault at the root of its bucket", { prefix: "" }),
    decodes("prefix-one-part", "A prefix of one part", { prefix: "prod/" }),
    decodes("prefix-dots-in-names", "Dots inside a part are no `..`", { prefix: "a..b/.hidden/v1.2/" }),
    decodes("prefix-unicode", "A prefix outside ASCII", { prefix: "équipe/прод/" }),
    decodes("endpoint-http", "Plain HTTP with a port", { endpoint: "http://127.0.0.1:9000" }),
    decodes("endpoint-https-port", "HTTPS with a port", { endpoint: "https://minio.internal:9443" }),
    decodes("endpoint-folder", "A folder bucket", { endpoint: "file:///srv/vsync" }),
    decodes("iterations-default", "The default of 600,000 iterations", { iterations: 600_000 }),
    decodes("iterations-max", "The most iterations", { iterations: 10_000_000 }),
    decodes("salt-8-bytes", "The shortest salt", { salt: "saltsalt" }),
    decodes("salt-8-bytes-of-4-characters", "The limit counts UTF-8 bytes", {
      salt: "s\u00e4lt\u00e4\u00e4",
    }),
    decodes("fields-backwards", "Readers do not mind the order", {}, blob(backwards)),
    decodes("unknown-fields", "Unknown fields are ignored, and case counts", {}, blob(withUnknown)),
    decodes(
      "proto-field",
      "`__proto__` and `constructor` are unknown fields like any other",
      {},
      blob(`{"__proto__":{"minGen":99},"constructor":"x",${JSON.stringify(BASE_CONFIG).slice(1)}`),
    ),
    decodes(
      "json-indented",
      "White space between the tokens",
      {},
      blob(JSON.stringify(BASE_CONFIG, null, 2)),
    ),
    decodes(
      "json-escapes",
      "Escaped characters",
      {},
      blob(JSON.stringify(BASE_CONFIG).replace("prod/", "\\u0070rod\\/")),
    ),
    decodes(
      "number-spelling",
      "A number is its value: 1e5",
      {},
      blob(`{${JSON.stringify(rest).slice(1, -1).replace("100000", "1e5")},"v":1.0}`),
    ),
    decodes(
      "gzip-stored",
      "Another writer's gzip: stored, not deflated",
      {},
      blob(BASE_CONFIG, { level: 0 }),
    ),
    decodes(
      "gzip-name-and-time",
      "Another writer's gzip: with a file name and a time",
      {},
      blob(BASE_CONFIG, {
        name: "config.json",
        time: 1_700_000_000,
        os: 3,
      }),
    ),
    decodes(
      "unpacked-64-kib",
      "Exactly 64 KiB unpacked",
      {},
      blob({ ...BASE_CONFIG, padding: "x".repeat(edge) }),
    ),
  ];
}

/** Not a blob of this version. */
function notForUs(): Vector[] {
  const good = blob(BASE_CONFIG);
  const missing = (name: string, description: string, text: string): Vector =>
    vector(name, description, "ConfigMissingError", text);
  const unsupported = (name: string, description: string, text: string): Vector =>
    vector(name, description, "ConfigUnsupportedVersionError", text);
  return [
    missing("empty", "An empty string", ""),
    missing("prefix-v2", "The prefix of another release", good.replace("v1", "v2")),
    missing("prefix-cut", "Cut before the colon", "vsync-cfg-v1"),
    missing("prefix-upper-case", "The prefix in upper case", good.replace("vsync-cfg-v1", "VSYNC-CFG-V1")),
    missing("prefix-absent", "The base64url alone", good.slice(MAGIC.length)),
    missing("raw-json", "The JSON itself", JSON.stringify(BASE_CONFIG)),
    missing("space-before", "A space in front", ` ${good}`),
    missing("line-feed-before", "A line feed in front", `\n${good}`),
    missing("bom-before", "A byte order mark in front", `\ufeff${good}`),
    missing("quoted", "In quotes, as a shell script might leave it", `"${good}"`),
    missing("assignment", "The whole line of a .env file", `VSYNC_CONFIG=${good}`),
    unsupported("padding", "base64 padding at the end", `${good}=`),
    unsupported("standard-base64-plus", "A + of standard base64", `${MAGIC}+${good.slice(MAGIC.length + 1)}`),
    unsupported("standard-base64-slash", "A / of standard base64", `${good.slice(0, -4)}/${good.slice(-3)}`),
    unsupported("version-2", "v is 2", blob({ ...BASE_CONFIG, v: 2 })),
    unsupported("version-0", "v is 0", blob({ ...BASE_CONFIG, v: 0 })),
    unsupported(
      "version-2-other-fields",
      "v is 2 and nothing else is as we know it",
      blob({ v: 2, store: {} }),
    ),
  ];
}

function badText(): Vector[] {
  const good = blob(BASE_CONFIG);
  const middle = good.length >> 1;
  return [
    corrupt("nothing-after-prefix", "The prefix alone", MAGIC),
    corrupt("line-feed-after", "A line feed at the end: the variable is taken verbatim", `${good}\n`),
    corrupt("crlf-after", "CR and LF at the end", `${good}\r\n`),
    corrupt("space-after", "A space at the end", `${good} `),
    corrupt("space-inside", "A space inside", `${good.slice(0, middle)} ${good.slice(middle)}`),
    corrupt("wrapped", "Wrapped at 76 characters", good.replace(/.{76}/g, "$&\n")),
    corrupt(
      "exclamation-mark",
      "A character of no base64 alphabet",
      `${good.slice(0, middle)}!${good.slice(middle + 1)}`,
    ),
    corrupt("full-stop", "A full stop at the end", `${good}.`),
    corrupt("nul", "A NUL at the end", `${good}\0`),
    corrupt("non-ascii", "A letter outside ASCII", `${good.slice(0, middle)}\u00e9${good.slice(middle + 1)}`),
    corrupt("one-character-cut", "One character cut off", good.slice(0, -1)),
    corrupt("half", "The first half", good.slice(0, middle)),
    corrupt("one-character", "One character of base64url is no byte", `${MAGIC}A`),
    corrupt("unused-bits", "Unused bits of the last character that are not zero", unusedBits()),
    corrupt("twice", "Two blobs, one after the other", good + good.slice(MAGIC.length)),
  ];
}

/** A blob whose last character carries two bits of data and four that every decoder drops. */
function unusedBits(): string {
  const candidates = ["", "1", "12", "123"].map((padding) => blob({ ...BASE_CONFIG, padding }));
  const text = candidates.find((candidate) => (candidate.length - MAGIC.length) % 4 === 2) ?? "";
  const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
  return text.slice(0, -1) + alphabet[alphabet.indexOf(text.slice(-1)) + 1];
}

function badGzip(): Vector[] {
  const json = Buffer.from(JSON.stringify(BASE_CONFIG));
  const good = gzip(json);
  const flipped = Buffer.from(good);
  flipped[30]! ^= 0x10;
  const edge = 64 * 1024 - JSON.stringify({ ...BASE_CONFIG, padding: "" }).length;
  return [
    corrupt("not-gzip", "JSON that is not compressed", blobOf(json)),
    corrupt("gzip-magic-only", "The two bytes of gzip and nothing more", blobOf(good.subarray(0, 2))),
    corrupt("gzip-header-only", "The header of gzip and nothing more", blobOf(good.subarray(0, 10))),
    corrupt("gzip-cut", "The trailer is missing", blobOf(good.subarray(0, -8))),
    corrupt("gzip-cut-by-one", "The last byte is missing", blobOf(good.subarray(0, -1))),
    corrupt("gzip-raw-deflate", "A deflate stream without header and trailer", blobOf(good.subarray(10, -8))),
    corrupt("gzip-crc", "A wrong CRC-32", blobOf(gzip(json, { crc: 0 }))),
    corrupt("gzip-size", "A wrong size", blobOf(gzip(json, { size: json.length + 1 }))),
    corrupt("gzip-reserved-flag", "A reserved flag", blobOf(gzip(json, { flags: 0x80 }))),
    corrupt("gzip-bit-flipped", "One bit of the stream flipped", blobOf(flipped)),
    corrupt("gzip-trailing-byte", "A byte after the member", blobOf(Buffer.concat([good, Buffer.of(0)]))),
    corrupt(
      "gzip-two-members",
      "A second, empty member",
      blobOf(Buffer.concat([good, gzip(Buffer.alloc(0))])),
    ),
    corrupt(
      "gzip-split-in-members",
      "The JSON split over two members",
      blobOf(Buffer.concat([gzip(json.subarray(0, 50)), gzip(json.subarray(50))])),
    ),
    corrupt("gzip-empty", "A member of nothing", blobOf(gzip(Buffer.alloc(0)))),
    corrupt(
      "unpacked-64-kib-and-1",
      "One byte over 64 KiB unpacked",
      blob({ ...BASE_CONFIG, padding: "x".repeat(edge + 1) }),
    ),
    corrupt(
      "bomb",
      "1 MiB of spaces after the JSON",
      blobOf(gzip(Buffer.concat([json, Buffer.alloc(1 << 20, " ")]))),
    ),
    corrupt(
      "bomb-lying",
      "The same with a small size in the trailer",
      blobOf(gzip(Buffer.concat([json, Buffer.alloc(1 << 20, " ")]), { size: json.length })),
    ),
  ];
}

function badJson(): Vector[] {
  const text = JSON.stringify(BASE_CONFIG);
  const invalid = Buffer.from(text.replace("eu-central-1", "eu-?"));
  invalid[invalid.indexOf("?")] = 0xff;
  return [
    corrupt("json-cut", "JSON without its last brace", blob(text.slice(0, -1))),
    corrupt("json-trailing-comma", "A comma too many", blob(text.replace(/}$/, ",}"))),
    corrupt("json-single-quotes", "Single quotes", blob(text.replaceAll('"', "'"))),
    corrupt("json-comment", "A comment", blob(`${text} // prod`)),
    corrupt("json-nan", "NaN is no JSON", blob(text.replace("100000", "NaN"))),
    corrupt("json-bom", "A byte order mark before the JSON", blob(`\ufeff${text}`)),
    corrupt("json-two-documents", "Two documents", blob(text + text)),
    corrupt("json-not-utf-8", "A byte that is not UTF-8", blobOf(gzip(invalid))),
    corrupt("json-utf-16", "UTF-16", blobOf(gzip(Buffer.from(text, "utf16le")))),
    corrupt("json-array", "An array", blob([BASE_CONFIG])),
    corrupt("json-null", "null", blob("null")),
    corrupt("json-string", "A string", blob('"vsync"')),
    corrupt("json-number", "A number", blob("1")),
    corrupt("json-empty-object", "An object without any field but the version", blob('{"v":1}')),
  ];
}

function badFields(): Vector[] {
  const { v: _, ...fields } = BASE_CONFIG;
  const required = Object.keys(fields).flatMap((field) => {
    const { [field]: value, ...rest } = BASE_CONFIG;
    const name = field.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
    const otherType = typeof value === "number" ? String(value) : 1;
    return [
      corrupt(`${name}-missing`, `No ${field}`, blob(rest)),
      corrupt(`${name}-null`, `${field} is null`, blob({ ...BASE_CONFIG, [field]: null })),
      corrupt(
        `${name}-type`,
        `${field} is a ${typeof otherType}`,
        blob({ ...BASE_CONFIG, [field]: otherType }),
      ),
    ];
  });
  const outOfBounds: readonly [string, JsonObject][] = [
    ["salt-7-bytes", { salt: "saltsal" }],
    ["salt-empty", { salt: "" }],
    ["iterations-0", { iterations: 0 }],
    ["iterations-1", { iterations: 1 }],
    ["iterations-99999", { iterations: 99_999 }],
    ["iterations-10000001", { iterations: 10_000_001 }],
    ["iterations-1e9", { iterations: 1e9 }],
    ["iterations-fraction", { iterations: 600_000.5 }],
    ["iterations-negative", { iterations: -600_000 }],
    ["min-gen-negative", { minGen: -1 }],
    ["min-gen-fraction", { minGen: 1.5 }],
    ["min-gen-string", { minGen: "1" }],
    ["min-gen-null", { minGen: null }],
    ["min-gen-true", { minGen: true }],
    ["min-gen-2-to-53", { minGen: 2 ** 53 }],
    ["session-token-number", { sessionToken: 1 }],
    ["endpoint-empty", { endpoint: "" }],
    ["endpoint-no-scheme", { endpoint: "s3.example.com" }],
    ["endpoint-ftp", { endpoint: "ftp://s3.example.com" }],
    ["endpoint-javascript", { endpoint: "javascript:alert(1)" }],
    ["endpoint-credentials", { endpoint: "https://user:secret@s3.example.com" }],
    ["endpoint-query", { endpoint: "https://s3.example.com?x=1" }],
    ["endpoint-fragment", { endpoint: "https://s3.example.com#x" }],
    ["endpoint-relative-folder", { endpoint: "file:srv/vsync" }],
    ["prefix-without-slash", { prefix: "acme_shop/prod" }],
    ["prefix-parent", { prefix: "acme_shop/../prod/" }],
    ["prefix-dot", { prefix: "./prod/" }],
    ["prefix-line-feed", { prefix: "acme\nshop/" }],
    ["prefix-nul", { prefix: "acme\0shop/" }],
  ];
  return [
    ...required,
    ...outOfBounds.map(([name, field]) =>
      corrupt(`bad-${name}`, `${JSON.stringify(field)} is out of bounds`, blob({ ...BASE_CONFIG, ...field })),
    ),
    corrupt(
      "bad-iterations-1e400",
      "A count beyond every number",
      blob(JSON.stringify(BASE_CONFIG).replace("100000", "1e400")),
    ),
    corrupt(
      "bad-min-gen-1e400",
      "minGen beyond every number",
      blob(JSON.stringify(BASE_CONFIG).replace('"v":1', '"v":1,"minGen":1e400')),
    ),
  ];
}

function corrupt(name: string, description: string, text: string): Vector {
  return vector(name, description, "BundleCorruptError", text);
}

function vector(
  name: string,
  description: string,
  error: ErrorName | null,
  text: string,
  config: JsonObject | null = null,
): Vector {
  return {
    category: "config-blob",
    name,
    description,
    inputs: {},
    expected: { error, config_json: config },
    bin: Buffer.from(text),
  };
}
