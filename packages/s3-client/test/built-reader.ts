// The reader as it ships, bundled into a temporary folder for this test file, and processes that run it.

import { spawn } from "node:child_process";
import { chmodSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { build } from "tsdown";
import { afterAll } from "vitest";
import builds from "../tsdown.config.ts";

const packageFolder = fileURLToPath(new URL("..", import.meta.url));

export interface BuiltReader {
  /** URL of the module that Node imports. */
  readonly node: string;
  /** URL of the module that runtimes without `node:` modules import. */
  readonly web: string;
  /** Readable by every user of this machine. */
  readonly folder: string;
}

export async function buildReader(): Promise<BuiltReader> {
  const folder = mkdtempSync(join(tmpdir(), "vsync-built-reader-"));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));
  chmodSync(folder, 0o755);
  for (const options of builds) {
    const outDir = join(folder, options.platform === "node" ? "node" : "web");
    await build({
      ...options,
      cwd: packageFolder,
      outDir,
      dts: false,
      config: false,
      logLevel: "silent",
    } as never);
  }
  const url = (name: string) => pathToFileURL(join(folder, name, "index.js")).href;
  return { folder, node: url("node"), web: url("web") };
}

export interface ChildResult {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface ChildOptions {
  /** The whole environment. */
  readonly env?: Readonly<Record<string, string>>;
  readonly args?: readonly string[];
  /** As an ordinary user, when the tests run as root: root sees no permission errors. */
  readonly ordinaryUser?: boolean;
  /** Nobody reads its stderr: writing there fails (EPIPE). */
  readonly unheard?: boolean;
}

const ORDINARY_UID = 65534;

export const runsAsRoot: boolean = process.getuid?.() === 0;

/** Runs a module in a Node of its own, to its end: a test that hangs is one whose process does not exit by itself. */
export function runModule(source: string, options: ChildOptions = {}): Promise<ChildResult> {
  const { env = {}, args = [], ordinaryUser = false, unheard = false } = options;
  const user = ordinaryUser && runsAsRoot ? { uid: ORDINARY_UID, gid: ORDINARY_UID } : {};
  const child = spawn(process.execPath, [...args, "--input-type=module", "-"], {
    env: { ...env },
    stdio: ["pipe", "pipe", "pipe"],
    cwd: tmpdir(),
    ...user,
  });
  if (unheard) child.stderr.destroy();
  child.stdin.end(source);
  const stdout: Buffer[] = [];
  const stderr: Buffer[] = [];
  child.stdout.on("data", (chunk) => stdout.push(chunk));
  child.stderr.on("data", (chunk) => stderr.push(chunk));
  return new Promise((resolve, reject) => {
    child.on("error", reject);
    child.on("close", (code, signal) =>
      resolve({
        code,
        signal,
        stdout: Buffer.concat(stdout).toString(),
        stderr: Buffer.concat(stderr).toString(),
      }),
    );
  });
}
