// The built command as a process: what it prints where, how it exits, and what it loads.

import { execFileSync, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { openSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { type AddressInfo, createServer } from "node:net";
import { dirname, join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import type { Command } from "commander";
import { describe, expect, onTestFinished, test } from "vitest";
import { bareEnvironment, type Finished, run } from "../../../test/machine.ts";
import { EXIT_CODES } from "../src/exit-codes.ts";
import { buildProgram } from "../src/program.ts";
import { makeWorkplace, type Workplace } from "./workplace.ts";

const MAIN = fileURLToPath(new URL("../dist/main.js", import.meta.url));
const { version } = JSON.parse(readFileSync(new URL("../package.json", import.meta.url), "utf8"));

interface Options {
  readonly status?: number;
  readonly input?: string;
  readonly env?: Record<string, string>;
}

const environment = ({ home }: Workplace, env: Record<string, string> = {}): NodeJS.ProcessEnv => ({
  ...bareEnvironment(),
  HOME: home,
  VSYNC_KEYSTORE: `file:${join(home, "keystore")}`,
  ...env,
});

async function vsync(
  args: readonly string[],
  options: Options = {},
  place = makeWorkplace(),
): Promise<Finished> {
  const { env, ...rest } = options;
  return await run(process.execPath, [MAIN, ...args], {
    cwd: place.root,
    env: environment(place, env),
    ...rest,
  });
}

const initFlags = ({ bucket }: Workplace): readonly string[] => [
  "--endpoint",
  bucket.endpoint,
  "--bucket",
  bucket.bucket,
  "--iterations",
  "100000",
];

describe("--version", () => {
  test.each([["--version"], ["-V"]])("%s is the version and nothing else", async (flag) => {
    expect(await vsync([flag])).toEqual({ status: 0, stdout: `${version}\n`, stderr: "" });
  });

  test("is a document with --json", async () => {
    for (const args of [
      ["--version", "--json"],
      ["--json", "--version"],
    ]) {
      expect(JSON.parse((await vsync(args)).stdout)).toEqual({ version });
    }
  });

  test("loads next to nothing: neither commander, nor a prompt, nor the SDK", () => {
    const loaded = new Set<string>();
    const visit = (path: string): void => {
      if (loaded.has(path)) return;
      loaded.add(path);
      const imports = readFileSync(path, "utf8").matchAll(
        /^(?:import|export)\s(?:[^"';]*\sfrom\s)?"(\.[^"]+)"/gm,
      );
      for (const [, name] of imports) visit(join(dirname(path), name as string));
    };
    visit(MAIN);
    const text = [...loaded].map((path) => readFileSync(path, "utf8")).join("");
    expect(text).toContain(version);
    expect(text.length).toBeLessThan(16 * 1024);
  });
});

describe("what answers at once", () => {
  // The build leaves a comment with the source of each module it took in.
  const HEAVY = /^\/\/#region .*(@aws-sdk|@smithy|@clack)|node_modules\/@napi-rs\/keyring/m;

  /** The paths and texts of all modules that Node loaded to run this. */
  const loadedBy = async (args: readonly string[]): Promise<string> => {
    const place = makeWorkplace();
    const folder = join(place.folder, "loaded");
    await vsync(args, { env: { NODE_V8_COVERAGE: folder } }, place);
    const urls = readdirSync(folder)
      .flatMap((file) => JSON.parse(readFileSync(join(folder, file), "utf8")).result)
      .map(({ url }: { url: string }) => url)
      .filter((url) => url.startsWith("file:"));
    return urls.map((url) => `${url}\n${readFileSync(fileURLToPath(url), "utf8")}\n`).join("");
  };

  test.each([
    "--version",
    "--help",
    "push --help",
    "__complete -- push d",
    "docs aws",
    "completion zsh",
    "profile list",
  ])("loads no SDK, no keyring and no prompts: %s", async (line) => {
    const loaded = await loadedBy(line.split(" "));
    expect(loaded).toContain("dist/main.js");
    expect(HEAVY.exec(loaded)?.[0]).toBeUndefined();
    expect(loaded.length).toBeLessThan(256 * 1024);
  });

  test("(what is heavy would be seen: the build has it)", () => {
    const dist = dirname(MAIN);
    const names = readdirSync(dist).filter((name) => name.endsWith(".js"));
    const found = names.map((name) => HEAVY.exec(readFileSync(join(dist, name), "utf8"))?.[1]);
    expect(found).toEqual(expect.arrayContaining(["@aws-sdk", "@clack"]));
  });
});

describe("help", () => {
  test("is data: on stdout, status 0", async () => {
    const { stdout, stderr } = await vsync(["--help"]);
    expect(stdout).toMatch(/^Usage: vsync/);
    expect(stderr).toBe("");
  });

  test("of a command has the flags that all share", async () => {
    const { stdout } = await vsync(["push", "--help"]);
    for (const flag of [
      "--force",
      "--note",
      "--json",
      "--quiet",
      "--no-input",
      "--yes",
      "--dry-run",
      "--repo",
    ]) {
      expect(stdout).toContain(flag);
    }
  });

  test("is the same with the command help, for groups too", async () => {
    expect(await vsync(["help"])).toEqual(await vsync(["--help"]));
    expect(await vsync(["help", "share", "export"])).toEqual(await vsync(["share", "export", "--help"]));
  });

  test.each([80, 40])("keeps within a terminal of %i columns", (columns) => {
    const program = buildProgram(() => Promise.resolve());
    const withAll = (command: Command): Command[] => [command, ...command.commands.flatMap(withAll)];
    const tooLong = withAll(program).flatMap((command) => {
      command.configureOutput({ getOutHelpWidth: () => columns });
      const lines = command.helpInformation().split("\n");
      return lines.filter((line) => line.length > columns && !line.startsWith("Usage:"));
    });
    expect(tooLong).toEqual([]);
  });

  test("is no part of a document: with --json there is none beside it", async () => {
    const { stdout, stderr } = await vsync(["--json"], { status: 1 });
    expect(JSON.parse(stdout)).toMatchObject({ error: { code: "USAGE", message: "no command was given" } });
    expect(stderr).toBe("");
  });

  test("comes on stderr when no command was given, status 1", async () => {
    const { stdout, stderr } = await vsync([], { status: 1 });
    expect(stdout).toBe("");
    expect(stderr).toMatch(/^Usage: vsync[\s\S]*no command was given/);
  });
});

describe("a mistake on the command line", () => {
  test.each([
    [["pus"], "did you mean vsync push?"],
    [["upsh"], "did you mean vsync push?"],
    [["runtime-tokn", "demo"], "did you mean vsync runtime-token?"],
    [["rotate", "demo"], "did you mean vsync rotate-passphrase?"],
    [["push", "demo", "--foce"], "did you mean --force?   (vsync push --help)"],
    [["--jsno", "push", "demo"], "did you mean --json?   (vsync --help)"],
    [["passphrase", "shw"], "did you mean vsync passphrase show?   (vsync passphrase --help)"],
    [["help", "pul"], "did you mean vsync pull?"],
    [["help", "backup", "lst"], "did you mean vsync backup list?"],
    [["zzzzzz"], "vsync --help"],
    [["push"], "vsync push --help"],
    [["push", "demo", "prod"], "vsync push --help"],
    [["push", "demo", "--meta", "novalue"], "vsync push --help"],
    [["init", "demo", "--iterations", "6e5"], "vsync init --help"],
    [["runtime-token", "demo", "--format", "xml"], "vsync runtime-token --help"],
    [["init", "demo", "--keep", "--edit"], "vsync init --help"],
    [["versions", "demo", "--limit", "0"], "vsync versions --help"],
    [["audit", "demo", "--limit", "0"], "vsync audit --help"],
    [["versions", "demo", "--all", "--limit", "3"], "vsync versions --help"],
    [["audit", "demo", "--limit", "3", "--all"], "vsync audit --help"],
    [["push", "demo", "--force=yes"], "--force alone   (vsync push --help)"],
    [["share", "export", "demo", "--out", "-"], "vsync share export --help"],
    [["keystore", "export", "--all", "--out=-"], "vsync keystore export --help"],
    [["runtime-token", "demo", "--out", "-"], "vsync runtime-token --help"],
    [["passphrase", "show", "demo", "--out", "-"], "vsync passphrase show --help"],
    [["rotate-passphrase", "demo", "--out", "-"], "vsync rotate-passphrase --help"],
  ])("%j: %s", async (args, hint) => {
    const plain = await vsync(args, { status: 1 });
    expect(plain.stdout).toBe("");
    expect(plain.stderr).toContain(hint);
    const json = await vsync([...args, "--json"], { status: 1 });
    expect(JSON.parse(json.stdout)).toEqual({
      error: { code: "USAGE", message: expect.any(String), hint: expect.stringContaining(hint) },
    });
    expect(json.stderr).toBe("");
  });
});

test.each([[["--json=1", "status"]], [["status", "--json=true"]]])(
  "%j is answered as a document: --json takes no value",
  async (args) => {
    const { stdout, stderr } = await vsync(args, { status: 1 });
    expect(JSON.parse(stdout).error).toEqual({
      code: "USAGE",
      message: "option '--json' takes no value",
      hint: expect.stringContaining("--json alone"),
    });
    expect(stderr).toBe("");
  },
);

test("--out takes a file: - is none, and ./- is one", async () => {
  const place = makeWorkplace();
  await vsync(["init", "demo", ...initFlags(place)], {}, place);
  const { stderr } = await vsync(["share", "export", "demo", "--out", "-"], { status: 1 }, place);
  expect(stderr).toContain("It takes a file and not standard output; a file of that name is ./-");
  expect(readdirSync(place.root)).not.toContain("-");
  await vsync(["share", "export", "demo", "--out", "./-"], {}, place);
  expect(readdirSync(place.root)).toContain("-");
});

describe("a flag that would carry a secret", () => {
  test.each([
    [["init", "demo", "--secret-key", "hunter2"], "--secret-key-file <path>"],
    [["init", "demo", "--secret-key=hunter2"], "--secret-key-file <path>"],
    [["init", "demo", "--secret-access-key", "hunter2"], "--secret-key-file <path>"],
    [["share", "import", "x.share", "--passphrase=hunter2"], "--passphrase-file <path>"],
    [["pull", "demo", "--old-passphrase", "hunter2"], "--old-passphrase-file <path>"],
  ])("%j: there is none, and what takes its place is %s", async (args, flag) => {
    const { stdout, stderr } = await vsync(args, { status: 1 });
    expect(stdout).toBe("");
    expect(stderr).toMatch(/there is no --[a-z-]+: a secret on the command line/);
    expect(stderr).toContain(flag);
    expect(stderr).not.toContain("hunter2");
  });

  test("is not repeated where no flag is like it", async () => {
    const { stderr } = await vsync(["push", "demo", "--key=hunter2"], { status: 1 });
    expect(stderr).toContain("unknown option '--key'");
    expect(stderr).not.toContain("hunter2");
  });
});

test.each([
  ["init", "demo"],
  ["push", "demo"],
  ["pull", "demo"],
  ["runtime-token", "demo"],
  ["passphrase", "show", "demo"],
])("%s fails with one JSON document on stdout and nothing else", async (...args) => {
  const { stdout, stderr } = await vsync(
    [...args, "--json"],
    { status: EXIT_CODES.INPUT.status },
    makeWorkplace(null),
  );
  expect(JSON.parse(stdout)).toEqual({
    error: { code: "INPUT", message: expect.any(String), hint: expect.stringContaining("--repo") },
  });
  expect(stderr).toBe("");
});

test("a mistyped environment is answered with the nearest, and with all there are", async () => {
  const place = makeWorkplace();
  await vsync(["init", "demo", ...initFlags(place)], {}, place);
  const { stderr } = await vsync(["push", "dmeo"], { status: EXIT_CODES.NOT_CONFIGURED.status }, place);
  expect(stderr).toContain("did you mean demo? If not: vsync init dmeo");
  expect(stderr).toContain("there are: demo");
});

test("an action that no audit row can have is refused with those there are", async () => {
  const { stderr } = await vsync(["audit", "demo", "--action", "pushed"], { status: 1 });
  expect(stderr).toContain("push, pull, import, export, restore, rotate, runtime-token, sync, take-over");
});

test("the version flag of pull is pull's own", async () => {
  const { stderr } = await vsync(["pull", "demo", "--version", "20260101-000000"], {
    status: EXIT_CODES.NOT_CONFIGURED.status,
  });
  expect(stderr).toContain("vsync init demo");
});

test("no flag takes a secret as its value", () => {
  const program = buildProgram(() => Promise.resolve());
  const withAll = (command: Command): Command[] => [command, ...command.commands.flatMap(withAll)];
  const flags = withAll(program).flatMap((command) => command.options);
  const secrets = flags.filter(({ long, required }) => required && /secret|pass|token/.test(long ?? ""));
  expect(secrets.map(({ long }) => long).filter((long) => !long?.endsWith("-file"))).toEqual([]);
  expect(secrets.length).toBeGreaterThan(0);
});

test("the whole way: init, push, runtime-token, passphrase", async () => {
  const place = makeWorkplace();
  const done = await vsync(["init", "demo", ...initFlags(place), "--json"], {}, place);
  expect(JSON.parse(done.stdout)).toMatchObject({ repo: "acme_shop", did: "create" });
  writeFileSync(join(place.root, "infra/vault/demo/.env.demo"), "A=1\n");
  expect(JSON.parse((await vsync(["push", "demo", "--json"], {}, place)).stdout)).toMatchObject({
    generation: 1,
  });
  expect((await vsync(["runtime-token", "demo"], {}, place)).stdout).toMatch(
    /^vsync-cfg-v1:[A-Za-z0-9_-]+\n$/,
  );
  await vsync(["passphrase", "show", "demo", "--out", "p"], {}, place);
  expect(readFileSync(join(place.root, "p"), "utf8")).toMatch(/^[A-Za-z0-9+/]{43}=$/);
});

describe("stdout", () => {
  test("closed early by its reader is no error", async () => {
    const child = spawn(process.execPath, [MAIN, "--help"], {
      env: bareEnvironment(),
      stdio: ["ignore", "pipe", "pipe"],
    });
    child.stdout.destroy();
    let stderr = "";
    child.stderr.on("data", (text) => {
      stderr += text;
    });
    expect(await once(child, "close")).toEqual([0, null]);
    expect(stderr).toBe("");
  });

  test("that cannot be written is LOCAL_IO", async () => {
    const full = openSync("/dev/full", "w");
    const child = spawn(process.execPath, [MAIN, "--version"], {
      env: bareEnvironment(),
      stdio: ["ignore", full, "pipe"],
    });
    expect(await once(child, "close")).toEqual([EXIT_CODES.LOCAL_IO.status, null]);
  });

  test("that was never open is no error", () => {
    const shell = `"${process.execPath}" "${MAIN}" --version >&- <&-`;
    expect(execFileSync("sh", ["-c", shell], { env: bareEnvironment(), encoding: "utf8" })).toBe("");
  });
});

describe("options that show memory", () => {
  const warnings = (stderr: string) => stderr.match(/^warning: --.*the secrets in it.*$/gm) ?? [];

  test.each([
    "--inspect=127.0.0.1:0",
    "--heapsnapshot-signal=SIGUSR2",
    "--heapsnapshot-near-heap-limit=1",
    "--report-on-signal",
    "--report-uncaught-exception",
    "--abort-on-uncaught-exception",
  ])("%s is warned about, once", async (option) => {
    const { stderr } = await vsync(["keystore", "list"], { env: { NODE_OPTIONS: option } });
    expect(warnings(stderr)).toEqual([expect.stringContaining(option.replace(/=.*/, ""))]);
  });

  test.each(['"--inspect=127.0.0.1:0"', '--title=x --"insp\\ect"=0', '"--title=\\"x y" "--inspect=0"'])(
    "are found quoted, as Node finds them: %s",
    async (options) => {
      const { stderr } = await vsync(["keystore", "list"], { env: { NODE_OPTIONS: options } });
      expect(stderr).toContain("Debugger listening");
      expect(warnings(stderr)).toEqual([expect.stringContaining("--inspect: ")]);
    },
  );

  test("are not found in a quoted value", async () => {
    const env = { NODE_OPTIONS: '"--title=no --inspect here"' };
    expect(warnings((await vsync(["keystore", "list"], { env })).stderr)).toEqual([]);
  });

  test("SIGUSR1 opens no debugger while it waits", async () => {
    const place = makeWorkplace();
    await vsync(["init", "demo", ...initFlags(place)], {}, place);
    const child = spawn(process.execPath, [MAIN, "set", "demo", "A", "-"], {
      cwd: place.root,
      env: environment(place, { NODE_OPTIONS: "--inspect-port=0" }),
    });
    const closed = once(child, "close");
    let stderr = "";
    child.stderr.setEncoding("utf8").on("data", (text: string) => {
      stderr += text;
    });
    // It is up: what starts it is warned about. The value comes when it would have answered the signal.
    await expect.poll(() => stderr).toContain("--inspect-port");
    child.kill("SIGUSR1");
    await delay(300);
    child.stdin.end("x");
    expect(await closed).toEqual([0, null]);
    expect(stderr).not.toContain("Debugger listening");
  });

  test("are warned about on the command line too, and with --quiet", async () => {
    const place = makeWorkplace();
    const options = { cwd: place.root, env: environment(place) };
    const args = ["--report-on-fatalerror", MAIN, "keystore", "list", "--quiet"];
    expect(warnings((await run(process.execPath, args, options)).stderr)).toHaveLength(1);
  });

  test("are not found in others", async () => {
    const env = { NODE_OPTIONS: "--max-old-space-size=99 --report-dir=/tmp --enable-source-maps" };
    expect(warnings((await vsync(["keystore", "list"], { env })).stderr)).toEqual([]);
  });
});

describe("a current folder that was removed or replaced", () => {
  const inGone = (after: string, args: readonly string[]) => {
    const place = makeWorkplace();
    const folder = join(place.root, "sub");
    const script = `mkdir sub && cd sub && rmdir "${folder}" ${after} && exec "$0" "$@"`;
    const options = { cwd: place.root, env: environment(place), encoding: "utf8" } as const;
    return spawnSync("sh", ["-c", script, process.execPath, MAIN, ...args], options);
  };

  test("is INPUT with what leads out of it, as a document too", () => {
    const { status, stdout, stderr } = inGone("", ["keystore", "list"]);
    expect([status, stdout]).toEqual([1, ""]);
    expect(stderr).toMatch(/^vsync: the current folder was removed, or replaced.*\n {2}cd "\$PWD"/);
    const json = inGone("", ["keystore", "list", "--json"]);
    expect([json.status, json.stderr]).toEqual([1, ""]);
    expect(JSON.parse(json.stdout)).toMatchObject({ error: { code: "INPUT" } });
    expect(inGone("", ["--version"]).stdout).toBe(`${version}\n`);
  });

  test("is left with what the hint says, when another has its name", () => {
    expect(inGone('&& mkdir "$PWD"', ["keystore", "list"]).stderr).toContain('cd "$PWD"');
    expect(inGone('&& mkdir "$PWD" && cd "$PWD"', ["keystore", "list"]).status).toBe(0);
  });
});

test("SIGINT in the middle of the work ends it with 130 and leaves everything as it was", async () => {
  const place = makeWorkplace();
  const silent = createServer().listen(0, "127.0.0.1");
  onTestFinished(() => void silent.close());
  await once(silent, "listening");
  const { port } = silent.address() as AddressInfo;
  const flags = ["--endpoint", `http://127.0.0.1:${port}`, "--bucket", "nowhere", "--access-key", "id"];
  const child = spawn(process.execPath, [MAIN, "init", "demo", ...flags, "--json"], {
    cwd: place.root,
    env: environment(place, { AWS_ACCESS_KEY_ID: "id", AWS_SECRET_ACCESS_KEY: "canary" }),
    stdio: ["ignore", "pipe", "pipe"],
  });
  let stdout = "";
  child.stdout.on("data", (text) => {
    stdout += text;
  });
  await once(silent, "connection"); // now it waits for an answer
  child.kill("SIGINT");
  expect(await once(child, "close")).toEqual([EXIT_CODES.INTERRUPTED.status, null]);
  expect(JSON.parse(stdout)).toEqual({ error: { code: "INTERRUPTED", message: "interrupted", hint: "" } });
  expect([readdirSync(place.root), readdirSync(place.home)]).toEqual([[".git"], []]);
});
