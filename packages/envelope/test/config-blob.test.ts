import { execFileSync } from "node:child_process";
import { deflateRawSync, gunzipSync, gzipSync } from "node:zlib";
import { describe, expect, test } from "vitest";
import { decodeConfigBlob, encodeConfigBlob, type VaultConfig } from "../src/config-blob.ts";
import { fromBase64, fromBase64url, toBase64, toBase64url, utf8 } from "../src/encoding.ts";
import {
  BundleCorruptError,
  ConfigMissingError,
  ConfigUnsupportedVersionError,
  WrongPassphraseError,
} from "../src/errors.ts";
import { gunzip, wrapGzip } from "../src/gzip.ts";
import { decodeShare, encodeShare, type SharePayload } from "../src/sls1.ts";

const config: VaultConfig = {
  endpoint: "https://s3.example.com",
  region: "eu-central-1",
  bucket: "acme-secrets",
  accessKeyId: "AKIAEXAMPLE",
  secretAccessKey: "not a real secret",
  prefix: "acme_app/prod/",
  env: "prod",
  salt: "c2FsdHNhbHRzYWx0c2FsdHNh",
  iterations: 600_000,
};
const blobOf = (json: string) => `vsync-cfg-v1:${gzipSync(json).toString("base64url")}`;
const blobWith = (change: object) => blobOf(JSON.stringify({ v: 1, ...config, ...change }));

test("a config comes back, and encodes to the same text every time", async () => {
  const full = { ...config, minGen: 12, sessionToken: "token" };
  const blob = await encodeConfigBlob(full);
  expect(await decodeConfigBlob(blob)).toEqual(full);
  expect(await encodeConfigBlob(await decodeConfigBlob(blob))).toBe(blob);
  expect(Object.keys(JSON.parse(gunzipSync(Buffer.from(blob.slice(13), "base64url")).toString()))).toEqual([
    "v",
    ...Object.keys(full),
  ]);
});

test("a lowest generation of 0 is one: it demands a seal", async () => {
  expect(await decodeConfigBlob(blobWith({ minGen: 0 }))).toEqual({ ...config, minGen: 0 });
});

test("a blob made with the shell's gzip and base64 is read", async () => {
  const script = 'printf "%s" "$JSON" | gzip | base64 -w0 | tr "+/" "-_" | tr -d "="';
  const encoded = execFileSync("sh", ["-c", script], {
    env: { ...process.env, JSON: JSON.stringify({ v: 1, ...config, later: true }) },
  });
  expect(await decodeConfigBlob(`vsync-cfg-v1:${encoded}`)).toEqual(config);
});

test.each([
  "",
  "{}",
  "vsync-cfg-v2:abc",
  "VSYNC-CFG-V1:abc",
  " vsync-cfg-v1:abc",
  "\ufeffvsync-cfg-v1:abc",
  "abc",
])("%j is no blob", (text) => expect(decodeConfigBlob(text)).rejects.toThrow(ConfigMissingError));

test("standard base64 and later versions are unsupported", async () => {
  const blob = await encodeConfigBlob(config);
  for (const text of [`${blob}=`, `${blob}+`, `${blob}/`, blobWith({ v: 2 }), blobWith({ v: "1" })]) {
    await expect(decodeConfigBlob(text)).rejects.toThrow(ConfigUnsupportedVersionError);
  }
});

test("white space at the end is named: minting again would not take it off", async () => {
  for (const space of [" ", "\n", "\r\n"]) {
    const decoding = decodeConfigBlob(`${blobWith({})}${space}`);
    await expect(decoding).rejects.toThrow(BundleCorruptError);
    await expect(decoding).rejects.toThrow(/take it off .* VSYNC_CONFIG_FILE/);
  }
});

describe("a damaged blob is corrupt", () => {
  const gzipped = gzipSync(JSON.stringify({ v: 1, ...config }));
  const cases: Record<string, string> = {
    "a character that Node skips": "vsync-cfg-v1:ab\ncd",
    "no bytes": "vsync-cfg-v1:",
    "no gzip": "vsync-cfg-v1:aGVsbG8",
    "two members": `vsync-cfg-v1:${Buffer.concat([gzipped, gzipped]).toString("base64url")}`,
    "a byte behind": `vsync-cfg-v1:${Buffer.concat([gzipped, Buffer.of(0)]).toString("base64url")}`,
    "a bomb": `vsync-cfg-v1:${gzipSync(Buffer.alloc(1 << 26)).toString("base64url")}`,
    "no JSON": blobOf("{"),
    "a list": blobOf("[]"),
    "very deep JSON": blobOf("[".repeat(60_000)),
    "no version": blobOf(JSON.stringify(config)),
    "not UTF-8": `vsync-cfg-v1:${gzipSync(Buffer.from([0x22, 0xff, 0x22])).toString("base64url")}`,
    "iterations as text": blobWith({ iterations: "600000" }),
    "one iteration": blobWith({ iterations: 1 }),
    "a billion iterations": blobWith({ iterations: 1e9 }),
    "a short salt": blobWith({ salt: "short" }),
    "a bucket of another type": blobWith({ bucket: 1 }),
    "no bucket": blobWith({ bucket: undefined }),
    "an empty bucket": blobWith({ bucket: "" }),
    "a prefix with ..": blobWith({ prefix: "a/../b/" }),
    "a prefix without slash": blobWith({ prefix: "a" }),
    "a prefix with a line feed": blobWith({ prefix: "a\n/" }),
    "an endpoint without scheme": blobWith({ endpoint: "s3.example.com" }),
    "an endpoint with credentials": blobWith({ endpoint: "https://a:b@s3.example.com" }),
    "an endpoint with a query": blobWith({ endpoint: "https://s3.example.com?x=1" }),
    "a file endpoint with a host": blobWith({ endpoint: "file://host/path" }),
    "a negative minGen": blobWith({ minGen: -1 }),
    "a minGen that is null": blobWith({ minGen: null }),
    "a minGen beyond 2^53-1": blobWith({ minGen: 2 ** 53 }),
    "a session token of another type": blobWith({ sessionToken: 1 }),
  };
  test.each(Object.entries(cases))("%s", async (_name, text) => {
    await expect(decodeConfigBlob(text)).rejects.toThrow(BundleCorruptError);
    await expect(decodeConfigBlob(text)).rejects.toThrow(/vsync runtime-token/);
  });

  test("every cut", async () => {
    const blob = blobWith({});
    for (let cut = 13; cut < blob.length; cut += 3) {
      await expect(decodeConfigBlob(blob.slice(0, cut))).rejects.toThrow(BundleCorruptError);
    }
  });

  test("of a field that is there twice the last one counts, for its checks as well", async () => {
    const json = JSON.stringify({ v: 1, ...config });
    const twice = (first: string, last: string) =>
      blobOf(json.replace("{", `{${first},`).replace(/}$/, `,${last}}`));
    expect(await decodeConfigBlob(twice('"minGen":1', '"minGen":7'))).toEqual({ ...config, minGen: 7 });
    await expect(decodeConfigBlob(twice('"minGen":7', '"minGen":null'))).rejects.toThrow(BundleCorruptError);
    await expect(decodeConfigBlob(twice('"v":1', '"v":2'))).rejects.toThrow(ConfigUnsupportedVersionError);
  });

  test("names like __proto__ reach no prototype", async () => {
    const decoded = await decodeConfigBlob(
      blobOf(JSON.stringify({ v: 1, ...config }).replace("{", '{"__proto__":{"minGen":5},')),
    );
    expect(decoded).toEqual(config);
  });
});

