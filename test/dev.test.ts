// The loop of whoever changes the command: `pnpm dev`.

import { spawn } from "node:child_process";
import { on, once } from "node:events";
import { utimesSync } from "node:fs";
import { dirname, join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { expect, onTestFinished, test } from "vitest";

const project = dirname(dirname(fileURLToPath(import.meta.url)));

test("runs the command from the sources, and again when one of them changes", async () => {
  const dev = spawn(
    process.execPath,
    [join(project, "node_modules/tsx/dist/cli.mjs"), "scripts/dev.ts", "diff", "demo", "--reveal"],
    { cwd: project, stdio: ["ignore", "pipe", "pipe"] },
  );
  onTestFinished(async () => {
    dev.kill("SIGINT");
    await once(dev, "close");
  });
  let said = "";
  dev.stdout.setEncoding("utf8").on("data", (text: string) => {
    said += text;
  });
  const notes = on(createInterface({ input: dev.stderr }), "line", { close: ["close"] });
  const ended = async (): Promise<string> => {
    for (;;) {
      const { value, done } = await notes.next();
      if (done) throw new Error("it ended by itself");
      if (value[0].startsWith("-- status")) return value[0];
    }
  };

  expect(await ended()).toContain("status 0");
  const shown = () => said.match(/^\+NEW=value$/gm); // through another pipe than the notes
  await expect.poll(shown).toHaveLength(1);
  const now = new Date();
  utimesSync(join(project, "packages/cli/src/version.ts"), now, now);
  expect(await ended()).toContain("status 0");
  await expect.poll(shown).toHaveLength(2);
});
