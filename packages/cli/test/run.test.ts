import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Machine, makeMachine, run as runProgram } from "../../../test/machine.ts";
import { init } from "../src/commands/init.ts";
import { run } from "../src/commands/run.ts";
import { type EnvConfig, loadEnvConfig, saveEnvConfig } from "../src/config/env-config.ts";
import { createRedactor } from "../src/running/redact.ts";
import { makeWorkplace } from "./workplace.ts";

const node = process.execPath;
let folder: string;
let machine: Machine;

afterAll(() => rmSync(folder, { recursive: true, force: true }));

beforeAll(async () => {
  folder = realpathSync(mkdtempSync(join(tmpdir(), "vsync-run-")));
  machine = await makeMachine(join(folder, "machine"));
  const bucket = ["--endpoint", `file://${folder}`, "--bucket", "bucket", "--iterations", "100000"];
  await machine.vsync(["init", "demo", ...bucket]);
  await machine.vsync(["set", "demo", "TOKEN", "-"], { input: "published secret" });
  await machine.vsync(["set", "demo", "PORT", "-"], { input: "8080" });
  await machine.vsync(["push", "demo"]);
});

const show = (...names: string[]) => [
  node,
  "-e",
  `console.log(...${JSON.stringify(names)}.map(n => n + "=" + process.env[n]))`,
];
const vsync = (args: readonly string[], status = 0) => machine.vsync(["run", "demo", ...args], { status });

test("the command has the values, its own arguments, and nothing of vsync's", async () => {
  const { stdout } = await vsync(["--", ...show("TOKEN", "PORT", "VSYNC_KEYSTORE"), "--", "--json"]);
  expect(stdout).toBe("TOKEN=published secret PORT=8080 VSYNC_KEYSTORE=undefined\n");
});

test("its status is ours: an exit code, 128 + n for a signal, 127 when there is no such command", async () => {
  await vsync(["--", node, "-e", "process.exit(42)"], 42);
  await vsync(["--", node, "-e", "process.kill(process.pid, 'SIGKILL')"], 137);
  expect((await vsync(["--", "no-such-command-anywhere"], 127)).stderr).toContain("no such command");
  expect((await vsync(["--", folder], 126)).stderr).toContain(
    `${folder}: is no program that this user may run`,
  );
  for (const none of [[], ["--", ""]])
    expect((await vsync(none, 1)).stderr).toContain("vsync run demo -- <command>");
});

test("--dry-run starts nothing, and names what the command would have", async () => {
  const ran = join(folder, "ran");
  const command = [node, "-e", `require("node:fs").writeFileSync(${JSON.stringify(ran)}, "")`];
  const { stdout, stderr } = await vsync(["--dry-run", "--remote", "--", ...command]);
  expect([stdout, existsSync(ran)]).toEqual(["", false]);
  expect(stderr).toMatch(/^would run .* with the values of PORT, TOKEN \(demo\)\n$/);
  expect(stderr).not.toContain("published secret");
});

test("a value of the vault that begins with VSYNC_ is not passed on, and that is said", async () => {
  const other = await makeMachine(join(folder, "other"));
  await other.vsync(["init", "demo", "--endpoint", `file://${folder}`, "--bucket", "other"]);
  writeFileSync(join(other.vault, ".env.demo"), "VSYNC_PASSPHRASE=canary\nvsync_x=canary\nA=1\n", {
    mode: 0o600,
  });
  const { stdout, stderr } = await other.vsync([
    "run",
    "demo",
    "--",
    ...show("VSYNC_PASSPHRASE", "vsync_x", "A"),
  ]);
  expect(stdout).toBe("VSYNC_PASSPHRASE=undefined vsync_x=undefined A=1\n");
  expect(stderr).toContain("VSYNC_PASSPHRASE, vsync_x of the vault: not passed on");
  expect(stderr).not.toContain("canary");
});

