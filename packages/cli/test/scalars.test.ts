import { execFileSync } from "node:child_process";
import {
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { check } from "../src/commands/check.ts";
import { describeGet, get } from "../src/commands/get.ts";
import { init } from "../src/commands/init.ts";
import { push } from "../src/commands/push.ts";
import { describeSet, type SetInput, set } from "../src/commands/set.ts";
import { describeUnset, unset } from "../src/commands/unset.ts";
import { describeUse, use } from "../src/commands/use.ts";
import { type ContextOptions, makeWorkplace, type Workplace } from "./workplace.ts";

const ENV_FILE = '# the database\nexport DATABASE_URL="postgres://db/1" # main\r\nEMPTY=\nPORT=8080\n';

async function setUp(text: string | null = ENV_FILE): Promise<Workplace & { file: string; vault: string }> {
  const place = makeWorkplace();
  await init(place.context(), { env: "demo", ...place.bucket, iterations: 100_000 });
  const vault = join(place.root, "infra/vault/demo");
  const file = join(vault, ".env.demo");
  if (text !== null) writeFileSync(file, text, { mode: 0o600 });
  return { ...place, vault, file };
}

const setFrom = (
  place: Workplace,
  stdin: string,
  input: Partial<SetInput> = {},
  options: ContextOptions = {},
) => set(place.context({ stdin, ...options }), { env: "demo", name: "PORT", source: "-", ...input });

describe("get", () => {
  test("gives the value, and says when a push is due", async () => {
    const place = await setUp();
    const result = await get(place.context(), { env: "demo", name: "DATABASE_URL" });
    expect(result).toEqual({
      env: "demo",
      name: "DATABASE_URL",
      value: "postgres://db/1",
      file: ".env.demo",
      pushDue: true,
    });
    expect(describeGet(result)).toEqual({
      out: "postgres://db/1",
      notes: ["the vault folder may have changes to publish: vsync push demo"],
    });
    await push(place.context(), { env: "demo" });
    expect((await get(place.context(), { env: "demo", name: "EMPTY" })).pushDue).toBe(false);
  });

  test("of a name that is not there is INPUT, with the name that was meant", async () => {
    const place = await setUp();
    await expect(get(place.context(), { env: "demo", name: "port" })).rejects.toMatchObject({
      code: "INPUT",
      message: expect.stringContaining("(did you mean PORT?)"),
      hint: "it has DATABASE_URL, EMPTY, PORT; to add it: vsync set demo port",
    });
    await expect(get(place.context(), { env: "demo", name: "__proto__" })).rejects.toMatchObject({
      code: "INPUT",
      hint: expect.stringContaining("vsync set demo __proto__"),
    });
    await expect(get(place.context(), { env: "demo", name: "A B" })).rejects.toMatchObject({
      code: "INPUT",
      hint: "it has DATABASE_URL, EMPTY, PORT; to add another: vsync set demo <NAME>",
    });
  });

  test("without a vault folder, or an environment, says what to run", async () => {
    const place = await setUp();
    await expect(get(place.context(), { env: "prod", name: "PORT" })).rejects.toMatchObject({
      code: "NOT_CONFIGURED",
    });
    await expect(get(place.context(), { env: "../x", name: "PORT" })).rejects.toMatchObject({
      code: "INPUT",
    });
  });
});

describe("set", () => {
  test("changes the value and not one other byte", async () => {
    const place = await setUp();
    expect(await setFrom(place, "9090\n")).toEqual({
      env: "demo",
      name: "PORT",
      file: ".env.demo",
      became: "changed",
      dryRun: false,
    });
    expect(readFileSync(place.file, "utf8")).toBe(ENV_FILE.replace("8080", "9090"));
    expect(lstatSync(place.file).mode & 0o777).toBe(0o600);
    expect(readdirSync(place.vault)).toEqual([".env.demo"]);
  });

  test("adds a name, makes the first file, and says when nothing changed", async () => {
    const place = await setUp(null);
    expect((await setFrom(place, "one\n\n")).became).toBe("added");
    expect((await get(place.context(), { env: "demo", name: "PORT" })).value).toBe("one\n");
    expect((await setFrom(place, "one\n\n")).became).toBe("unchanged");
  });

  test("takes the value from a file, also one of many lines", async () => {
    const place = await setUp();
    const pem = "-----BEGIN-----\nabc#'\"\n-----END-----";
    writeFileSync(join(place.folder, "key.pem"), `${pem}\n`, { mode: 0o600 });
    await set(place.context(), { env: "demo", name: "KEY", file: join(place.folder, "key.pem") });
    expect((await get(place.context(), { env: "demo", name: "KEY" })).value).toBe(pem);
  });

  test("never takes a value from the command line, and never waits where nobody can answer", async () => {
    const place = await setUp();
    const refused = setFrom(place, "", { source: "hunter2" });
    await expect(refused).rejects.toMatchObject({
      code: "USAGE",
      message: expect.not.stringContaining("hunter2"),
    });
    const pasted = set(place.context(), { env: "demo", name: "PORT=hunter2" });
    await expect(pasted).rejects.toMatchObject({
      code: "USAGE",
      message: expect.not.stringContaining("hunter2"),
    });
    await expect(pasted).rejects.toMatchObject({ hint: expect.stringContaining("vsync set demo PORT ") });
    await expect(set(place.context(), { env: "demo", name: "PORT" })).rejects.toMatchObject({
      code: "INPUT",
    });
    expect(readFileSync(place.file, "utf8")).toBe(ENV_FILE);
  });

  test("refuses names and values that no .env file can hold, and leaves the file alone", async () => {
    const place = await setUp();
    await expect(setFrom(place, "x", { name: "A B" })).rejects.toMatchObject({ code: "USAGE" });
    await expect(setFrom(place, "a'b\"c`d\n# e\nf")).rejects.toMatchObject({ code: "VSYNC_INPUT_REFUSED" });
    writeFileSync(join(place.folder, "bin"), Uint8Array.of(0xff, 0xfe), { mode: 0o600 });
    const binary = set(place.context(), { env: "demo", name: "PORT", file: join(place.folder, "bin") });
    await expect(binary).rejects.toMatchObject({ code: "INPUT" });
    expect(readFileSync(place.file, "utf8")).toBe(ENV_FILE);
  });

  test("changes nothing with --dry-run", async () => {
    const place = await setUp();
    const result = await setFrom(place, "9090", {}, { flags: { dryRun: true } });
    expect(result.became).toBe("changed");
    expect(readFileSync(place.file, "utf8")).toBe(ENV_FILE);
  });

  test("clears away what a killed one left beside the file, and so does the next push", async () => {
    const place = await setUp();
    const leftover = join(place.vault, "..env.demo.01234567-89ab-cdef-0123-456789abcdef.tmp");
    writeFileSync(leftover, "PORT=1");
    await setFrom(place, "9090");
    expect(existsSync(leftover)).toBe(false);
    writeFileSync(leftover, "PORT=1");
    expect(await push(place.context(), { env: "demo" })).toMatchObject({ files: 1 });
  });
});

test("with --dry-run each says what it would do, and does not do it", async () => {
  const place = await setUp();
  const dry = { flags: { dryRun: true } };
  const said = [
    describeSet(await setFrom(place, "9090", {}, dry)),
    describeSet(await setFrom(place, "1", { name: "NEW" }, dry)),
    describeUnset(await unset(place.context(dry), { env: "demo", name: "PORT" })),
    describeUse(await use(place.context(dry), { env: "demo" })),
  ];
  expect(said.flatMap(({ out, notes = [] }) => [out, ...notes]).filter(Boolean)).toEqual([
    "would change PORT in .env.demo",
    "would add NEW in .env.demo",
    "would remove PORT from .env.demo",
    ".env would lead to infra/vault/demo/.env.demo",
  ]);
  expect(readFileSync(place.file, "utf8")).toBe(ENV_FILE);
  expect(existsSync(join(place.root, ".env"))).toBe(false);
});

test("unset removes the name's lines and nothing else", async () => {
  const place = await setUp();
  await unset(place.context(), { env: "demo", name: "DATABASE_URL" });
  expect(readFileSync(place.file, "utf8")).toBe("# the database\nEMPTY=\nPORT=8080\n");
  await expect(unset(place.context(), { env: "demo", name: "DATABASE_URL" })).rejects.toMatchObject({
    code: "INPUT",
  });
});

describe("check", () => {
  test("passes when every name is there, and tells the empty and the unknown", async () => {
    const place = await setUp();
    writeFileSync(join(place.root, ".env.example"), "DATABASE_URL=\nEMPTY=something\n");
    expect(await check(place.context(), { env: "demo" })).toMatchObject({
      missing: [],
      empty: ["EMPTY"],
      unknown: ["PORT"],
    });
  });

  test("fails when a name is missing, with the lists for --json", async () => {
    const place = await setUp();
    writeFileSync(join(place.root, "schema.env"), "PORT=\nTOKEN=\nSECRET=\n");
    await expect(check(place.context(), { env: "demo", schema: "schema.env" })).rejects.toMatchObject({
      code: "INPUT",
      message: expect.stringContaining("demo lacks SECRET, TOKEN"),
      details: { missing: ["SECRET", "TOKEN"] },
    });
  });

  test.each([
    ["a FIFO", (path: string) => void execFileSync("mkfifo", [path]), "is not a regular file"],
    ["a link to a device", (path: string) => symlinkSync("/dev/zero", path), "is not a regular file"],
    ["a folder", (path: string) => void mkdirSync(path), "is not a regular file"],
    [
      "of a terabyte",
      (path: string) => {
        writeFileSync(path, "");
        truncateSync(path, 2 ** 40);
      },
      "the limit is 16777216",
    ],
  ])("refuses a schema that is %s, and waits for nothing", async (_, make, problem) => {
    const place = await setUp();
    const path = join(place.root, ".env.example");
    make(path);
    for (const schema of [{}, { schema: path }])
      await expect(check(place.context(), { env: "demo", ...schema })).rejects.toMatchObject({
        code: "INPUT",
        message: expect.stringContaining(problem),
      });
  });

  test("without a schema says how to name one", async () => {
    const place = await setUp();
    await expect(check(place.context(), { env: "demo" })).rejects.toMatchObject({
      code: "INPUT",
      hint: expect.stringContaining("--schema"),
    });
    await expect(check(place.context(), { env: "demo", schema: "" })).rejects.toMatchObject({
      code: "INPUT",
      message: expect.stringContaining("is not a regular file"),
      hint: expect.stringContaining("--schema"),
    });
  });
});

describe("use", () => {
  test("links .env to the vault, says so again, and moves to another environment", async () => {
    const place = await setUp();
    expect(await use(place.context(), {})).toEqual({
      env: null,
      target: null,
      changed: false,
      dryRun: false,
    });
    const target = "infra/vault/demo/.env.demo";
    expect(await use(place.context(), { env: "demo" })).toEqual({
      env: "demo",
      target,
      changed: true,
      dryRun: false,
    });
    expect(readlinkSync(join(place.root, ".env"))).toBe(target);
    expect(await use(place.context(), { env: "demo" })).toEqual({
      env: "demo",
      target,
      changed: false,
      dryRun: false,
    });
    await init(place.context(), { env: "dev", ...place.bucket, iterations: 100_000 });
    await set(place.context({ stdin: "1" }), { env: "dev", name: "PORT", source: "-" });
    expect((await use(place.context(), { env: "dev" })).target).toBe("infra/vault/dev/.env.dev");
    expect(await use(place.context(), {})).toMatchObject({ env: "dev" });
  });

  test("never touches a regular file, nor a link that is not its own", async () => {
    const place = await setUp();
    const link = join(place.root, ".env");
    writeFileSync(link, "MINE=1");
    await expect(use(place.context(), { env: "demo" })).rejects.toMatchObject({ code: "INPUT" });
    expect(readFileSync(link, "utf8")).toBe("MINE=1");
    const other = await setUp();
    symlinkSync("elsewhere/.env", join(other.root, ".env"));
    await expect(use(other.context(), { env: "demo" })).rejects.toMatchObject({ code: "INPUT" });
    expect(readlinkSync(join(other.root, ".env"))).toBe("elsewhere/.env");
  });

  test("warns when git would take the secrets along", async () => {
    const place = await setUp();
    writeFileSync(join(place.root, ".gitignore"), "");
    const context = place.context();
    await use(context, { env: "demo" });
    expect(context.said().err).toMatch(/git does not ignore .*\.env/);
  });
});
