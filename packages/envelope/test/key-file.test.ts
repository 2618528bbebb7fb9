// The key file: several environments under one passphrase of their own.

import { expect, test } from "vitest";
import { BundleCorruptError, WrongPassphraseError } from "../src/errors.ts";
import { decodeKeyFile, encodeKeyFile, type KeyFileEnvironment } from "../src/slk1.ts";
import { decodeShare } from "../src/sls1.ts";

const prod = {
  repo: "shop",
  env: "prod",
  config: { version: 1 },
  key: "a passphrase",
  origins: ["git.example/shop"],
};
const dev = { ...prod, env: "dev", replaced: "the one before", older: ["the one before that"], origins: [] };

const encode = (environments: unknown): Promise<Uint8Array> =>
  encodeKeyFile("six words", environments as KeyFileEnvironment[]);

test("comes back under its passphrase only, and is no share", async () => {
  const file = await encode([prod, dev]);
  expect(Buffer.from(file.subarray(0, 5)).toString("latin1")).toBe("SLK1\x18");
  expect(await decodeKeyFile("six words", file)).toEqual([prod, dev]);
  expect(Object.keys((await decodeKeyFile("six words", file))[0] as object)).not.toContain("replaced");
  await expect(decodeKeyFile("six word", file)).rejects.toThrow(WrongPassphraseError);
  await expect(decodeShare("six words", file)).rejects.toThrow(
    /share file is damaged: it does not begin with SLS1/,
  );
  expect(await decodeKeyFile("six words", await encode([]))).toEqual([]);
});

test.each<[string, unknown, RegExp]>([
  ["no list", { 0: prod }, /no list of environments/],
  ["an environment that is none", [null], /an environment in it is none/],
  ["a list for one", [[prod]], /an environment in it is none/],
  ["no origins", [{ ...prod, origins: undefined }], /no origins/],
  ["origins that are no list", [{ ...prod, origins: "git.example/shop" }], /no origins/],
  ["an origin of another type", [{ ...prod, origins: [1] }], /no origins/],
  [
    "an earlier passphrase of another type",
    [{ ...prod, replaced: 1 }],
    /an earlier passphrase in it is none/,
  ],
  ["older ones of another type", [{ ...dev, older: [1] }], /an earlier passphrase in it is none/],
  ["no repository", [{ ...prod, repo: 1 }], /names no repository and environment/],
  ["no environment", [{ ...prod, env: undefined }], /names no repository and environment/],
  ["no config", [{ ...prod, config: [] }], /holds no config/],
  ["a key of another type", [{ ...prod, key: 1 }], /holds no key/],
  ["an empty key", [prod, { ...dev, key: "" }], /holds no key/],
])("with %s is damaged", async (_what, environments, message) => {
  const error = await decodeKeyFile("six words", await encode(environments)).catch(
    (thrown: unknown) => thrown,
  );
  expect(error).toBeInstanceOf(BundleCorruptError);
  expect((error as Error).message).toMatch(message);
  expect((error as Error).message).toContain("vsync keystore export");
});
