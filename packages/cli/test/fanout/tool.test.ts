import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import type { Change } from "../../src/fanout/platform.ts";
import { inPool, sendEach } from "../../src/fanout/pool.ts";
import { openTool, type Tool, ToolFailure } from "../../src/fanout/tool.ts";
import { isAlive } from "./workbench.ts";

/** A command with this body in sh, `$FOLDER` its folder. */
function makeTool(
  body: string,
  { opensStdin = false, limitMs = 20_000 } = {},
): { tool: Tool; folder: string } {
  const folder = mkdtempSync(join(tmpdir(), "vsync-tool-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const command = join(folder, "tool");
  writeFileSync(command, `#!/bin/sh\n${body}\n`);
  chmodSync(command, 0o700);
  const host = { env: process.env, platform: process.platform };
  return { tool: openTool({ host, command, variables: { FOLDER: folder }, opensStdin, limitMs }), folder };
}

describe("a tool", () => {
  test("gets a value on its standard input, exactly", async () => {
    const value = "é\r\n\0$HOME\n";
    expect(await makeTool("cat").tool(["a"], { value })).toBe(value);
    expect(await makeTool('cat "$1"', { opensStdin: true }).tool(["/dev/stdin"], { value })).toBe(value);
  });

  test("may leave its input unread", async () => {
    expect(await makeTool("echo done").tool([], { value: "x".repeat(1 << 20) })).toBe("done\n");
  });

  test("that fails says why in one line, and never the value", async () => {
    const body = "printf 'ERROR: it was:\\n  ' >&2; cat >&2; exit 3";
    const failure = makeTool(body).tool([], { value: "secret-1 secret-2" });
    await expect(failure).rejects.toThrow(new ToolFailure("failed", "ERROR: it was: ***"));
    await expect(makeTool("exit 3").tool([])).rejects.toThrow("ended with status 3 and said nothing");
    await expect(makeTool("kill -9 $$").tool([])).rejects.toMatchObject({ reason: "failed" });
  });

  test("has a session of its own, and with it no terminal to ask on", async () => {
    expect(await makeTool('echo $$ "$(ps -o sid= -p $$)"').tool([])).toMatch(/^(\d+)\s+\1\n$/);
  });

  test.each([false, true])(
    "without an answer is ended with all that it started (opens stdin: %s)",
    async (opensStdin) => {
      const { tool, folder } = makeTool(
        'sleep 600 & echo $! > "$FOLDER/child"; echo $$ > "$FOLDER/self"; wait',
        {
          opensStdin,
          limitMs: 1500,
        },
      );
      await expect(tool([], { value: "x" })).rejects.toMatchObject({
        reason: "silent",
        message: "no answer in 2 s",
      });
      for (const name of ["child", "self"]) {
        const pid = Number(readFileSync(join(folder, name), "utf8"));
        await expect.poll(() => isAlive(pid)).toBe(false);
      }
    },
  );

  test("that is not there is told from one that fails", async () => {
    const host = { env: { PATH: process.env.PATH }, platform: process.platform };
    for (const opensStdin of [false, true]) {
      const tool = openTool({ host, command: "no-such-tool", variables: {}, opensStdin, limitMs: 20_000 });
      await expect(tool([], { value: "x" })).rejects.toMatchObject({ reason: "missing" });
    }
  });
});

describe("many changes", () => {
  const change = (name: string, kind: Change["kind"] = "create"): Change => ({ kind, name, value: "x" });
  const names = (count: number) => Array.from({ length: count }, (_, n) => change(`N${n}`));

  test("are made six at a time", async () => {
    let atWork = 0;
    let most = 0;
    const waiting: (() => void)[] = [];
    const done = inPool(names(14), async () => {
      most = Math.max(most, ++atWork);
      await new Promise<void>((resolve) => {
        waiting.push(resolve);
        if (waiting.length === 6) for (const go of waiting.splice(0)) go();
        else if (atWork < 6) setImmediate(() => waiting.splice(0).forEach((go) => void go()));
      });
      atWork--;
    });
    await done;
    expect(most).toBe(6);
  });

  test("end with the first that has no answer: no other is begun", async () => {
    const tried: string[] = [];
    const outcomes = new Map<string, string | null>();
    await sendEach(
      [...names(9), change("OLD", "remove")],
      async ({ name }) => {
        tried.push(name);
        if (name === "N2") throw new ToolFailure("silent", "no answer in 30 s");
        await new Promise(setImmediate);
      },
      ({ name }, failure) => void outcomes.set(name, failure?.reason ?? null),
    );
    expect(tried.sort()).toEqual(["N0", "N1", "N2", "N3", "N4", "N5"]);
    expect([outcomes.get("N0"), outcomes.get("N2"), outcomes.get("N8"), outcomes.get("OLD")]).toEqual([
      null,
      "silent",
      "skipped",
      "skipped",
    ]);
  });

  test("a bug is no failure of a tool: it ends the run", async () => {
    const bug = new TypeError("bug");
    await expect(
      sendEach(
        names(2),
        () => Promise.reject(bug),
        () => undefined,
      ),
    ).rejects.toBe(bug);
  });
});
