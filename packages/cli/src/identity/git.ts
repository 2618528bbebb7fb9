// What vsync asks git, always of git itself: it alone knows includes, worktrees and ignore rules.

import { spawnSync } from "node:child_process";
import type { Host } from "../host.ts";

export function gitTopLevel(host: Host, folder: string): string | null {
  return ask(host, folder, ["rev-parse", "--show-toplevel"]);
}

export function gitOrigin(host: Host, folder: string): string | null {
  return ask(host, folder, ["config", "--get", "remote.origin.url"]);
}

export function gitEmail(host: Host, folder: string): string | null {
  return ask(host, folder, ["config", "--get", "user.email"]);
}

/** Whether git ignores the path; null where there is no git to ask. */
export function gitIgnores(host: Host, folder: string, path: string): boolean | null {
  const { status } = run(host, folder, ["check-ignore", "--quiet", "--", path]);
  return status === 0 ? true : status === 1 ? false : null;
}

/** `git version 2.39.5`; null where git does not run. */
export function gitVersion(host: Host, folder: string): string | null {
  return ask(host, folder, ["--version"]);
}

/** The files below these paths that git has in its index; null where there is no git to ask. */
export function gitTracked(host: Host, folder: string, paths: readonly string[]): readonly string[] | null {
  const { status, stdout } = run(host, folder, ["ls-files", "-z", "--", ...paths]);
  return status === 0 ? stdout.split("\0").filter(Boolean) : null;
}

function ask(host: Host, folder: string, args: readonly string[]): string | null {
  const { status, stdout } = run(host, folder, args);
  const answer = stdout.replace(/\r?\n$/, "");
  return status === 0 && answer !== "" ? answer : null;
}

function run(host: Host, folder: string, args: readonly string[]): { status: number | null; stdout: string } {
  const { status, stdout } = spawnSync("git", [...args], {
    cwd: folder,
    env: withoutSecrets(host.env),
    encoding: "utf8",
    stdio: ["ignore", "pipe", "ignore"],
    timeout: 10_000,
  });
  return { status, stdout: stdout ?? "" };
}

/** An environment for a child process that has no business with vsync's secrets. */
export function withoutSecrets(env: Host["env"]): Record<string, string | undefined> {
  return Object.fromEntries(
    Object.entries(env).filter(([name]) => !/^(VSYNC_|AWS_SECRET_|AWS_SESSION_)/i.test(name)),
  );
}
