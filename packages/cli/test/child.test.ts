// What a command is started with, and how it ends, before and beside `vsync run`.

import { tmpdir } from "node:os";
import { expect, test } from "vitest";
import { type Child, startChild } from "../src/running/child.ts";

const start = (command: readonly [string, ...string[]], env: Record<string, string> = {}): Child =>
  startChild(command, { cwd: "/", env, redact: null });

/** The error that starting ends in. */
function refusal(env: Record<string, string>): {
  code: string;
  message: string;
  hint: string;
  cause?: unknown;
} {
  try {
    start([process.execPath, "--version"], env);
  } catch (error) {
    return error as { code: string; message: string; hint: string };
  }
  throw new Error("it started");
}

test("a value that no environment variable can hold is named by its key alone", () => {
  const error = refusal({ GOOD: "fine", TOKEN: "canary\0secret" });
  expect(error).toMatchObject({ code: "INPUT", message: expect.stringContaining("TOKEN") });
  expect(`${error.message}${error.hint}${String(error.cause)}`).not.toContain("canary");
});

test("more values than the system passes on: the largest is named, with its size", () => {
  const error = refusal({ SMALL: "x", LARGE: "canary".repeat(1_000_000) });
  expect(error).toMatchObject({ code: "INPUT", message: expect.stringContaining("LARGE (6000000 bytes)") });
  expect(`${error.message}${error.hint}`).not.toContain("canary");
});

test("a command that could not be started says why, and one that ends with 127 was started", async () => {
  expect(await start(["no-such-command-anywhere"]).ended).toEqual({ status: 127, notStarted: "ENOENT" });
  expect(await start([tmpdir()]).ended).toEqual({ status: 126, notStarted: "EACCES" });
  const ends = start([process.execPath, "-e", "process.exit(127)"]);
  expect(await ends.ended).toEqual({ status: 127, notStarted: null });
});

test("a command that is started again and again leaves no listener behind", async () => {
  const streams = [process.stdout, process.stderr];
  const counts = () =>
    streams.map((stream) => stream.eventNames().map((name) => [name, stream.listenerCount(name)]));
  const before = counts();
  for (let run = 0; run < 12; run++) {
    await startChild([process.execPath, "--version"], { cwd: "/", env: {}, redact: ["secret"] }).ended;
  }
  await startChild(["no-such-command-anywhere"], { cwd: "/", env: {}, redact: ["secret"] }).ended;
  expect(counts()).toEqual(before);
});
