// VSYNC_CONFIG and VSYNC_PASSPHRASE and their _FILE forms, in processes of their own with real modes and owners.

import { spawnSync } from "node:child_process";
import { chmodSync, chownSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { type BuiltReader, buildReader, type ChildOptions, runModule, runsAsRoot } from "./built-reader.ts";
import { blob, folderEndpoint, makeVault, PASSPHRASE } from "./vault-fixture.ts";

const NOBODY = 65534;

let reader: BuiltReader;
let config: string;
let folder: string;

beforeAll(async () => {
  reader = await buildReader();
  const vault = await makeVault({ minGen: 1 });
  config = await blob(vault, { endpoint: await folderEndpoint(vault.objects, { everyone: true }) });
});

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "vsync-inputs-"));
  chmodSync(folder, 0o755);
});

const made: string[] = [];
beforeEach(() => void made.push(folder));
afterAll(() => {
  for (const each of made) rmSync(each, { recursive: true, force: true });
});

interface Outcome {
  /** What `open()` came to: the database's URL, or class, code and message of the error. */
  readonly opened: string;
  readonly stderr: string;
}

/** `open()` in a process with this environment and nothing else. */
async function openIn(
  env: Readonly<Record<string, string>>,
  options: ChildOptions & { readonly before?: string } = {},
): Promise<Outcome> {
  const source = `
    ${options.before ?? ""}
    const { open } = await import(${JSON.stringify(reader.node)});
    const text = (error) => [error.constructor.name, error.name, error.code, error.message].join("|");
    process.stdout.write(await open().then((v) => v.getEnv("DATABASE_URL"), text));`;
  const { code, stdout, stderr } = await runModule(source, { ...options, env });
  expect(code).toBe(0);
  return { opened: stdout, stderr };
}

function writeInput(name: string, content: string | Uint8Array, mode = 0o600): string {
  const path = join(folder, name);
  writeFileSync(path, content);
  if (runsAsRoot) chownSync(path, NOBODY, NOBODY);
  chmodSync(path, mode);
  return path;
}

const missing = (message: string) => `ConfigMissingError|ConfigMissingError|VSYNC_CONFIG_MISSING|${message}`;

test("opens from the two variables, and says nothing", async () => {
  expect(await openIn({ VSYNC_CONFIG: config, VSYNC_PASSPHRASE: PASSPHRASE })).toEqual({
    opened: "postgres://db",
    stderr: "",
  });
});

test("an input that is not set is named, whichever it is", async () => {
  expect((await openIn({ VSYNC_PASSPHRASE: PASSPHRASE })).opened).toBe(
    missing("neither VSYNC_CONFIG nor VSYNC_CONFIG_FILE is set; print one with `vsync runtime-token <env>`"),
  );
  expect((await openIn({ VSYNC_CONFIG: config })).opened).toBe(
    missing(
      "neither VSYNC_PASSPHRASE nor VSYNC_PASSPHRASE_FILE is set; on the machine that pushes, `vsync passphrase show <env>` prints it",
    ),
  );
});

test("an empty variable is as good as none", async () => {
  expect((await openIn({ VSYNC_CONFIG: "", VSYNC_PASSPHRASE: PASSPHRASE })).opened).toMatch(
    missing("VSYNC_CONFIG is not set or empty"),
  );
  expect((await openIn({ VSYNC_CONFIG: config, VSYNC_PASSPHRASE: "" })).opened).toMatch(
    missing("VSYNC_PASSPHRASE is not set or empty"),
  );
});

test("the _FILE form wins, for each of the two by itself", async () => {
  const VSYNC_CONFIG_FILE = writeInput("config", config);
  const VSYNC_PASSPHRASE_FILE = writeInput("passphrase", PASSPHRASE);
  const opened = { opened: "postgres://db", stderr: "" };
  const asUser = { ordinaryUser: true };
  expect(
    await openIn(
      { VSYNC_CONFIG_FILE, VSYNC_PASSPHRASE_FILE, VSYNC_CONFIG: "x", VSYNC_PASSPHRASE: "x" },
      asUser,
    ),
  ).toEqual(opened);
  expect(await openIn({ VSYNC_CONFIG_FILE, VSYNC_PASSPHRASE: PASSPHRASE }, asUser)).toEqual(opened);
  expect(await openIn({ VSYNC_CONFIG: config, VSYNC_PASSPHRASE_FILE }, asUser)).toEqual(opened);
});

test("a _FILE that cannot be used is never made up for by the variable", async () => {
  const env = { VSYNC_CONFIG: config, VSYNC_PASSPHRASE: PASSPHRASE };
  expect((await openIn({ ...env, VSYNC_PASSPHRASE_FILE: "/nowhere/passphrase" })).opened).toBe(
    missing(
      'VSYNC_PASSPHRASE_FILE is set to "/nowhere/passphrase", which is missing; mount it, or correct the path',
    ),
  );
  expect((await openIn({ ...env, VSYNC_CONFIG_FILE: "" })).opened).toBe(
    missing('VSYNC_CONFIG_FILE is set to "", which is missing; mount it, or correct the path'),
  );
});