describe("credentials", () => {
  const KEYS = { accessKeyId: "AKIAOURS", secretAccessKey: "our secret" };

  test.each([
    ["of the bucket", { AWS_ACCESS_KEY_ID: "AKIAOURS", AWS_SECRET_ACCESS_KEY: "our secret" }, {}],
    ["whose secret alone is set, as for init --access-key", { AWS_SECRET_ACCESS_KEY: "our secret" }, {}],
    ["whose id alone is another's", { AWS_ACCESS_KEY_ID: "AKIA", AWS_SECRET_ACCESS_KEY: "our secret" }, {}],
    ["whose id is empty", { AWS_ACCESS_KEY_ID: "", AWS_SECRET_ACCESS_KEY: "a newer one" }, {}],
  ])("%s are not passed on", async (_, given, expected) => {
    expect(await passedOn(given, KEYS)).toEqual(expected);
  });

  test.each([
    ["others", KEYS],
    ["any, where a folder is the bucket", { accessKeyId: "", secretAccessKey: "" }],
  ])("%s are passed on", async (_, keys) => {
    const given = {
      AWS_ACCESS_KEY_ID: "AKIATHEIRS",
      AWS_SECRET_ACCESS_KEY: "theirs",
      AWS_SESSION_TOKEN: "t",
    };
    expect(await passedOn(given, keys)).toEqual(given);
  });

  async function passedOn(given: Record<string, string>, keys: typeof KEYS): Promise<object> {
    const place = makeWorkplace();
    await init(place.context(), { env: "demo", ...place.bucket, iterations: 100_000 });
    const { host } = place.context();
    const config = loadEnvConfig(host, "acme_shop", "demo") as EnvConfig;
    saveEnvConfig(host, "acme_shop", "demo", { ...config, s3: { ...config.s3, ...keys } });
    const seen = join(place.folder, "seen");
    const script = `require("node:fs").writeFileSync(${JSON.stringify(seen)}, JSON.stringify(process.env))`;
    await run(place.context({ env: given }), { env: "demo", command: [node, "-e", script] });
    const entries = Object.entries(JSON.parse(readFileSync(seen, "utf8")));
    return Object.fromEntries(entries.filter(([name]) => name.startsWith("AWS_")));
  }
});

test("--remote reads the bucket and not the folder", async () => {
  writeFileSync(join(machine.vault, ".env.demo"), "TOKEN=edited here\n", { mode: 0o600 });
  expect((await vsync(["--", ...show("TOKEN")])).stdout).toBe("TOKEN=edited here\n");
  expect((await vsync(["--remote", "--", ...show("TOKEN")])).stdout).toBe("TOKEN=published secret\n");
});

test("--redact masks values in what it writes, on both streams", async () => {
  const script =
    "console.log('got ' + process.env.TOKEN + '!'); console.error(JSON.stringify({ t: process.env.TOKEN, p: process.env.PORT }))";
  const { stdout, stderr } = await vsync(["--remote", "--redact", "--", node, "-e", script]);
  expect(stdout).toBe("got ***!\n");
  expect(stderr).toBe('{"t":"***","p":"8080"}\n');
});

test("--redact ends with a command whose output nobody reads any more", async () => {
  const child = spawn(node, [machine.main, "run", "demo", "--redact", "--", "yes"], {
    cwd: machine.repository,
    env: machine.env,
    stdio: ["ignore", "pipe", "ignore"],
  });
  child.stdout.once("data", () => child.stdout.destroy());
  // Its write fails, or, where it has not written since all was read, a SIGPIPE ends it.
  const [status] = await once(child, "close");
  expect([1, 128 + 13]).toContain(status);
});

test.each(["SIGTERM", "SIGINT", "SIGHUP"] as const)(
  "%s reaches the command, which may end as it likes",
  async (signal) => {
    const script = `process.on("${signal}", () => { console.log("got it"); process.exit(7); }); setInterval(() => {}, 1000); console.log("up")`;
    const child = spawn(node, [machine.main, "run", "demo", "--", node, "-e", script], {
      cwd: machine.repository,
      env: machine.env,
      stdio: "pipe",
    });
    let stdout = "";
    for await (const chunk of child.stdout.setEncoding("utf8")) {
      stdout += chunk;
      if (stdout === "up\n") child.kill(signal);
    }
    const [status] = child.exitCode === null ? await once(child, "close") : [child.exitCode];
    expect([stdout, status]).toEqual(["up\ngot it\n", 7]);
  },
);

test.each(["child_process", "*"])(
  "NODE_DEBUG=%s prints no value: it is the command's alone",
  async (debug) => {
    const args = [machine.main, "run", "demo", "--remote", "--", ...show("TOKEN")];
    const env = { ...machine.env, NODE_DEBUG: debug };
    const { stdout, stderr } = await runProgram(node, args, { cwd: machine.repository, env, status: 1 });
    expect(stdout).toBe("");
    expect(stderr).not.toContain("published secret");
    expect(stderr).toContain("NODE_DEBUG= vsync run demo -- env NODE_DEBUG=<what> <command>");
  },
);

test("values never stand on a command line", async () => {
  const script =
    "console.log(require('node:fs').readFileSync('/proc/' + process.ppid + '/cmdline', 'latin1') + require('node:fs').readFileSync('/proc/self/cmdline', 'latin1'))";
  if (process.platform === "linux")
    expect((await vsync(["--remote", "--", node, "-e", script])).stdout).not.toContain("published secret");
});

