// A folder bucket that is not as it should be.

import { spawnSync } from "node:child_process";
import { chmodSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { VaultConfig } from "@vsync/envelope";
import { encodeFolderHeader } from "@vsync/store/folder-object";
import { beforeAll, beforeEach, expect, test } from "vitest";
import { openWith } from "../src/index.ts";
import { type BuiltReader, buildReader, runModule } from "./built-reader.ts";
import { blob, folderEndpoint, makeVault, PASSPHRASE, type TestVault } from "./vault-fixture.ts";

const unreachable = { name: "S3UnreachableError", code: "VSYNC_S3_UNREACHABLE" };
const corrupt = { name: "BundleCorruptError", code: "VSYNC_BUNDLE_CORRUPT" };
const notFound = { name: "ManifestNotFoundError", code: "VSYNC_MANIFEST_NOT_FOUND" };

let vault: TestVault;
let endpoint: string;
let bucket: string;
let manifest: string;
let bundle: string;
beforeEach(async () => {
  vault = await makeVault();
  endpoint = await folderEndpoint(vault.objects, { everyone: true });
  bucket = join(fileURLToPath(endpoint), "test-bucket");
  manifest = join(bucket, "app/prod/manifest");
  bundle = join(bucket, "app/prod/v%3D20260102-030405");
});

async function open(changes: Partial<VaultConfig> = {}) {
  const v = await openWith({ config: await blob(vault, { endpoint, ...changes }), passphrase: PASSPHRASE });
  return v.getEnv("DATABASE_URL");
}

function message(pattern: RegExp) {
  return { message: expect.stringMatching(pattern) };
}

test("no bucket folder: unreachable, as with a missing bucket", async () => {
  rmSync(bucket, { recursive: true });
  await expect(open()).rejects.toMatchObject({
    ...unreachable,
    ...message(/folder that is not there; mount it/),
  });
  writeFileSync(bucket, "a file");
  await expect(open()).rejects.toMatchObject({ ...unreachable, ...message(/folder that is not there/) });
});

test("no manifest, or a folder or a file in its way: not found", async () => {
  rmSync(manifest);
  await expect(open()).rejects.toMatchObject(notFound);
  rmSync(join(bucket, "app"), { recursive: true });
  await expect(open()).rejects.toMatchObject(notFound);
  writeFileSync(join(bucket, "app"), "a file");
  await expect(open()).rejects.toMatchObject(notFound);
});

test("no bundle: corrupt", async () => {
  rmSync(bundle);
  await expect(open()).rejects.toMatchObject({ ...corrupt, ...message(/not in the bucket/) });
});

test("a folder or a FIFO in place of an object: corrupt, without waiting for a writer", async () => {
  rmSync(manifest);
  mkdirSync(manifest);
  await expect(open()).rejects.toMatchObject({ ...corrupt, ...message(/is not a regular file/) });
  rmSync(manifest, { recursive: true });
  expect(spawnSync("mkfifo", [manifest]).status).toBe(0);
  await expect(open()).rejects.toMatchObject({ ...corrupt, ...message(/is not a regular file/) });
});

test("a file that no store wrote, or that was cut or changed since: corrupt", async () => {
  const whole = Buffer.concat([
    encodeFolderHeader(Buffer.from("20260102-030405"), {}),
    Buffer.from("20260102-030405"),
  ]);
  const changed = Buffer.from(whole);
  changed[changed.length - 1] = 0x36;
  for (const [bytes, words] of [
    [Buffer.from("20260102-030405"), /has no header line/],
    [whole.subarray(0, -1), /holds 14 bytes where its header says 15/],
    [changed, /SHA-256/],
    [Buffer.alloc(0), /has no header line/],
  ] as const) {
    writeFileSync(manifest, bytes);
    await expect(open()).rejects.toMatchObject({ ...corrupt, ...message(words) });
  }
});

test("a manifest beyond the limit: corrupt, unread", async () => {
  writeFileSync(manifest, Buffer.alloc(64 * 1024 + 1024 + 1));
  await expect(open()).rejects.toMatchObject({ ...corrupt, ...message(/over the limit of 1024 bytes/) });
});

test("prefixes that are strange but legal lie where the writer puts them", async () => {
  for (const prefix of ["", ".../", "a b/ü/%2e/", "v=1/'*/"]) {
    const strange = await makeVault({ prefix });
    const at = await folderEndpoint(strange.objects);
    const config = await blob(strange, { endpoint: at });
    const v = await openWith({ config, passphrase: PASSPHRASE });
    expect([v.getEnv("DATABASE_URL"), await v.remoteGeneration()]).toEqual(["postgres://db", 3]);
  }
});

test("an endpoint or a bucket that can be no folder: a damaged config", async () => {
  for (const changes of [
    { bucket: ".." },
    { bucket: "." },
    { bucket: "a/b" },
    { endpoint: "file:///tmp/a%2Fb" },
  ]) {
    await expect(open(changes)).rejects.toMatchObject({ ...corrupt, ...message(/`vsync runtime-token`/) });
  }
});

test("polling: a manifest that is gone, and a bucket that is", async () => {
  const config = await blob(vault, { endpoint });
  await using v = await openWith({ config, passphrase: PASSPHRASE });
  rmSync(manifest);
  await expect(v.remoteGeneration()).rejects.toMatchObject(notFound);
  rmSync(bucket, { recursive: true });
  await expect(v.remoteGeneration()).rejects.toMatchObject(unreachable);
});

test("reading writes nothing, not even a lock", async () => {
  // An ordinary user, who may read the folder and nothing else.
  const reader: BuiltReader = await built;
  const { stdout, code } = await openAsOrdinaryUser(reader);
  expect({ stdout, code }).toEqual({ stdout: "postgres://db", code: 0 });
});

let built: Promise<BuiltReader>;
beforeAll(async () => {
  built = buildReader();
  await built;
});

async function openAsOrdinaryUser(reader: BuiltReader) {
  const config = await blob(vault, { endpoint });
  const source = `
    const { openWith } = await import(${JSON.stringify(reader.node)});
    const text = (error) => [error.name, error.message, error.cause?.message].join("|");
    process.stdout.write(
      await openWith(${JSON.stringify({ config, passphrase: PASSPHRASE })}).then((v) => v.getEnv("DATABASE_URL"), text));`;
  return runModule(source, { ordinaryUser: true });
}

test("not permitted: unreachable with a hint", async () => {
  for (const path of [manifest, bundle, join(bucket, "app"), bucket]) {
    chmodSync(path, 0o000);
    const { stdout } = await openAsOrdinaryUser(await built);
    chmodSync(path, 0o755);
    expect(stdout).toBe(
      "S3UnreachableError|the vault's bucket is a folder that cannot be read (EACCES); let this user read it|EACCES",
    );
  }
});
