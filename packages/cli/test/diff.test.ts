import { chmodSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { type DiffInput, describeDiff, diff } from "../src/commands/diff.ts";
import { init } from "../src/commands/init.ts";
import { push } from "../src/commands/push.ts";
import { makeWorkplace } from "./workplace.ts";

async function setUp() {
  const place = makeWorkplace();
  await init(place.context(), { env: "demo", ...place.bucket, iterations: 100_000 });
  const vault = join(place.root, "infra/vault/demo");
  const write = (name: string, text: string | Uint8Array) =>
    writeFileSync(join(vault, name), text, { mode: 0o600 });
  mkdirSync(join(vault, "tls"), { mode: 0o700 });
  write(".env.demo", "KEEP=1\nCHANGE=old secret\nDROP=1\n");
  write("tls/key", Uint8Array.of(0, 1, 2));
  write("run.sh", "#!/bin/sh\n");
  const run = (input: Partial<DiffInput> = {}) => diff(place.context(), { env: "demo", ...input });
  return { ...place, vault, write, run };
}

test("before the first push everything is added", async () => {
  const { run } = await setUp();
  const result = await run();
  expect(result.version).toBeNull();
  expect(result.scalars).toEqual({ added: ["CHANGE", "DROP", "KEEP"], changed: [], removed: [] });
  expect(result.files.added).toEqual([".env.demo", "run.sh", "tls/key"]);
});

test("before the first push an empty folder is said to be empty", async () => {
  const { run, vault } = await setUp();
  rmSync(vault, { recursive: true });
  mkdirSync(vault);
  expect(describeDiff(await run()).notes).toEqual([
    "the vault folder of demo is empty, and nothing was synced yet",
  ]);
});

test("names and no values by default, lines with --reveal", async () => {
  const { context, run, write, vault } = await setUp();
  await push(context(), { env: "demo" });
  expect(describeDiff(await run()).notes?.[0]).toMatch(/^the vault folder of demo equals version /);
  write(".env.demo", "KEEP=1\nCHANGE=new secret\nADD=1\n");
  write("tls/key", Uint8Array.of(0, 1));
  chmodSync(join(vault, "run.sh"), 0o700);
  const result = await run();
  expect(result.scalars).toEqual({ added: ["ADD"], changed: ["CHANGE"], removed: ["DROP"] });
  expect(result.files).toEqual({ added: [], changed: [".env.demo", "run.sh", "tls/key"], removed: [] });
  expect(JSON.stringify(result)).not.toContain("secret");
  expect(describeDiff(result).out).toBe("+ ADD\n~ CHANGE\n- DROP\n~ .env.demo\n~ run.sh\n~ tls/key");
  const { out } = describeDiff(await run({ reveal: true }));
  expect(out).toContain("-CHANGE=old secret\n");
  expect(out).toContain("+CHANGE=new secret\n");
  expect(out).toContain("run.sh differs only in its executable bit");
  expect(out).toContain("tls/key is not text: 3 bytes before, 2 bytes after");
});

test("under another passphrase it says so, and not that the version is gone", async () => {
  const { context, write } = await setUp();
  await push(context(), { env: "demo" });
  write("new", "1");
  const bogus = context({ env: { VSYNC_PASSPHRASE: "bogus" } });
  await expect(diff(bogus, { env: "demo" })).rejects.toMatchObject({
    code: "WRONG_PASSPHRASE",
    hint: expect.stringContaining("VSYNC_PASSPHRASE"),
  });
});

test("against the bucket, and against any version in it", async () => {
  const { context, run, write, vault } = await setUp();
  await push(context(), { env: "demo" });
  const first = (await run({ remote: true })).version as string;
  rmSync(join(vault, "tls"), { recursive: true });
  await push(context(), { env: "demo" });
  write("new", "1");
  expect((await run({ remote: true })).files).toEqual({ added: ["new"], changed: [], removed: [] });
  expect((await run({ version: first })).files).toEqual({
    added: ["new"],
    changed: [],
    removed: ["tls/key"],
  });
  await expect(run({ version: "20200101-000000" })).rejects.toMatchObject({ code: "INPUT" });
  await expect(run({ version: "yesterday" })).rejects.toMatchObject({ code: "USAGE" });
  await expect(run({ version: first, remote: true })).rejects.toMatchObject({ code: "USAGE" });
});
