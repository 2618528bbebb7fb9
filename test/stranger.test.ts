// A reader written from docs/formats.md alone: nothing of this project is imported here, and nothing it is built from.
// Keys and ciphers are noble's (pure JavaScript), the archive is opened by Python, S3 requests are signed by aws4.

import { execFileSync, spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { request } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { gunzipSync } from "node:zlib";
import { gcm } from "@noble/ciphers/aes.js";
import { hkdf } from "@noble/hashes/hkdf.js";
import { hmac } from "@noble/hashes/hmac.js";
import { pbkdf2Async } from "@noble/hashes/pbkdf2.js";
import { sha256 } from "@noble/hashes/sha2.js";
import { sign } from "aws4";
import { parse } from "dotenv";
import { afterAll, beforeAll, expect, test } from "vitest";
import { describeOnBuckets } from "./buckets.ts";
import { DEMO_FILES, describeDemoVault, MULTI_LINE_VALUE, writeDemoVault } from "./demo-vault.ts";
import { makeMachine } from "./machine.ts";

const hasPython = spawnSync("python3", ["-c", "import zipfile"]).status === 0;
if (!hasPython) {
  const how = "test/stranger.test.ts opens archives by Python: install python3";
  if (process.env.VSYNC_TEST_NO_SKIP) throw new Error(how);
  process.stderr.write(`Skipped: ${how}.\n`);
}

describeOnBuckets("a reader made from the documents", (place) => {
  let folder: string;
  let config: string;
  let passphrase: string;

  beforeAll(async () => {
    if (!hasPython) return;
    folder = realpathSync(mkdtempSync(join(tmpdir(), "vsync-stranger-")));
    const machine = await makeMachine(join(folder, "machine"));
    const { flags, ...stdin } = place(folder);
    await machine.vsync(["init", "demo", "--iterations", "100000", ...flags], stdin);
    writeDemoVault(machine.vault);
    await machine.vsync(["push", "demo"]);
    config = (await machine.vsync(["runtime-token", "demo"])).stdout.trim();
    await machine.vsync(["passphrase", "show", "demo", "--out", join(folder, "passphrase")]);
    passphrase = readFileSync(join(folder, "passphrase"), "utf8").trim();
  });

  afterAll(() => hasPython && rmSync(folder, { recursive: true, force: true }));

  test.skipIf(!hasPython)("reads what was pushed, byte for byte", async () => {
    const vault = await readVault(config, passphrase, folder);
    expect(vault.generation).toBe(1);
    expect(vault.files).toEqual(describeDemoVault());
    const scalars = vault.scalars;
    expect(scalars.PRIVATE_KEY).toBe(MULTI_LINE_VALUE);
    expect(scalars).toEqual({ ...parse(Buffer.from(DEMO_FILES.get(".env.demo")?.bytes ?? [])) });
  });

  test.skipIf(!hasPython)("finds the seal to be another's under another passphrase", async () => {
    await expect(readVault(config, `${passphrase}!`, folder)).rejects.toThrow("the seal does not verify");
  });
});

interface Config {
  readonly endpoint: string;
  readonly region: string;
  readonly bucket: string;
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly prefix: string;
  readonly env: string;
  readonly salt: string;
  readonly iterations: number;
  readonly minGen: number;
}

interface ReadVault {
  readonly generation: number;
  readonly files: Map<string, string>;
  readonly scalars: Record<string, string>;
}

/** The eight steps of section 0. */
async function readVault(configText: string, passphrase: string, scratch: string): Promise<ReadVault> {
  const config = readConfig(configText);
  const { prefix } = config;

  // Section 1.
  const master = await pbkdf2Async(sha256, utf8(passphrase), utf8(config.salt), {
    c: config.iterations,
    dkLen: 32,
  });
  const sealKey = hkdf(sha256, master, undefined, utf8("vsync manifest seal v1"), 32);

  // Section 6.
  const manifest = await get(config, `${prefix}manifest`);
  const body = manifest.body.toString("latin1").replace(/^[ \t\r\n]+|[ \t\r\n]+$/g, "");
  const {
    gen = "",
    "rotated-at": rotatedAt = "",
    sha256: digest = "",
    "write-id": writeId = "",
    grace = "",
    seal,
  } = manifest.metadata;
  const sealed = ["vsync-manifest-v1", body, gen, rotatedAt, digest, writeId, grace, prefix].join("\n");
  const expected = Buffer.from(hmac(sha256, sealKey, utf8(sealed))).toString("base64url");
  if (seal !== expected) throw new Error("the seal does not verify");
  expect(gen).toMatch(/^[1-9][0-9]{0,15}$/);
  expect(writeId).toMatch(/^[0-9a-f]{32}$/);
  expect(Number(gen)).toBeGreaterThanOrEqual(config.minGen);

  const bundle = await get(config, `${prefix}v=${body}`);
  expect(Buffer.from(sha256(bundle.body)).toString("hex")).toBe(digest);
  expect(bundle.metadata).toMatchObject({ "write-id": writeId, gen });

  // Sections 2 and 3.
  expect(bundle.body.toString("latin1", 0, 4)).toBe("RQE1");
  const plaintext = Buffer.from(gcm(master, bundle.body.subarray(4, 16)).decrypt(bundle.body.subarray(16)));
  expect(plaintext.toString("latin1", 0, 8)).toBe("RQEM0001");
  expect(plaintext.toString("latin1", 8, 23)).toBe(body);

  // Section 4.
  const archive = join(scratch, "stranger.zip");
  writeFileSync(archive, plaintext.subarray(23));
  const files = listArchive(archive);
  const scalarsFile = [`.env.${config.env}`, ".env"].find((name) => files.has(name));
  const scalars = scalarsFile === undefined ? {} : parse(readFromArchive(archive, scalarsFile));
  return { generation: Number(gen), files, scalars: { ...scalars } };
}

/** Section 8. */
function readConfig(text: string): Config {
  const prefix = "vsync-cfg-v1:";
  expect(text.slice(0, prefix.length)).toBe(prefix);
  const config = JSON.parse(gunzipSync(Buffer.from(text.slice(prefix.length), "base64url")).toString());
  expect(config.v).toBe(1);
  return config as Config;
}

interface Fetched {
  readonly body: Buffer;
  readonly metadata: Record<string, string>;
}

/** Section 10. */
function get(config: Config, key: string): Promise<Fetched> {
  return config.endpoint.startsWith("file:") ? getFromFolder(config, key) : getFromS3(config, key);
}

async function getFromFolder({ endpoint, bucket }: Config, key: string): Promise<Fetched> {
  const parts = key
    .split("/")
    .map((part) => (/^\.+$/.test(part) ? "%2E".repeat(part.length) : encodeURIComponent(part)));
  const file = readFileSync(join(fileURLToPath(endpoint), bucket, ...parts));
  const lineFeed = file.indexOf(0x0a);
  const { metadata, size, sha256: digest } = JSON.parse(file.toString("utf8", 0, lineFeed));
  const body = file.subarray(lineFeed + 1);
  expect(body.length).toBe(size);
  expect(Buffer.from(sha256(body)).toString("hex")).toBe(digest);
  return { body, metadata };
}

function getFromS3(config: Config, key: string): Promise<Fetched> {
  const { hostname, host, port } = new URL(config.endpoint);
  const path = `/${config.bucket}/${key.split("/").map(encodeURIComponent).join("/")}`;
  const { headers } = sign({ service: "s3", region: config.region, host, path, method: "GET" }, config);
  return new Promise((resolve, reject) => {
    const sent = request(
      { hostname, port, path, method: "GET", headers: headers as Record<string, string> },
      (response) => {
        const chunks: Buffer[] = [];
        response.on("error", reject);
        response.on("data", (chunk: Buffer) => chunks.push(chunk));
        response.on("end", () => {
          const marked = Object.entries(response.headers).filter(([name]) => name.startsWith("x-amz-meta-"));
          const metadata = Object.fromEntries(marked.map(([name, value]) => [name.slice(11), String(value)]));
          if (response.statusCode === 200) resolve({ body: Buffer.concat(chunks), metadata });
          else reject(new Error(`GET ${path}: ${response.statusCode}`));
        });
      },
    );
    sent.on("error", reject).end();
  });
}

/** Name to length, digest and the owner's execute bit, as Python's zipfile finds them. */
function listArchive(archive: string): Map<string, string> {
  const program = `
import hashlib, json, sys, zipfile
archive = zipfile.ZipFile(sys.argv[1])
assert archive.testzip() is None
for entry in archive.infolist():
    data = archive.read(entry)
    executable = ", executable" if entry.external_attr >> 16 & 0o100 else ""
    print(json.dumps([entry.filename, f"{len(data)} bytes, {hashlib.sha256(data).hexdigest()}{executable}"]))
`;
  const lines = python(program, archive).toString().trim().split("\n");
  const pairs = lines.filter((line) => line !== "").map((line) => JSON.parse(line) as [string, string]);
  return new Map(pairs.sort(([a], [b]) => (a < b ? -1 : 1)));
}

function readFromArchive(archive: string, name: string): Buffer {
  return python(
    "import sys, zipfile\nsys.stdout.buffer.write(zipfile.ZipFile(sys.argv[1]).read(sys.argv[2]))",
    archive,
    name,
  );
}

function python(program: string, ...args: string[]): Buffer {
  return execFileSync("python3", ["-c", program, ...args], { maxBuffer: 64 * 1024 * 1024 });
}

function utf8(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}