describe("masking", () => {
  const passed = async (values: readonly string[], ...chunks: (string | Uint8Array)[]): Promise<Buffer> => {
    const redactor = createRedactor(values);
    const out = redactor.toArray();
    for (const chunk of chunks) redactor.write(chunk);
    redactor.end();
    return Buffer.concat(await out);
  };
  const masked = async (...given: Parameters<typeof passed>) => (await passed(...given)).toString();

  test("finds a value that arrives in pieces, is part of another, or has several lines", async () => {
    expect(await masked(["secret-value"], "a sec", "ret-va", "lue b\n")).toBe("a *** b\n");
    expect(await masked(["secret", "secret-longer"], "secret-longer secret\n")).toBe("*** ***\n");
    expect(await masked(["first line\nsecond line"], "first line\n  second line\n")).toBe("***\n  ***\n");
    expect(await masked(['quo"ted\tvalue'], `${JSON.stringify('quo"ted\tvalue')}\n`)).toBe('"***"\n');
  });

  test("finds a value whole whose lines are short, and leaves one of these alone", async () => {
    const pin = "1234\n5678\n9012";
    expect(await masked([pin], `${pin}\n5678\n`)).toBe("***\n5678\n");
    expect(await masked([pin], "12", "34\n56", "78\r\n", "1234\r\n5678\r\n9012\r\n")).toBe(
      "1234\n5678\r\n***\r\n",
    );
    expect(await masked([pin], JSON.stringify({ pin }))).toBe('{"pin":"***"}');
  });

  test("shows nothing of values that overlap, however they arrive", async () => {
    const values = ["password1", "password1-and-more-secret", "secret-tail", "aaaaaa"];
    const text = `${"x".repeat(70_000)}password1-and-more-secret-tail\n${"a".repeat(99)} secret password1\n`;
    const expected = `${"x".repeat(70_000)}***\n*** secret ***\n`;
    expect(await masked(values, text)).toBe(expected);
    for (let cut = 69_990; cut < text.length; cut++)
      expect(await masked(values, text.slice(0, cut), text.slice(cut))).toBe(expected);
    expect(await masked(values, text.slice(0, 70_000), ...text.slice(70_000))).toBe(expected);
  });

  test("is the same as of the whole text at once, whatever the values and the pieces", async () => {
    let state = 1;
    const random = (below: number): number => {
      state = (state * 48_271) % 2_147_483_647;
      return state % below;
    };
    const letters = (length: number): string =>
      Array.from({ length }, () => (random(5) === 0 ? "b" : "a")).join("");
    for (let round = 0; round < 500; round++) {
      const values = Array.from({ length: 1 + random(3) }, () => letters(6 + random(5)));
      const text = letters(random(150));
      const chunks: string[] = [];
      for (let at = 0, size = 0; at < text.length; at += size) {
        size = 1 + random(20);
        chunks.push(text.slice(at, at + size));
      }
      expect(await masked(values, ...chunks), JSON.stringify([values, chunks])).toBe(maskAll(text, values));
    }
  });

  /** Every place of every value, the slow way: what overlaps is one, what is side by side is not. */
  function maskAll(text: string, values: readonly string[]): string {
    let [out, end] = ["", 0];
    for (let at = 0; at < text.length; at++) {
      const here = values.filter((value) => text.startsWith(value, at)).map(({ length }) => at + length);
      if (here.length > 0 && at >= end) out += "***";
      else if (here.length === 0 && at >= end) out += text[at];
      end = Math.max(end, ...here);
    }
    return out;
  }

  test("takes values that overlap themselves for one", async () => {
    expect(await masked(["a".repeat(4096)], "a".repeat(1_000_000))).toBe("***");
  });

  test("leaves short values alone, and loses no byte of an endless line", async () => {
    expect(await masked(["true", "80"], "true 80\n")).toBe("true 80\n");
    const [long, secret] = ["x".repeat(50_000), "the-secret"];
    const out = await masked([secret], long, long, secret.slice(0, 4), secret.slice(4), long, long);
    expect(out).toBe(`${long}${long}***${long}${long}`);
  });

  test("holds back only what may become a value", async () => {
    const redactor = createRedactor(["the-secret"]);
    const write = async (text: string): Promise<string | null> => {
      await new Promise((resolve) => redactor.write(text, resolve));
      return (redactor.read() as Buffer | null)?.toString() ?? null;
    };
    expect(await write("Name? ")).toBe("Name? ");
    expect(await write("in the-s")).toBe("in ");
    expect(await write("ecre")).toBe(null);
    expect(await write("ts and the")).toBe("the-secrets and ".replace("the-secret", "***"));
  });

  test("changes no other byte: none that is no UTF-8, no byte order mark, no character in two pieces", async () => {
    const bytes = Buffer.from([0xff, 0xfe, 0x00, 0xef, 0xbb, 0xbf, 0xc3, 0xa9, 0x0a, 0xe9]);
    expect(await passed(["geheimnis é"], bytes.subarray(0, 7), bytes.subarray(7))).toEqual(bytes);
    expect(await passed(["geheimnis é"], bytes.subarray(3))).toEqual(bytes.subarray(3));
    const value = Buffer.from("<geheimnis é>");
    expect(await masked(["geheimnis é"], value.subarray(0, 12), value.subarray(12))).toBe("<***>");
  });
});
