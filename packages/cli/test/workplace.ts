// A machine and a repository for tests that call a command as a function: everything in one temporary folder.

import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, realpathSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PassThrough } from "node:stream";
import { pathToFileURL } from "node:url";
import { onTestFinished } from "vitest";
import { bareEnvironment } from "../../../test/machine.ts";
import type { Context, Flags } from "../src/context.ts";
import { type Host, nodeHost } from "../src/host.ts";
import { createTerminal } from "../src/terminal.ts";

export interface Workplace {
  readonly folder: string;
  /** The git repository. */
  readonly root: string;
  readonly home: string;
  /** Flags for `init` that name a folder bucket. */
  readonly bucket: { readonly endpoint: string; readonly bucket: string };
  /** A context with these variables beside the bare ones; `said()` is what it has written so far. */
  context(options?: ContextOptions): Context & { said(): { out: string; err: string } };
}

export interface ContextOptions {
  readonly env?: Readonly<Record<string, string>>;
  readonly flags?: Partial<Flags>;
  readonly stdin?: string;
  readonly cwd?: string;
  readonly host?: Partial<Host>;
}

/** Removed when the test ends, or when `whenDone` calls it. */
export function makeWorkplace(
  origin: string | null = "https://git.example/acme/shop.git",
  whenDone: (remove: () => void) => void = onTestFinished,
): Workplace {
  const folder = realpathSync(mkdtempSync(join(tmpdir(), "vsync-test-")));
  whenDone(() => rmSync(folder, { recursive: true, force: true }));
  const root = join(folder, "shop");
  const home = join(folder, "home");
  mkdirSync(root);
  mkdirSync(home);
  if (origin !== null) {
    const options = { cwd: root, env: bareEnvironment() };
    execFileSync("git", ["init", "--quiet"], options);
    execFileSync("git", ["remote", "add", "origin", origin], options);
  }
  const bucket = { endpoint: pathToFileURL(folder).href, bucket: "bucket" };
  return { folder, root, home, bucket, context: (options) => makeContext(root, home, options) };
}

function makeContext(
  root: string,
  home: string,
  { env, flags: some, stdin = "", cwd = root, host: rest }: ContextOptions = {},
): ReturnType<Workplace["context"]> {
  const flags = { json: false, quiet: false, noInput: false, yes: false, dryRun: false, ...some };
  const host: Host = {
    ...nodeHost(),
    env: { ...bareEnvironment(), HOME: home, VSYNC_KEYSTORE: `file:${join(home, "keystore")}`, ...env },
    cwd,
    homedir: home,
    stdin: Object.assign(new PassThrough(), { isTTY: false }).end(stdin),
    ...rest,
  };
  const stdout = collect();
  const stderr = collect();
  const terminal = createTerminal(
    { stdin: host.stdin, stdout: stdout.stream, stderr: stderr.stream },
    host.env,
    flags,
  );
  return {
    host,
    terminal,
    flags,
    ownSignals: () => undefined,
    said: () => ({ out: stdout.text(), err: stderr.text() }),
  };
}

function collect(): { stream: PassThrough; text(): string } {
  const stream = new PassThrough();
  const chunks: Buffer[] = [];
  stream.on("data", (chunk: Buffer) => chunks.push(chunk));
  return { stream, text: () => Buffer.concat(chunks).toString("utf8") };
}