describe("gzip", () => {
  test("fields of the header that other writers set are stepped over", async () => {
    const content = utf8("content");
    const plain = wrapGzip(content, new Uint8Array(deflateRawSync(content)));
    // An extra field of 258 zeros, which end no name; a name, a comment, a checksum of the header.
    const fixed = [31, 139, 8, 2 | 4 | 8 | 16, 1, 2, 3, 4, 0, 3];
    const header = Uint8Array.of(...fixed, 2, 1, ...new Uint8Array(258), 97, 0, 98, 0, 7, 7);
    const full = Uint8Array.of(...header, ...plain.subarray(10));
    expect(await gunzip(full, 100)).toEqual(content);
    expect(await gunzip(full, 6)).toBeNull();
    for (let cut = 0; cut < full.length; cut++) expect(await gunzip(full.subarray(0, cut), 100)).toBeNull();
  });

  test("each bit of magic, method and reserved flags counts, and each of checksum and size", async () => {
    const content = utf8("content");
    const plain = wrapGzip(content, new Uint8Array(deflateRawSync(content)));
    const counted = [0, 1, 2, ...Array.from({ length: 8 }, (_, i) => plain.length - 8 + i)];
    for (const at of counted) {
      for (let bit = 0; bit < 8; bit++) {
        expect(await gunzip(plain.with(at, (plain[at] as number) ^ (1 << bit)), 1 << 20)).toBeNull();
      }
    }
    for (const flag of [32, 64, 128]) expect(await gunzip(plain.with(3, flag), 100)).toBeNull();
  });

  test("the platform reads ours", () => {
    const content = utf8("content ".repeat(50));
    expect(gunzipSync(wrapGzip(content, deflateRawSync(content))).toString()).toBe("content ".repeat(50));
  });
});

describe("base64 has one spelling", () => {
  test.each([0, 1, 2, 3, 4, 70_000])("%i bytes come back", (length) => {
    const bytes = Uint8Array.from({ length }, (_, i) => (i * 7) & 0xff);
    expect(fromBase64(toBase64(bytes))).toEqual(bytes);
    expect(fromBase64url(toBase64url(bytes))).toEqual(bytes);
    expect(toBase64(bytes)).toBe(Buffer.from(bytes).toString("base64"));
  });
  test.each([
    "A",
    "AA",
    "AB==",
    "AAB=",
    "A===",
    "AAAA=",
    "AA=A",
    "AA\n=",
    " AAA",
    "AAAA AAAA",
    "AAAA    AAAA",
  ])("%j is none", (text) => expect(fromBase64(text)).toBeNull());
  test.each(["A", "AB", "AAB", "AA==", "A+AA"])("%j is none of base64url", (text) =>
    expect(fromBase64url(text)).toBeNull(),
  );
});

describe("SLS1", () => {
  const payload: SharePayload = {
    version: 1,
    repo: "acme_app",
    env: "prod",
    config: { version: 1 },
    key: "the vault's passphrase",
  };

  test("comes back under its passphrase only", async () => {
    const share = await encodeShare("six words", payload);
    expect(Buffer.from(share.subarray(0, 5)).toString("latin1")).toBe("SLS1\x18");
    expect(await decodeShare("six words", share)).toEqual(payload);
    await expect(decodeShare("six word", share)).rejects.toThrow(WrongPassphraseError);
  });

  test("damage outside the ciphertext is told apart from a wrong passphrase", async () => {
    const share = await encodeShare("six words", payload);
    for (const at of [0, 3, 4, 28, 30]) {
      const damaged = share.slice();
      damaged[at] = 0x20;
      await expect(decodeShare("six words", damaged)).rejects.toThrow(BundleCorruptError);
    }
    for (const cut of [0, 4, 5, 20, 29, 60]) {
      await expect(decodeShare("six words", share.subarray(0, cut))).rejects.toThrow(BundleCorruptError);
    }
  });
});
