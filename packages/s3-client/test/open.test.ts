import { utf8 } from "@vsync/envelope";
import { afterEach, expect, test } from "vitest";
import { OpenVault } from "../src/handle.ts";
import { type OpenOptions, openWith, type Vault } from "../src/index.ts";
import { serveS3 } from "./s3-loopback.ts";
import { blob, FILES, folderEndpoint, makeVault, PASSPHRASE } from "./vault-fixture.ts";

const vault = await makeVault({ minGen: 3 });
const folder = await folderEndpoint(vault.objects);

async function openFolder(options: OpenOptions = {}): Promise<Vault> {
  return openWith({ config: await blob(vault, { endpoint: folder }), passphrase: PASSPHRASE, ...options });
}

afterEach(() => {
  for (const name of ["ONLY_IN_ENV", "DATABASE_URL", "EMPTY"]) delete process.env[name];
});

test("a folder bucket and S3 give the same vault, byte for byte", async () => {
  await using server = await serveS3(vault.objects);
  for (const endpoint of [folder, server.endpoint]) {
    await using v = await openWith({ config: await blob(vault, { endpoint }), passphrase: PASSPHRASE });
    expect(v.getEnv("DATABASE_URL")).toBe("postgres://db");
    expect(v.getEnv("MULTI")).toBe("one\ntwo");
    expect(v.generation()).toBe(3);
    for (const [name, text] of Object.entries(FILES)) expect(v.getAsContent(name)).toEqual(utf8(text));
    expect(await v.remoteGeneration()).toBe(3);
    expect(await v.hasNewVersion()).toBe(false);
  }
});

test("the whole opening is two GETs over one connection, and none stays open", async () => {
  await using server = await serveS3(vault.objects);
  await openWith({ config: await blob(vault, { endpoint: server.endpoint }), passphrase: PASSPHRASE });
  expect(server.seen.map(({ method, path }) => `${method} ${path}`)).toEqual([
    "GET /test-bucket/app/prod/manifest",
    "GET /test-bucket/app/prod/v%3D20260102-030405",
  ]);
  expect(server.accepted()).toBe(1);
  await server.idle();
});

test("values come from the vault, then the environment of the moment, then the defaults, then nowhere", async () => {
  await using v = await openFolder({ defaults: { ONLY_DEFAULT: "d", ONLY_IN_ENV: "d", DATABASE_URL: "d" } });
  const ask = (key: string) => [v.getEnv(key), v.envSource(key), v.hasEnv(key)];
  process.env.DATABASE_URL = "from the environment";
  expect(ask("DATABASE_URL")).toEqual(["postgres://db", "vault", true]);
  expect(ask("ONLY_IN_ENV")).toEqual(["d", "default", true]);
  process.env.ONLY_IN_ENV = "e";
  expect(ask("ONLY_IN_ENV")).toEqual(["e", "env", true]);
  delete process.env.ONLY_IN_ENV;
  expect(ask("ONLY_IN_ENV")).toEqual(["d", "default", true]);
  expect(ask("ONLY_DEFAULT")).toEqual(["d", "default", true]);
  expect(ask("NOWHERE")).toEqual([null, "missing", false]);
});

test("an empty string is a value, wherever it stands", async () => {
  await using v = await openFolder({ defaults: { NOTHING_BY_DEFAULT: "", ONLY_IN_ENV: "d" } });
  process.env.EMPTY = "set in the environment";
  process.env.ONLY_IN_ENV = "";
  const ask = (key: string) => [v.getEnv(key), v.envSource(key), v.hasEnv(key)];
  expect(ask("EMPTY")).toEqual(["", "vault", true]);
  expect(ask("ONLY_IN_ENV")).toEqual(["", "env", true]);
  expect(ask("NOTHING_BY_DEFAULT")).toEqual(["", "default", true]);
});

test("names that every object inherits are ordinary keys", async () => {
  await using v = await openFolder();
  expect([v.getEnv("__proto__"), v.envSource("__proto__")]).toEqual(["ordinary", "vault"]);
  for (const name of ["constructor", "toString", "hasOwnProperty"]) {
    expect([v.getEnv(name), v.envSource(name), v.hasEnv(name)]).toEqual([null, "missing", false]);
  }
});

