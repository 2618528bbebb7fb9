// A person's machine for tests that drive the built command: a HOME of its own and a git repository, nothing inherited.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { cpSync, mkdirSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const project = dirname(dirname(fileURLToPath(import.meta.url)));
const vsyncMain = join(project, "packages/cli/dist/main.js");

/** The reader as built for Node, to be imported by applications that tests start. */
export const READER: string = join(project, "packages/s3-client/dist/node/index.js");

export interface Finished {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface Machine {
  readonly home: string;
  /** The git repository. */
  readonly repository: string;
  readonly vault: string;
  /** For those who start the command themselves: its file, and the environment it runs in. */
  readonly main: string;
  readonly env: NodeJS.ProcessEnv;
  /** Runs the command in the repository; rejects unless it ends with `status`, which is 0 unless given. */
  vsync(args: readonly string[], options?: { status?: number; input?: string }): Promise<Finished>;
}

/** Makes the machine below `folder`, which must not exist. Its keystore is a folder of files. */
export async function makeMachine(folder: string): Promise<Machine> {
  const home = join(folder, "home");
  const repository = join(folder, "shop");
  mkdirSync(home, { recursive: true });
  mkdirSync(repository);
  const env = { ...bareEnvironment(), HOME: home, VSYNC_KEYSTORE: `file:${join(home, "keystore")}` };
  await run("git", ["init", "--quiet"], { cwd: repository, env });
  await run("git", ["remote", "add", "origin", "https://git.example/acme/shop.git"], {
    cwd: repository,
    env,
  });
  return {
    home,
    repository,
    vault: join(repository, "infra/vault/demo"),
    main: vsyncMain,
    env,
    vsync: (args, options) =>
      run(process.execPath, [vsyncMain, ...args], { cwd: repository, env, ...options }),
  };
}

/** Gives `to` the configuration and the key of `from`, and nothing of its state. */
export function handOver(from: Machine, to: Machine): void {
  for (const part of [".config", "keystore"]) {
    cpSync(join(from.home, part), join(to.home, part), { recursive: true });
  }
}

/** PATH and the like, without anything that vsync, git or a desktop would read. */
export function bareEnvironment(): NodeJS.ProcessEnv {
  const { PATH, SystemRoot, TMPDIR, LANG } = process.env;
  const env = {
    PATH,
    SystemRoot,
    TMPDIR,
    LANG,
    GIT_CONFIG_GLOBAL: "/dev/null",
    GIT_CONFIG_SYSTEM: "/dev/null",
  };
  return Object.fromEntries(Object.entries(env).filter(([, value]) => value !== undefined));
}

export interface RunOptions {
  readonly cwd: string;
  readonly env: NodeJS.ProcessEnv;
  readonly status?: number;
  readonly input?: string;
}

/** Runs a command to its end; rejects, with all that it said, unless it ends with the status expected. */
export async function run(command: string, args: readonly string[], options: RunOptions): Promise<Finished> {
  const { cwd, env, status: expected = 0, input } = options;
  const child = spawn(command, args, { cwd, env, stdio: "pipe" });
  let stdout = "";
  let stderr = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    stdout += text;
  });
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    stderr += text;
  });
  child.stdin.end(input);
  const [status] = (await once(child, "close")) as [number | null];
  if (status === expected) return { status, stdout, stderr };
  throw new Error(`${command} ${args.join(" ")}: status ${status}, not ${expected}\n${stdout}${stderr}`);
}
