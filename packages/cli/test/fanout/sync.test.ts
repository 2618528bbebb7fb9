import { mkdirSync, readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { describeSync } from "../../src/commands/sync.ts";
import type { Target } from "../../src/fanout/platform.ts";
import { COMMANDS, makeWorkbench, ROUTES } from "./workbench.ts";

const TARGETS = Object.keys(COMMANDS) as Target[];
const CANARY = "canary-7f3a9e21 $HOME \"quoted\" 'é' \\n";
const ENV = `DATABASE_URL='postgres://db/1'\nAPI_KEY=\`${CANARY}\`\n`;

describe.each(TARGETS)("%s", (target) => {
  const under = (name: string): string =>
    target === "aws" ? name : target === "azure" ? name.replaceAll("_", "-") : name;
  const shown = (name: string): string => (target === "aws" ? `shop/${name}` : under(name));

  test("creates what is missing, exactly, and a second run finds all of it there", async () => {
    const bench = await makeWorkbench();
    bench.fill({ ".env.prod": ENV });
    expect(await bench.run(target)).toMatchObject({
      created: [shown("API_KEY"), shown("DATABASE_URL")].sort(),
      updated: [],
      same: [],
      dryRun: false,
    });
    expect(bench.kept(target)).toEqual({
      [under("API_KEY")]: CANARY,
      [under("DATABASE_URL")]: "postgres://db/1",
    });
    const again = await bench.run(
      target,
      Object.fromEntries(Object.keys(ROUTES[target]).map((key) => [key, undefined])),
    );
    const all = [shown("API_KEY"), shown("DATABASE_URL")].sort();
    // GitHub shows no value: whether it is the same cannot be seen.
    expect(again).toMatchObject(
      target === "gh" ? { created: [], updated: all } : { created: [], updated: [], same: all },
    );
  });

  test("updates what differs and leaves alone what is not the vault's", async () => {
    const bench = await makeWorkbench();
    bench.fill({ ".env.prod": "ONE=1\nTWO=2\n" });
    bench.keep(target, { ONE: "1", TWO: "old", OTHER: "mine" });
    const result = await bench.run(target, { prune: true });
    expect(result.updated).toEqual(target === "gh" ? ["ONE", "TWO"] : [shown("TWO")]);
    expect(result.extra).toEqual([{ name: shown("OTHER"), ours: false }]);
    expect(bench.kept(target)).toEqual({ ONE: "1", TWO: "2", OTHER: "mine" });
  });

  test("--dry-run is a plan and changes nothing, neither there nor here", async () => {
    const bench = await makeWorkbench();
    bench.fill({ ".env.prod": "ONE=1\nTWO=2\nNEW=3\n" });
    bench.keep(target, { ONE: "1", TWO: "old", OTHER: "mine" });
    const before = snapshot(bench.home);
    const [result, said] = await bench.runAndHear(target, {}, { flags: { dryRun: true } });
    expect(bench.writes()).toEqual([]);
    expect(bench.kept(target)).toEqual({ ONE: "1", TWO: "old", OTHER: "mine" });
    expect(snapshot(bench.home)).toEqual(before);
    expect(result).toMatchObject({ dryRun: true, created: [shown("NEW")] });
    const lines = (describeSync(result).out as string).split("\n");
    expect(lines).toEqual(
      target === "gh"
        ? ["create  NEW", "update  ONE", "update  TWO", "extra   OTHER"]
        : [
            `create  ${shown("NEW")}`,
            `update  ${shown("TWO")}`,
            `same    ${shown("ONE")}`,
            `extra   ${shown("OTHER")}`,
          ],
    );
    expect(said.split("\n")[0]).toBe(
      `to          ${result.destination.replace("account 111122223333, ", "")}`,
    );
  });

  test("no value was ever an argument, a variable, or in a file outside vault and platform", async () => {
    const bench = await makeWorkbench();
    bench.fill({ ".env.prod": ENV });
    await bench.run(target, {}, { env: { VSYNC_SECRET_OF_ANY_KIND: "canary-7f3a9e21" } });
    const calls = bench.calls();
    expect(bench.writes().length).toBeGreaterThan(0);
    expect(JSON.stringify(calls)).not.toContain("canary-7f3a9e21");
    expect(JSON.stringify(calls)).not.toContain("postgres://db/1");
    for (const file of filesOf(bench.folder)) {
      const isPlace =
        file.startsWith(bench.vault) || file.startsWith(join(bench.folder, "platforms", COMMANDS[target]));
      if (!isPlace) expect(readFileSync(file).includes("canary-7f3a9e21"), file).toBe(false);
    }
  });

  test("nobody logged in is ACCESS_DENIED, with the command that logs in", async () => {
    const bench = await makeWorkbench();
    bench.fill({ ".env.prod": ENV });
    bench.behave(target, { loggedOut: true });
    const logins = {
      gh: "gh auth login",
      gcp: "gcloud auth login",
      aws: "aws sso login",
      azure: "az login",
      vault: "vault login",
    };
    await expect(bench.run(target)).rejects.toMatchObject({
      code: "ACCESS_DENIED",
      hint: expect.stringContaining(logins[target]),
    });
    expect(bench.writes()).toEqual([]);
  });

  test("a command that is not installed is NOT_CONFIGURED, with where to get it", async () => {
    const bench = await makeWorkbench();
    bench.fill({ ".env.prod": ENV });
    const empty = join(bench.folder, "empty");
    mkdirSync(empty);
    await expect(bench.run(target, {}, { env: { PATH: empty } })).rejects.toMatchObject({
      code: "NOT_CONFIGURED",
      message: `nothing was sent: there is no command ${COMMANDS[target]} on the PATH`,
      hint: expect.stringContaining("https://"),
    });
  });

  test("without routing and without a terminal it names the flag", async () => {
    const bench = await makeWorkbench();
    bench.fill({ ".env.prod": ENV });
    const none = Object.fromEntries(Object.keys(ROUTES[target]).map((key) => [key, undefined]));
    await expect(bench.run(target, none)).rejects.toMatchObject({
      code: "INPUT",
      hint: expect.stringMatching(/^the same command with --/),
    });
  });
});

function* filesOf(folder: string): Generator<string> {
  for (const entry of readdirSync(folder, { withFileTypes: true, recursive: true })) {
    if (entry.isFile()) yield join(entry.parentPath, entry.name);
  }
}

function snapshot(folder: string): Record<string, string> {
  return Object.fromEntries([...filesOf(folder)].map((file) => [file, `${statSync(file).mtimeMs}`]));
}
