import { execFileSync, spawnSync } from "node:child_process";
import { chmodSync, mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
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

test("fish, where there is one, completes with it", async () => {
  if (spawnSync("fish", ["-c", ""]).error !== undefined) return;
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

test("evaluating the script says nothing; how to install it is for somebody who looks at it", async () => {
  const run = (shell: string) =>
    spawnSync(process.execPath, [main, "completion", shell], { encoding: "utf8" });
  expect(run("bash").stderr).toBe("");
  const { advice } = describeCompletion(await completion({ shell: "bash" }));
  expect(advice?.join()).toContain('eval "$(vsync completion bash)"');
});

test.each(["zsh", "fish", "pwsh"] as const)("%s reads its script, where there is one", async (shell) => {
  const { script } = await completion({ shell });
  expect(script).toContain("vsync __complete");
  const { error, status, stderr } = spawnSync(
    shell,
    shell === "pwsh" ? ["-NoProfile", "-c", script] : ["-n", "-c", script],
    { encoding: "utf8" },
  );
  if (error === undefined) expect([status, stderr]).toEqual([0, ""]);
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