test("defaults are taken as they were at open", async () => {
  const defaults: Record<string, string> = { PORT: "1" };
  await using v = await openFolder({ defaults });
  defaults.PORT = "2";
  defaults.LATER = "x";
  expect([v.getEnv("PORT"), v.getEnv("LATER")]).toEqual(["1", null]);
});

test("a default that is not a string is the caller's bug", async () => {
  const defaults = { PORT: 8080 } as unknown as Record<string, string>;
  await expect(openFolder({ defaults })).rejects.toThrow(
    new TypeError('the default for "PORT" is not a string'),
  );
});

test("a content is a copy: writing into it changes nothing", async () => {
  await using v = await openFolder();
  const first = v.getAsContent("tls/server.crt");
  expect(Object.getPrototypeOf(first)).toBe(Uint8Array.prototype);
  first.fill(0);
  expect(v.getAsContent("tls/server.crt")).toEqual(utf8(FILES["tls/server.crt"] as string));
});

test("a content that is no file is the vault's value of that name, and never the environment's or a default", async () => {
  await using v = await openFolder({ defaults: { ONLY_DEFAULT: "d" } });
  process.env.ONLY_IN_ENV = "e";
  expect(v.getAsContent("MULTI")).toEqual(utf8("one\ntwo"));
  expect(v.getAsContent("EMPTY")).toEqual(new Uint8Array(0));
  for (const name of ["ONLY_IN_ENV", "ONLY_DEFAULT", "/tls/server.crt", "./tls/server.crt", "tls", ""]) {
    expect(() => v.getAsContent(name)).toThrow(
      expect.objectContaining({ name: "VSyncError", code: "VSYNC_CONTENT_NOT_FOUND" }),
    );
  }
});

test("the scalars are those of .env.<env>, or of .env when there is none", async () => {
  const plain = await makeVault({ files: { ".env": "A=plain\n", ".env.dev": "A=dev\nB=dev\n" } });
  const both = await makeVault({ files: { ".env": "A=plain\nB=plain\n", ".env.prod": "A=prod\n" } });
  const none = await makeVault({ files: {} });
  const values = await Promise.all(
    [plain, both, none].map(async (each) => {
      const config = await blob(each, { endpoint: await folderEndpoint(each.objects) });
      await using v = await openWith({ config, passphrase: PASSPHRASE });
      return [v.getEnv("A"), v.getEnv("B")];
    }),
  );
  expect(values).toEqual([
    ["plain", null],
    ["prod", null],
    [null, null],
  ]);
});

test("after close every accessor throws VSYNC_CLOSED, and closing again does nothing", async () => {
  const v = await openFolder();
  await v.close();
  await v.close();
  const closed = expect.objectContaining({ name: "VSyncError", code: "VSYNC_CLOSED" });
  expect(() => v.getEnv("DATABASE_URL")).toThrow(closed);
  expect(() => v.hasEnv("NOWHERE")).toThrow(closed);
  expect(() => v.envSource("DATABASE_URL")).toThrow(closed);
  expect(() => v.getAsContent("tls/server.crt")).toThrow(closed);
  expect(() => v.generation()).toThrow(closed);
  await expect(v.remoteGeneration()).rejects.toThrow(closed);
  await expect(v.hasNewVersion()).rejects.toThrow(closed);
});

test("leaving an `await using` block closes", async () => {
  let outside: Vault;
  {
    await using v = await openFolder();
    outside = v;
    expect(v.generation()).toBe(3);
  }
  expect(() => outside.generation()).toThrow(expect.objectContaining({ code: "VSYNC_CLOSED" }));
});

test("close overwrites the decrypted files", async () => {
  const bytes = utf8("-----BEGIN PRIVATE KEY-----");
  const v = new OpenVault({
    env: "prod",
    files: new Map([["tls/server.key", { bytes, executable: false }]]),
    defaults: new Map(),
    generation: 1,
    manifestGeneration: 1,
    readRemoteGeneration: async () => 1,
  });
  await v.close();
  expect(bytes).toEqual(new Uint8Array(bytes.length));
});