test("space, tab, CR and LF at the end of a file are taken off, and nothing else", async () => {
  const VSYNC_CONFIG_FILE = writeInput("config", `${config}\r\n`);
  const VSYNC_PASSPHRASE_FILE = writeInput("passphrase", `${PASSPHRASE} \t\r\n\n`);
  expect((await openIn({ VSYNC_CONFIG_FILE, VSYNC_PASSPHRASE_FILE }, { ordinaryUser: true })).opened).toBe(
    "postgres://db",
  );
  for (const other of [` ${PASSPHRASE}`, `\ufeff${PASSPHRASE}`, `${PASSPHRASE}\u00a0`]) {
    const env = { VSYNC_CONFIG_FILE, VSYNC_PASSPHRASE_FILE: writeInput("passphrase", other) };
    expect((await openIn(env, { ordinaryUser: true })).opened).toMatch(/^WrongPassphraseError\|/);
  }
});

test("a variable is taken verbatim, and a line break at its end is named as the likely mistake", async () => {
  const { opened } = await openIn({ VSYNC_CONFIG: config, VSYNC_PASSPHRASE: `${PASSPHRASE}\n` });
  expect(opened).toMatch(
    /^WrongPassphraseError\|WrongPassphraseError\|VSYNC_WRONG_PASSPHRASE\|.*ends in a line break.*VSYNC_PASSPHRASE_FILE/,
  );
  const { opened: withoutBreak } = await openIn({ VSYNC_CONFIG: config, VSYNC_PASSPHRASE: `${PASSPHRASE}x` });
  expect(withoutBreak).toMatch(/^WrongPassphraseError\|/);
  expect(withoutBreak).not.toContain("line break");
});

describe("modes of a _FILE", () => {
  const openWithMode = async (mode: number) => {
    const VSYNC_PASSPHRASE_FILE = writeInput("passphrase", PASSPHRASE, mode);
    const outcome = await openIn({ VSYNC_CONFIG: config, VSYNC_PASSPHRASE_FILE }, { ordinaryUser: true });
    return { ...outcome, path: VSYNC_PASSPHRASE_FILE };
  };

  test.each([0o600, 0o400, 0o700])("%o, the owner's only: silent", async (mode) => {
    expect(await openWithMode(mode)).toMatchObject({ opened: "postgres://db", stderr: "" });
  });

  test.each([
    [0o644, "0644"],
    [0o640, "0640"],
    [0o604, "0604"],
    [0o444, "0444"],
    [0o4755, "4755"],
  ])("%o, readable by others: read, with a warning", async (mode, shown) => {
    const { opened, stderr, path } = await openWithMode(mode);
    expect(opened).toBe("postgres://db");
    expect(stderr).toBe(`vsync: ${path} is world/group-readable (mode ${shown}); narrow to 0600\n`);
  });

  test("a warning that nobody hears does not end the application", async () => {
    const env = { VSYNC_CONFIG: config, VSYNC_PASSPHRASE_FILE: writeInput("passphrase", PASSPHRASE, 0o644) };
    const { opened } = await openIn(env, { ordinaryUser: true, unheard: true });
    expect(opened).toBe("postgres://db");
  });

  test.each([
    [0o666, "0666"],
    [0o602, "0602"],
    [0o777, "0777"],
  ])("%o, writable by anyone: refused with the mode", async (mode, shown) => {
    const { opened, stderr, path } = await openWithMode(mode);
    expect(opened).toBe(
      missing(
        `VSYNC_PASSPHRASE_FILE is set to "${path}", which may be written by anyone (mode ${shown}); run \`chmod 0600 ${path}\``,
      ),
    );
    expect(stderr).toBe("");
  });

  test("not permitted: an error that says whose file it has to be", async () => {
    const { opened, path } = await openWithMode(0o000);
    expect(opened).toBe(
      missing(
        `VSYNC_PASSPHRASE_FILE is set to "${path}", which this user may not read; give the file to this user (chown), and keep its mode at 0600`,
      ),
    );
  });

  test("in a folder that may not be entered: the same", async () => {
    const inner = join(folder, "closed");
    mkdirSync(inner, { mode: 0o700 });
    writeFileSync(join(inner, "passphrase"), PASSPHRASE);
    if (!runsAsRoot) chmodSync(inner, 0o000);
    const env = { VSYNC_CONFIG: config, VSYNC_PASSPHRASE_FILE: join(inner, "passphrase") };
    const { opened } = await openIn(env, { ordinaryUser: true });
    if (!runsAsRoot) chmodSync(inner, 0o700);
    expect(opened).toContain("ConfigMissingError|VSYNC_CONFIG_MISSING|");
    expect(opened).toContain("which this user may not read");
  });

  test("on Windows: not looked at, said once", async () => {
    const VSYNC_CONFIG_FILE = writeInput("config", config, 0o666);
    const VSYNC_PASSPHRASE_FILE = writeInput("passphrase", PASSPHRASE, 0o666);
    const before = `Object.defineProperty(process, "platform", { value: "win32" });`;
    expect(await openIn({ VSYNC_CONFIG_FILE, VSYNC_PASSPHRASE_FILE }, { before })).toEqual({
      opened: "postgres://db",
      stderr: "vsync: file-permission check skipped (Windows)\n",
    });
  });
});

