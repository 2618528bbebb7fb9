// A command that crashes where the system writes core files: what docs/threat-model.md says of them is so, and nothing is left
// behind.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { startFakeS3 } from "../packages/store/test/fake-s3.ts";
import { beginHunt, findOnDisk, type Hunt, mark } from "./secret-hunt.ts";

// Otherwise a program of the system's takes it, which gives it to whoever it likes: nothing of it is to be found here.
const PATTERN = process.platform === "linux" ? readFileSync("/proc/sys/kernel/core_pattern", "utf8") : "|";
const IS_LEFT_HERE = /^[^|/]+$/.test(PATTERN);

const [VALUE, PASSPHRASE] = [mark(), mark()];
const canaries = new Map([
  ["a value of the vault", VALUE],
  ["a passphrase in a variable", PASSPHRASE],
]);

let hunt: Hunt;
beforeEach(async () => {
  hunt = await beginHunt(await startFakeS3(), (_, where) => where.startsWith(hunt.machine.vault));
  const { machine, server } = hunt;
  const { endpoint, region, bucket, credentials } = server;
  const place = ["--endpoint", endpoint, "--region", region, "--bucket", bucket];
  Object.assign(machine.env, {
    TMPDIR: hunt.temporary,
    VSYNC_PASSPHRASE: PASSPHRASE,
    AWS_ACCESS_KEY_ID: credentials.accessKeyId,
    AWS_SECRET_ACCESS_KEY: credentials.secretAccessKey,
  });
  await machine.vsync(["init", "demo", ...place]);
  mkdirSync(machine.vault, { recursive: true });
  writeFileSync(join(machine.vault, ".env.demo"), `TOKEN=${VALUE}\n`);
});
afterEach(async () => {
  await hunt.server.close();
  rmSync(hunt.folder, { recursive: true, force: true });
});

/** A push that dies by `signal` when its bundle has arrived. */
async function crash(signal: NodeJS.Signals, coreSize: string): Promise<NodeJS.Signals | null> {
  const { machine, server } = hunt;
  const script = `umask 000; ulimit -c ${coreSize}; exec "$@"`;
  const command = spawn("sh", ["-c", script, "sh", process.execPath, machine.main, "push", "demo"], {
    cwd: machine.repository,
    env: machine.env,
    stdio: "ignore",
  });
  const ended = once(command, "exit");
  server.inject({
    method: "PUT",
    key: /\/v=/,
    fault: {
      when: "before",
      async kills() {
        command.kill(signal);
        await ended;
      },
    },
  });
  const [, died] = await ended;
  return died;
}

describe("a command that crashes in mid-publish", () => {
  test.each(["SIGABRT", "SIGSEGV"] as const)(
    "by %s leaves no secret on disk where core files are off",
    async (signal) => {
      expect(await crash(signal, "0")).toBe(signal);
      expect(findOnDisk(hunt, canaries, hunt.folder)).toEqual([]);
      expect(readdirSync(hunt.temporary)).toEqual([]);
    },
  );

  test("leaves nothing of what it held in a core file where they are on", async () => {
    expect(await crash("SIGABRT", "unlimited")).toBe("SIGABRT");
    const cores = readdirSync(hunt.machine.repository).filter((name) => name.startsWith("core"));
    expect(cores).toHaveLength(IS_LEFT_HERE ? 1 : 0);
    expect(findOnDisk(hunt, canaries, hunt.folder)).toEqual([]);
  });
});

test.runIf(process.platform === "linux")(
  "a command that it runs has the core files of any other",
  async () => {
    const program = ["run", "demo", "--", "cat", "/proc/self/coredump_filter"];
    const { stdout } = await hunt.machine.vsync(program);
    expect(stdout).toBe(readFileSync("/proc/self/coredump_filter", "utf8"));
  },
);
