import { mkdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { gunzipSync, gzipSync } from "node:zlib";
import { describe, expect, test } from "vitest";
import {
  type EnvConfig,
  loadEnvConfig,
  parseEnvConfig,
  requireEnvConfig,
  saveEnvConfig,
} from "../src/config/env-config.ts";
import { configFolder, envConfigPath, stateFolder } from "../src/config/paths.ts";
import {
  listProfiles,
  loadProfile,
  type Profile,
  removeProfile,
  saveProfile,
} from "../src/config/profiles.ts";
import { makeWorkplace } from "./workplace.ts";

const CONFIG: EnvConfig = {
  version: 1,
  s3: {
    endpoint: "https://s3.example",
    region: "r",
    bucket: "b",
    accessKeyId: "id",
    secretAccessKey: "secret",
    useSsl: true,
  },
  encryption: { salt: "saltsaltsalt", iterations: 600_000 },
  prefix: "a/demo/",
  files: { vaultFolder: "infra/vault/demo" },
  audit: { enabled: true },
};

describe("an environment's config", () => {
  test("comes back as it was saved, from gzipped JSON of mode 0600", () => {
    const { host } = makeWorkplace().context();
    const config = {
      ...CONFIG,
      singleWriter: true,
      minGen: 3,
      sync: { gh: ["x"] },
      initProfile: "p",
      fromALaterRelease: 1,
    };
    saveEnvConfig(host, "acme", "demo", config);
    const path = envConfigPath(host, "acme", "demo");
    expect(loadEnvConfig(host, "acme", "demo")).toEqual(config);
    expect(JSON.parse(gunzipSync(readFileSync(path)).toString())).toEqual(config);
    expect(statSync(path).mode & 0o777).toBe(0o600);
  });

  test("that is not there is null, or NOT_CONFIGURED with what to run", () => {
    const { host } = makeWorkplace().context();
    expect(loadEnvConfig(host, "acme", "demo")).toBeNull();
    expect(() => requireEnvConfig(host, "acme", "demo")).toThrow(
      expect.objectContaining({ code: "NOT_CONFIGURED", hint: expect.stringContaining("vsync init demo") }),
    );
  });

  test.each<[string, Uint8Array]>([
    ["empty", new Uint8Array()],
    ["not gzip", Buffer.from("{}")],
    ["cut short", gzipSync(JSON.stringify(CONFIG)).subarray(0, 60)],
    ["not JSON", gzipSync("nonsense")],
    ["a bomb", gzipSync(JSON.stringify({ ...CONFIG, padding: " ".repeat(64 * 1024 * 1024) }))],
    ["of another version", gzipSync(JSON.stringify({ ...CONFIG, version: 2 }))],
  ])("that is %s is CORRUPT", (_, bytes) => {
    const { host } = makeWorkplace().context();
    saveEnvConfig(host, "acme", "demo", CONFIG);
    writeFileSync(envConfigPath(host, "acme", "demo"), bytes);
    expect(() => loadEnvConfig(host, "acme", "demo")).toThrow(expect.objectContaining({ code: "CORRUPT" }));
  });

  test.each<[string, unknown]>([
    ["null", null],
    ["a list", [CONFIG]],
    ["without s3", { ...CONFIG, s3: undefined }],
    ["with a number for a bucket", { ...CONFIG, s3: { ...CONFIG.s3, bucket: 1 } }],
    ["with iterations as text", { ...CONFIG, encryption: { ...CONFIG.encryption, iterations: "600000" } }],
    ["with minGen below 0", { ...CONFIG, minGen: -1 }],
    ["with minGen beyond 2^53", { ...CONFIG, minGen: 2 ** 53 }],
    ["with singleWriter as text", { ...CONFIG, singleWriter: "false" }],
    ["without a vault folder", { ...CONFIG, files: {} }],
  ])("%s is none", (_, value) => {
    expect(parseEnvConfig(value)).toBeNull();
  });
});

describe("profiles", () => {
  const PROFILE: Profile = {
    version: 1,
    ...{ endpoint: "https://s3.example", region: "r", bucket: "b" },
    accessKeyId: "id",
    secretAccessKey: "s",
  };

  test("are saved, listed in order, loaded and removed", () => {
    const { host } = makeWorkplace().context();
    expect(listProfiles(host)).toEqual([]);
    saveProfile(host, "work", PROFILE);
    saveProfile(host, "home", { ...PROFILE, prefix: "p" });
    expect(listProfiles(host)).toEqual(["home", "work"]);
    expect(loadProfile(host, "home")).toEqual({ ...PROFILE, prefix: "p" });
    expect(statSync(join(configFolder(host), "profiles/work.json")).mode & 0o777).toBe(0o600);
    removeProfile(host, "home");
    expect([listProfiles(host), loadProfile(host, "home")]).toEqual([["work"], null]);
  });

  test.each([
    "nonsense",
    "null",
    JSON.stringify({ ...PROFILE, version: 2 }),
    JSON.stringify({ ...PROFILE, bucket: 1 }),
  ])("%s is CORRUPT", (text) => {
    const { host } = makeWorkplace().context();
    saveProfile(host, "work", PROFILE);
    writeFileSync(join(configFolder(host), "profiles/work.json"), text);
    expect(() => loadProfile(host, "work")).toThrow(expect.objectContaining({ code: "CORRUPT" }));
  });

  test.each(["", "..", "a/b", "-x", "a.b"])("%j cannot name one", (name) => {
    expect(() => loadProfile(makeWorkplace().context().host, name)).toThrow(
      expect.objectContaining({ code: "INPUT" }),
    );
  });
});

describe("the folders", () => {
  test("are those of XDG, by default below HOME", () => {
    const { home, context } = makeWorkplace();
    expect([configFolder(context().host), stateFolder(context().host)]).toEqual([
      join(home, ".config/vsync"),
      join(home, ".local/state/vsync"),
    ]);
    const { host } = context({ env: { XDG_CONFIG_HOME: "/c", XDG_STATE_HOME: "/s" } });
    expect([configFolder(host), stateFolder(host)]).toEqual(["/c/vsync", "/s/vsync"]);
  });

  test.each(["", "relative/path"])("%j is no XDG folder and is ignored", (value) => {
    const { home, context } = makeWorkplace();
    expect(configFolder(context({ env: { XDG_CONFIG_HOME: value } }).host)).toBe(join(home, ".config/vsync"));
  });

  test("that others may write are not written into", () => {
    const { home, context } = makeWorkplace();
    mkdirSync(join(home, ".config/vsync/config/acme"), { recursive: true, mode: 0o700 });
    const before = process.umask(0);
    mkdirSync(join(home, ".config/vsync/profiles"), { mode: 0o777 });
    process.umask(before);
    expect(() => saveProfile(context().host, "work", { version: 1 } as Profile)).toThrow(
      expect.objectContaining({ code: "LOCAL_IO" }),
    );
  });
});
