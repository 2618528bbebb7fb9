import { execFileSync, spawnSync } from "node:child_process";
import { chmodSync, mkdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { stripVTControlCharacters } from "node:util";
import { spawn } from "@lydell/node-pty";
import { describe, expect, onTestFinished, test } from "vitest";
import { hasPrograms } from "../../../test/programs.ts";
import { completion, describeCompletion } from "../src/commands/completion.ts";
import { docs } from "../src/commands/docs.ts";
import { init } from "../src/commands/init.ts";
import { complete } from "../src/completion.ts";
import { saveProfile } from "../src/config/profiles.ts";
import { buildProgram } from "../src/program.ts";
import { makeWorkplace, type Workplace } from "./workplace.ts";

const program = buildProgram(async () => undefined);
const suggest = (place: Workplace, ...words: string[]) => complete(program, place.context().host, words);

describe("completion knows", () => {
  test("commands and groups, without those that are hidden", () => {
    const place = makeWorkplace();
    expect(suggest(place, "pu")).toEqual(["push", "pull"]);
    expect(suggest(place, "share", "")).toEqual(expect.arrayContaining(["export", "import"]));
    expect(suggest(place, "exp")).toEqual([]);
    expect(suggest(place, "__")).toEqual([]);
  });

  test("options of the command and of all commands, and the values of those with choices", () => {
    const place = makeWorkplace();
    expect(suggest(place, "run", "--re")).toEqual(["--remote", "--redact", "--repo"]);
    expect(suggest(place, "runtime-token", "demo", "--format", "s")).toEqual(["systemd"]);
    expect(suggest(place, "completion", "")).toEqual(["bash", "zsh", "fish", "pwsh"]);
  });

  test("environments and profiles", async () => {
    const place = makeWorkplace();
    expect(suggest(place, "push", "")).toEqual([]);
    await init(place.context(), { env: "demo", ...place.bucket, iterations: 100_000 });
    expect(suggest(place, "push", "")).toEqual(["demo"]);
    expect(suggest(place, "--json", "get", "d")).toEqual(["demo"]);
    expect(suggest(place, "get", "demo", "")).toEqual([]);
    const profile = {
      version: 1,
      endpoint: "https://s3.example",
      region: "",
      bucket: "b",
      accessKeyId: "",
      secretAccessKey: "",
    } as const;
    saveProfile(place.context().host, "work", profile);
    expect(suggest(place, "init", "new", "--profile", "")).toEqual(["work"]);
  });

  test.each([
    ["a folder", (path: string) => void mkdirSync(path)],
    ["a FIFO", (path: string) => void execFileSync("mkfifo", [path])],
    ["a device", (path: string) => symlinkSync("/dev/zero", path)],
  ])("environments also where .vsync is %s", async (_, make) => {
    const place = makeWorkplace();
    await init(place.context(), { env: "demo", ...place.bucket, iterations: 100_000 });
    rmSync(join(place.root, ".vsync"));
    make(join(place.root, ".vsync"));
    expect(suggest(place, "push", "")).toEqual(["demo"]);
  });
});

const main = join(dirname(fileURLToPath(import.meta.url)), "../dist/main.js");

/** The built command, on the PATH of a shell that is somebody else's. */
function makeShell(): Record<string, string> {
  const { folder, home } = makeWorkplace();
  const bin = join(folder, "bin");
  mkdirSync(bin);
  writeFileSync(join(bin, "vsync"), `#!/bin/sh\nexec "${process.execPath}" "${main}" "$@"\n`);
  chmodSync(join(bin, "vsync"), 0o755);
  return { PATH: `${bin}:${process.env.PATH}`, HOME: home };
}

test("bash completes with the script as it is printed", async () => {
  const { script } = await completion({ shell: "bash" });
  const ask = `${script}\nCOMP_WORDS=(vsync share imp); COMP_CWORD=2; _vsync; printf '%s\\n' "\${COMPREPLY[@]}"`;
  const env = makeShell();
  expect(execFileSync("bash", ["-c", ask], { env, encoding: "utf8" })).toBe("import\n");
});

const HAS_FISH = hasPrograms("completion in fish", ["fish"], "apt-get install fish");
const HAS_ZSH = hasPrograms("completion in zsh", ["zsh"], "apt-get install zsh");

test.skipIf(!HAS_FISH)("fish completes with it", async () => {
  const { script } = await completion({ shell: "fish" });
  const env = makeShell();
  const ask = (typed: string) =>
    execFileSync("fish", ["--no-config", "-c", `${script}\ncomplete -C '${typed}'`], {
      env,
      encoding: "utf8",
    });
  expect(ask("vsync share imp")).toBe("import\n");
  expect(ask("vsync pull --accept")).toBe("--accept-rollback\n");
});

// zsh completes only where somebody types.
test.skipIf(!HAS_ZSH)("zsh completes with it what is typed on a terminal", async () => {
  const { script } = await completion({ shell: "zsh" });
  const env: Record<string, string> = { ...makeShell(), TERM: "xterm", PS1: "ready> " };
  const zsh = spawn("zsh", ["-f"], { env, cols: 120, rows: 30 });
  onTestFinished(() => zsh.kill());
  let shown = "";
  const shows = (text: string): Promise<void> =>
    new Promise((resolve) => {
      const look = (): void => void (stripVTControlCharacters(shown).includes(text) && resolve());
      zsh.onData(look);
      look();
    });
  zsh.onData((data) => {
    shown += data;
  });
  writeFileSync(
    join(env.HOME as string, "completion.zsh"),
    `autoload -U compinit; compinit -u -D\n${script}\n`,
  );
  await shows("ready> ");
  zsh.write("source ~/completion.zsh; print so''urced\r");
  await shows("sourced\r\n");
  zsh.write("vsync share imp\t");
  await shows("vsync share import ");
  zsh.write("\u0015vsync pull --accept\t");
  await shows("vsync pull --accept-rollback ");
});

test("evaluating the script says nothing; how to install it is for somebody who looks at it", async () => {
  const run = (shell: string) =>
    spawnSync(process.execPath, [main, "completion", shell], { encoding: "utf8" });
  expect(run("bash").stderr).toBe("");
  const { advice } = describeCompletion(await completion({ shell: "bash" }));
  expect(advice?.join()).toContain('eval "$(vsync completion bash)"');
});

// It is in no registry that CI has: where there is none, nothing but the script's text is looked at.
test("PowerShell's script asks vsync, and PowerShell can read it", async () => {
  const { script } = await completion({ shell: "pwsh" });
  expect(script).toContain("vsync __complete");
  const { error, status, stderr } = spawnSync("pwsh", ["-NoProfile", "-c", script], { encoding: "utf8" });
  if (error === undefined) expect([status, stderr]).toEqual([0, ""]);
  else process.stderr.write("Not run: completion in PowerShell; pwsh not found.\n");
});

describe("docs", () => {
  test("lists its topics and prints one", async () => {
    const { text } = await docs({});
    for (const topic of ["aws", "r2", "b2", "gcs", "minio", "ceph", "folder"]) {
      expect(text).toMatch(new RegExp(`^${topic} `, "m"));
      expect((await docs({ topic })).text).toMatch(/^# /);
    }
  });

  test("knows no other", async () => {
    await expect(docs({ topic: "../cli" })).rejects.toMatchObject({ code: "USAGE" });
  });

  test("comes with the build", () => {
    const text = execFileSync(process.execPath, [main, "docs", "ceph"], { cwd: "/", encoding: "utf8" });
    expect(text).toMatch(/^# Ceph/);
  });
});
