// A machine that is in the way: names that somebody has made beforehand, a damaged ledger, a mount, a HOME that is not
// to be written, closed streams. The built command; what it refuses it leaves as it was.

import { execFileSync, spawnSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { mkdirSync, readFileSync, renameSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, onTestFinished, test } from "vitest";
import { run } from "../../../../test/machine.ts";
import { EXIT_CODES } from "../../src/exit-codes.ts";
import { predicted } from "./system-calls.ts";
import { type Moment, makeWorld, observe, PREFIX, publish, start, type World } from "./world.ts";

const { LOCAL_IO, CORRUPT } = EXIT_CODES;
const NONCE = "5f".repeat(8);
const TEMPORARY = "5eed5eed-0000-4000-8000-000000000001.tmp";

let world: World;
/** Bob is in step with the second version, and Ann has published a third. */
let ahead: Moment;
beforeAll(async () => {
  world = await makeWorld();
  await publish(world.ann, { ".env.demo": "A=3\n" });
  ahead = world.remember("ahead");
});
beforeEach(() => world.rewind(ahead));
afterAll(() => world.close());

const stateFolder = (): string => join(world.bob.home, ".local/state/vsync/acme_shop/demo");

async function expectRefused(
  args: readonly string[],
  status: number,
  node: readonly string[] = [],
): Promise<string> {
  const before = observe(world);
  const ended = await start(world, args, { node }).ended;
  expect(ended.status, ended.stdout).toBe(status);
  const now = observe(world);
  expect([now.vault, now.config, now.keys]).toEqual([before.vault, before.config, before.keys]);
  return JSON.parse(ended.stdout).error.hint;
}

async function expectPullWorks(): Promise<void> {
  const ended = await start(world, ["pull", "demo"]).ended;
  expect(ended.status, ended.stdout).toBe(0);
  expect(observe(world).vault?.[".env.demo"]).toBe("A=3\n");
}

describe("a name of ours that is taken", () => {
  test("by a link is refused and not followed: a temporary file", async () => {
    const victim = join(world.folder, "victim");
    writeFileSync(victim, "somebody else's");
    // Of a name that no process that cleans up would take for a leftover of its own.
    const taken = join(world.bob.home, "keystore", `.acme_shop%2Fdemo%23next.${TEMPORARY}`);
    await start(world, ["pull", "demo"]).ended;
    mkdirSync(dirname(taken), { recursive: true });
    const plant = `import fs from "node:fs"; const { openSync } = fs; import { syncBuiltinESMExports } from "node:module";
      fs.openSync = (path, ...rest) => { if (path === ${JSON.stringify(taken)}) try { fs.symlinkSync(${JSON.stringify(victim)}, path); } catch {} return openSync(path, ...rest); };
      syncBuiltinESMExports();`;
    const node = [...predicted(), "--import", `data:text/javascript,${encodeURIComponent(plant)}`];
    await expectRefused(["rotate-passphrase", "demo"], LOCAL_IO.status, node);
    expect(readFileSync(victim, "utf8")).toBe("somebody else's");
  });

  test("by a link is refused and not followed: the folder that a pull builds in", async () => {
    const elsewhere = join(world.folder, "elsewhere");
    mkdirSync(elsewhere, { recursive: true });
    const staging = join(dirname(world.bob.vault), `.vsync-${basename(world.bob.vault)}-${NONCE}`);
    symlinkSync(elsewhere, staging);
    await expectRefused(["pull", "demo"], LOCAL_IO.status, predicted());
    expect(execFileSync("ls", ["-A", elsewhere]).toString()).toBe("");
    rmSync(staging, { force: true });
    await expectPullWorks();
  });
});

test("a vault folder whose parent became a link is not written through", async () => {
  const parent = dirname(world.bob.vault);
  renameSync(parent, `${parent}.real`);
  symlinkSync(`${parent}.real`, parent);
  const ended = await start(world, ["pull", "demo"]).ended;
  expect(ended.status).toBe(EXIT_CODES.INPUT.status);
  expect(readFileSync(join(`${parent}.real`, "demo/.env.demo"), "utf8")).toBe("A=2\n");
});

test("a file of the vault that became a FIFO is named and not waited for", async () => {
  rmSync(join(world.bob.vault, ".env.demo"));
  execFileSync("mkfifo", [join(world.bob.vault, ".env.demo")]);
  for (const command of ["pull", "push"]) {
    const ended = await start(world, [command, "demo"]).ended;
    expect(ended.status, ended.stdout).toBe(EXIT_CODES.INPUT.status);
    expect(JSON.parse(ended.stdout).error.message).toContain(".env.demo is a FIFO");
  }
});

test.each(["{", '{"version":2}'])(
  "a ledger that holds %j is refused, and what the hint says helps",
  async (text) => {
    const ledger = join(stateFolder(), "ledger.json");
    writeFileSync(ledger, text);
    for (const command of ["push", "pull"]) {
      const before = readFileSync(join(world.bob.vault, ".env.demo"), "utf8");
      const ended = await start(world, [command, "demo"]).ended;
      expect(ended.status, ended.stdout).toBe(CORRUPT.status);
      expect(JSON.parse(ended.stdout).error.hint).toContain(`mv ${ledger} ${ledger}.damaged`);
      expect(readFileSync(join(world.bob.vault, ".env.demo"), "utf8")).toBe(before);
    }
    renameSync(ledger, `${ledger}.damaged`);
    const ended = await start(world, ["pull", "demo", "--backup"]).ended;
    expect(ended.status, ended.stdout).toBe(0);
    expect(observe(world).vault?.[".env.demo"]).toBe("A=3\n");
  },
);

describe("streams that are closed", () => {
  const shell = async (line: string) =>
    await run("sh", ["-c", line, "sh", process.execPath, world.bob.main], {
      cwd: world.bob.repository,
      env: world.bob.env,
    });

  test("a reader of stdout that went away is no failure", async () => {
    const { stderr } = await shell('{ "$1" "$2" versions demo; echo "status $?" >&2; } | :');
    expect(stderr.trim().split("\n").at(-1)).toBe("status 0");
  });

  test.each([">&-", "<&- >&- 2>&-"])("a push with %s publishes", async (redirection) => {
    writeFileSync(join(world.bob.vault, ".env.demo"), "A=bob\n");
    await shell(`"$1" "$2" push demo --force ${redirection}`);
    expect(new TextDecoder().decode(world.s3.objects.get(`${PREFIX}manifest`)?.body)).not.toBe("");
    expect(world.s3.objects.get(`${PREFIX}manifest`)?.metadata.gen).toBe("4");
  });
});

test("Ctrl-C in the middle of an upload: nothing is published, and the next push is", async () => {
  writeFileSync(join(world.bob.vault, "large"), randomBytes(16 * 1024 * 1024));
  const push = start(world, ["push", "demo", "--force"]);
  const kills = async (): Promise<void> => {
    push.kill("SIGINT");
    await push.ended;
  };
  world.s3.inject({ method: "PUT", fault: { kills, when: "in-body" } });
  const { status, stdout } = await push.ended;
  expect([status, JSON.parse(stdout).error.code]).toEqual([EXIT_CODES.INTERRUPTED.status, "INTERRUPTED"]);
  expect(world.s3.objects.get(`${PREFIX}manifest`)?.metadata.gen).toBe("3");
  expect((await start(world, ["push", "demo", "--force"]).ended).status).toBe(0);
  expect(world.s3.objects.get(`${PREFIX}manifest`)?.metadata.gen).toBe("4");
});

const isRoot = process.getuid?.() === 0;

/** Null, and a line that says so, where mounting is not allowed. */
function mount(...args: readonly string[]): boolean {
  const path = args.at(-1) as string;
  if (spawnSync("mount", [...args]).status !== 0) {
    process.stderr.write(`Not tested: ${expect.getState().currentTestName}; mounting is not allowed here.\n`);
    return false;
  }
  onTestFinished(() => void spawnSync("umount", [path]));
  return true;
}

test.runIf(isRoot)(
  "a vault folder that is a mount cannot be swapped: said, and nothing is changed",
  async () => {
    const files = observe(world).vault as Record<string, string>;
    if (!mount("-t", "tmpfs", "none", world.bob.vault)) return;
    for (const [name, text] of Object.entries(files)) {
      mkdirSync(dirname(join(world.bob.vault, name)), { recursive: true });
      writeFileSync(join(world.bob.vault, name), text, { mode: 0o600 });
    }
    await expectRefused(["pull", "demo", "--force"], LOCAL_IO.status);
    expect(observe(world).others.filter((name) => name.includes(".vsync-"))).toEqual([]);
  },
);

test.runIf(isRoot)("a repository on another device than HOME is pulled into", async () => {
  const files = observe(world).vault as Record<string, string>;
  const parent = dirname(world.bob.vault);
  rmSync(world.bob.vault, { recursive: true });
  if (!mount("-t", "tmpfs", "none", parent)) return;
  await expectPullWorks();
  expect(Object.keys(files)).toContain("tls/key");
});

test.runIf(isRoot)("a HOME that cannot be written is said, and nothing is changed", async () => {
  if (!mount("--bind", world.bob.home, world.bob.home)) return;
  if (!mount("-o", "remount,ro,bind", world.bob.home)) return;
  for (const command of ["pull", "push"]) {
    expect(await expectRefused([command, "demo", "--force"], LOCAL_IO.status)).toMatch(/read-only.*HOME/);
  }
});