describe("what a _FILE may be", () => {
  const openPath = async (path: string) =>
    (await openIn({ VSYNC_CONFIG: config, VSYNC_PASSPHRASE_FILE: path }, { ordinaryUser: true })).opened;
  const which = (path: string, what: string) =>
    missing(`VSYNC_PASSPHRASE_FILE is set to "${path}", which ${what}`);

  test("a link to a file, as Kubernetes mounts it", async () => {
    symlinkSync(writeInput("..data", PASSPHRASE), join(folder, "passphrase"));
    expect(await openPath(join(folder, "passphrase"))).toBe("postgres://db");
  });

  test("a link to nothing is missing", async () => {
    symlinkSync("/nowhere", join(folder, "passphrase"));
    const path = join(folder, "passphrase");
    expect(await openPath(path)).toBe(which(path, "is missing; mount it, or correct the path"));
  });

  test("no folder", async () => {
    expect(await openPath(folder)).toBe(which(folder, "is not a regular file; name a file"));
  });

  test("no FIFO, and it does not wait for a writer", async () => {
    const path = join(folder, "fifo");
    expect(spawnSync("mkfifo", ["-m", "644", path]).status).toBe(0);
    expect(await openPath(path)).toBe(which(path, "is not a regular file; name a file"));
  });

  test("no device", async () => {
    expect(await openPath("/dev/zero")).toBe(which("/dev/zero", "is not a regular file; name a file"));
  });

  test("no socket", async () => {
    const path = join(folder, "socket");
    const server = createServer().listen(path);
    await new Promise((resolve) => server.once("listening", resolve));
    chmodSync(path, 0o666);
    expect(await openPath(path)).toBe(which(path, "is not a regular file; name a file"));
    server.close();
  });

  test("64 KiB and no more", async () => {
    const limit = writeInput("limit", PASSPHRASE.padEnd(64 * 1024, "\n"));
    expect(await openPath(limit)).toBe("postgres://db");
    const over = writeInput("over", PASSPHRASE.padEnd(64 * 1024 + 1, "\n"));
    expect(await openPath(over)).toBe(which(over, "is over 64 KiB; name the right file"));
    const far = writeInput("far", new Uint8Array(1 << 20));
    expect(await openPath(far)).toBe(which(far, "is over 64 KiB; name the right file"));
  });

  test("not empty, and not only white space", async () => {
    for (const content of ["", "\r\n \t\n"]) {
      const path = writeInput("empty", content);
      expect(await openPath(path)).toBe(which(path, "is empty; write the value into it"));
    }
  });

  test("UTF-8", async () => {
    const path = writeInput("utf16", Buffer.from(`\ufeff${PASSPHRASE}`, "utf16le"));
    expect(await openPath(path)).toBe(which(path, "is not UTF-8 text (UTF-16?); write it anew as UTF-8"));
  });
});

test("what was read stays: changes of the environment after open do nothing", async () => {
  const { stdout } = await runModule(
    `const { open } = await import(${JSON.stringify(reader.node)});
     const v = await open();
     process.env.VSYNC_CONFIG = process.env.VSYNC_PASSPHRASE = "x";
     process.stdout.write(String(await v.remoteGeneration()));`,
    { env: { VSYNC_CONFIG: config, VSYNC_PASSPHRASE: PASSPHRASE } },
  );
  expect(stdout).toBe("3");
});

test("getEnv of the module opens once, for all who ask", async () => {
  const { stdout, stderr } = await runModule(
    `const { getEnv } = await import(${JSON.stringify(reader.node)});
     const failed = await getEnv("DATABASE_URL").catch((error) => error.code);
     process.env.VSYNC_PASSPHRASE_FILE = process.env.LATER;
     const values = await Promise.all([getEnv("DATABASE_URL"), getEnv("EMPTY"), getEnv("NOWHERE")]);
     console.log(JSON.stringify([failed, ...values]));`,
    { env: { VSYNC_CONFIG: config, LATER: writeInput("passphrase", PASSPHRASE, 0o644) } },
  );
  expect(JSON.parse(stdout)).toEqual(["VSYNC_CONFIG_MISSING", "postgres://db", "", null]);
  expect(stderr.match(/world\/group-readable/g)).toHaveLength(1);
});

test("importing does nothing: no output, no variable read, nothing left running", async () => {
  const { stdout, stderr, code } = await runModule(
    `const read = [];
     const env = process.env;
     Object.defineProperty(process, "env", { get: () => new Proxy(env, { get: (of, name) => (read.push(name), of[name]) }) });
     await import(${JSON.stringify(reader.node)});
     process.stdout.write(read.filter((name) => String(name).startsWith("VSYNC")).join());`,
  );
  expect({ stdout, stderr, code }).toEqual({ stdout: "", stderr: "", code: 0 });
});
