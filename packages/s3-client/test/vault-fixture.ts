// Vaults made by the writer's half of the formats, for the reader to open.

import { mkdtempSync, rmSync } from "node:fs";
import { chmod, mkdir, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import {
  deriveKeys,
  encodeConfigBlob,
  type GraceBundle,
  sealBundle,
  sealGrace,
  sealManifest,
  utf8,
  type VaultConfig,
  type VaultFile,
  type VaultKeys,
} from "@vsync/envelope";
import { encodeFolderHeader, keyToPath } from "@vsync/store/folder-object";
import { afterAll } from "vitest";

export interface TestObject {
  body: Uint8Array;
  metadata: Record<string, string>;
}

export type TestObjects = Map<string, TestObject>;

export interface TestVault {
  readonly passphrase: string;
  readonly keys: VaultKeys;
  readonly files: ReadonlyMap<string, VaultFile>;
  readonly timestamp: string;
  readonly generation: number;
  /** By key. Change it at will: a test's server serves what is there. */
  readonly objects: TestObjects;
  readonly config: VaultConfig;
}

export const PASSPHRASE = "correct horse battery staple";
export const SALT = "c2FsdHNhbHRzYWx0c2FsdHNh";
/** The fewest that a reader accepts: most tests are not about how long a derivation takes. */
export const ITERATIONS = 100_000;
export const TIMESTAMP = "20260102-030405";
export const PREFIX = "app/prod/";

export const FILES: Readonly<Record<string, string>> = {
  ".env.prod": 'DATABASE_URL=postgres://db\nEMPTY=\nMULTI="one\ntwo"\n__proto__=ordinary\n',
  "tls/server.crt": "-----BEGIN CERTIFICATE-----\n",
  "größe.txt": "ü",
};

export function vaultFiles(texts: Readonly<Record<string, string | Uint8Array>>): Map<string, VaultFile> {
  const entries = Object.entries(texts).map(([name, content]) => {
    const bytes = typeof content === "string" ? utf8(content) : content;
    return [name, { bytes, executable: false }] as const;
  });
  return new Map(entries);
}

let derived: Promise<VaultKeys> | undefined;

/** The keys of {@link PASSPHRASE}, derived once for all tests of a file. */
export function testKeys(): Promise<VaultKeys> {
  derived ??= deriveKeys(PASSPHRASE, SALT, ITERATIONS);
  return derived;
}

export interface VaultOptions {
  readonly files?: Readonly<Record<string, string | Uint8Array>>;
  readonly passphrase?: string;
  readonly salt?: string;
  readonly iterations?: number;
  readonly prefix?: string;
  readonly timestamp?: string;
  readonly generation?: number;
  readonly minGen?: number;
  readonly grace?: string;
}

/** A vault that was pushed once. Its config still needs an endpoint. */
export async function makeVault(options: VaultOptions = {}): Promise<TestVault> {
  const {
    passphrase = PASSPHRASE,
    salt = SALT,
    iterations = ITERATIONS,
    prefix = PREFIX,
    timestamp = TIMESTAMP,
    generation = 3,
  } = options;
  const usual = passphrase === PASSPHRASE && salt === SALT && iterations === ITERATIONS;
  const keys = usual ? await testKeys() : await deriveKeys(passphrase, salt, iterations);
  const files = vaultFiles(options.files ?? FILES);
  const objects: TestObjects = new Map();
  const sha256 = await putBundle(objects, keys, prefix, timestamp, files);
  const writeId = "0123456789abcdef0123456789abcdef";
  const grace = options.grace === undefined ? {} : { grace: options.grace };
  const manifest = await sealManifest(keys, prefix, { timestamp, generation, sha256, writeId, ...grace });
  objects.set(`${prefix}manifest`, manifest);
  const config: VaultConfig = {
    endpoint: "http://127.0.0.1:1",
    region: "eu-test-1",
    bucket: "test-bucket",
    accessKeyId: "AKIDTEST",
    secretAccessKey: "secret/Key+Test",
    prefix,
    env: "prod",
    salt,
    iterations,
    ...(options.minGen !== undefined && { minGen: options.minGen }),
  };
  return { passphrase, keys, files, timestamp, generation, objects, config };
}

async function putBundle(
  objects: TestObjects,
  keys: VaultKeys,
  prefix: string,
  timestamp: string,
  files: ReadonlyMap<string, VaultFile>,
): Promise<string> {
  const { bytes, sha256 } = await sealBundle(keys, timestamp, files);
  objects.set(`${prefix}v=${timestamp}`, { body: bytes, metadata: {} });
  return sha256;
}

/** A vault after a rotation: its manifest is sealed under `next`, with a grace period for PASSPHRASE until `until`. */
export async function makeRotatedVault(
  until: string,
  grace: Partial<GraceBundle> = {},
): Promise<{ vault: TestVault; next: TestVault }> {
  const vault = await makeVault({ generation: 6, timestamp: "20260101-000000" });
  const bundle = vault.objects.get(`${PREFIX}v=20260101-000000`) as TestObject;
  const { bundleDigest } = await import("@vsync/envelope");
  const sealed = await sealGrace(vault.keys, PREFIX, {
    timestamp: "20260101-000000",
    generation: 6,
    sha256: await bundleDigest(bundle.body),
    until,
    ...grace,
  });
  const next = await makeVault({
    passphrase: "the passphrase after rotation",
    generation: 7,
    grace: sealed,
    files: { ".env.prod": "DATABASE_URL=rotated\n" },
  });
  for (const [key, object] of next.objects) vault.objects.set(key, object);
  return { vault, next };
}

export function blob(vault: TestVault, changes: Partial<VaultConfig> = {}): Promise<string> {
  return encodeConfigBlob({ ...vault.config, ...changes });
}

const folders: string[] = [];
afterAll(() => {
  for (const folder of folders) rmSync(folder, { recursive: true, force: true });
});

/** Writes the objects into a new folder bucket and returns its endpoint. */
export async function folderEndpoint(
  objects: TestObjects,
  { everyone = false }: { readonly everyone?: boolean } = {},
): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), "vsync-reader-"));
  folders.push(folder);
  if (everyone) await chmod(folder, 0o755);
  const endpoint = pathToFileURL(folder).href;
  await writeObjects(endpoint, objects);
  return endpoint;
}

export async function writeObjects(endpoint: string, objects: TestObjects): Promise<void> {
  const bucket = join(fileURLToPath(endpoint), "test-bucket");
  await mkdir(bucket, { recursive: true });
  for (const [key, { body, metadata }] of objects) {
    const path = keyToPath(bucket, key) as string;
    await mkdir(dirname(path), { recursive: true });
    await writeFile(path, Buffer.concat([encodeFolderHeader(body, metadata), body]));
  }
}
