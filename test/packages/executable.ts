// vsync as one file that needs no Node, where there is none: nothing on the PATH but git.

import { execFileSync } from "node:child_process";
import {
  chmodSync,
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  symlinkSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { EXIT_CODES } from "../../packages/cli/src/exit-codes.ts";
import { describeOnBuckets } from "../buckets.ts";
import { describeDemoVault, describeFolder, writeDemoVault } from "../demo-vault.ts";
import { handOver, type Machine, makeMachine, run } from "../machine.ts";

const project = dirname(dirname(dirname(fileURLToPath(import.meta.url))));
const built = join(project, "scripts/executable/dist");
const { version } = JSON.parse(readFileSync(join(project, "packages/cli/package.json"), "utf8"));

const scratch = realpathSync(mkdtempSync(join(tmpdir(), "vsync-executable-")));
// Away from the project, where a package could still be found.
const executable = join(scratch, "vsync");
const programs = join(scratch, "programs");

beforeAll(() => {
  copyFileSync(join(built, "vsync"), executable);
  chmodSync(executable, 0o755);
  mkdirSync(programs);
  symlinkSync(
    execFileSync("sh", ["-c", "command -v git"], { encoding: "utf8" }).trim(),
    join(programs, "git"),
  );
});

afterAll(() => rmSync(scratch, { recursive: true, force: true }));

const without = (env: NodeJS.ProcessEnv): NodeJS.ProcessEnv => ({ ...env, PATH: programs });

test("says its version, whatever NODE_OPTIONS is meant for", async () => {
  const env = { PATH: programs, NODE_OPTIONS: "--require=/nowhere/at-all.js" };
  expect(await run(executable, ["--version"], { cwd: scratch, env })).toMatchObject({
    stdout: `${version}\n`,
    stderr: "",
  });
});

test("has the documents in it", async () => {
  const { stdout } = await run(executable, ["docs", "aws"], { cwd: scratch, env: { PATH: programs } });
  expect(stdout.trimEnd()).toBe(readFileSync(join(project, "docs/providers/aws.md"), "utf8").trimEnd());
});

test("comes with the licences of all that is in it", () => {
  const text = readFileSync(join(built, "THIRD-PARTY-LICENSES.txt"), "utf8");
  for (const part of ["@aws-sdk/", "commander ", "@napi-rs/keyring", "Node.js is licensed", "OpenSSL"]) {
    expect(text).toContain(part);
  }
});

test("says what to do where the keychain's binding cannot be unpacked", async () => {
  const machine = await withExecutable();
  const { VSYNC_KEYSTORE, ...env } = machine.env;
  const bucket = ["--endpoint", `file://${machine.home}`, "--bucket", "bucket"];
  const { stdout } = await run(executable, ["init", "demo", "--iterations", "100000", "--json", ...bucket], {
    cwd: machine.repository,
    env: { ...env, TMPDIR: join(scratch, "nowhere") },
    status: EXIT_CODES.LOCAL_IO.status,
  });
  expect(JSON.parse(stdout).error).toMatchObject({
    message: expect.stringMatching(/^what asks the keychain cannot be loaded: ENOENT/),
    hint: expect.stringContaining("TMPDIR=<folder>"),
  });
});

let count = 0;

/** A machine whose command is the executable. */
async function withExecutable(): Promise<Machine> {
  const machine = await makeMachine(join(scratch, `machine-${++count}`));
  const env = without(machine.env);
  return {
    ...machine,
    env,
    vsync: (args, options) => run(executable, args, { cwd: machine.repository, env, ...options }),
  };
}

describeOnBuckets("the executable", (place) => {
  test("pushes, and pulls the same on another machine", async () => {
    const [one, other] = [await withExecutable(), await withExecutable()];
    const { flags, ...stdin } = place(scratch);
    await one.vsync(["init", "demo", "--iterations", "100000", ...flags], stdin);
    writeDemoVault(one.vault);
    await one.vsync(["push", "demo"]);
    handOver(one, other);
    await other.vsync(["pull", "demo"]);
    expect(describeFolder(other.vault)).toEqual(describeDemoVault());
  });
});

describe.skipIf(process.platform !== "linux")("on a desktop of its own", () => {
  test("keeps the passphrase in the Secret Service, and leaves nothing where it unpacked the binding", async () => {
    const machine = await withExecutable();
    const runtime = join(scratch, "runtime");
    const unpacked = join(scratch, "unpacked");
    for (const folder of [runtime, unpacked]) mkdirSync(folder, { mode: 0o700 });
    const { VSYNC_KEYSTORE, PATH, ...env } = machine.env;
    // The keyring is somebody else's and needs the system's PATH; vsync does not get it.
    const script = `
      echo | gnome-keyring-daemon --unlock --components=secrets >/dev/null
      PATH=${programs}
      "$0" init demo --iterations 100000 --endpoint "file://$1" --bucket bucket >/dev/null
      echo 'KEY=value' >infra/vault/demo/.env.demo
      "$0" push demo >/dev/null
      "$0" passphrase show demo --out passphrase >/dev/null
      "$0" keystore list --json`;
    const { stdout } = await run("dbus-run-session", ["--", "sh", "-ec", script, executable, machine.home], {
      cwd: machine.repository,
      env: { ...env, PATH: process.env.PATH, TMPDIR: unpacked, XDG_RUNTIME_DIR: runtime },
    });
    const { keystore, environments } = JSON.parse(stdout);
    expect(keystore).toBe("the Secret Service");
    expect(environments).toMatchObject([{ repo: "acme_shop", env: "demo", key: true }]);
    expect(readdirSync(unpacked)).toEqual([]);
  });
});
