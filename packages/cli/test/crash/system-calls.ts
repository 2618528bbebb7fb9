// A command's system calls that change something, and a way to have one of them go wrong: strace, which can end a
// process before a call or have the call fail.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { type Ended, start, type World } from "./world.ts";

/** One call: the n-th of its name on its path, or, of a rename, of all. */
export interface SystemCall {
  readonly name: string;
  /** Absolute. */
  readonly path: string;
  /** From 1. */
  readonly nth: number;
}

const CHANGING =
  "openat,open,creat,write,pwrite64,writev,pwritev,fsync,fdatasync,rename,renameat,renameat2,unlink,unlinkat,mkdir,mkdirat,rmdir,link,linkat,symlink,symlinkat,chmod,fchmod,fchmodat,ftruncate,truncate,utimensat";

/** What keeps memory out of core files: of the process alone. */
const CORE_FILTER = /^\/proc\/(?:self|\d+)\/coredump_filter$/;

/** A lock that is half made has the process's number in its name, which is not known beforehand: vault/lock.test.ts leaves such. */
const HALF_MADE_LOCK = /\/lock\.\d+\.\d+\.[0-9a-f]{16}\.[0-9a-f]{16}(?:\/free)?$/;

const FILL = 0x5e;
/** What a rotation in a predicted process brings into force. */
export const NEXT_PASSPHRASE: string = Buffer.alloc(32, FILL).toString("base64");

// Names that are drawn must be the same in each run, to be named to strace beforehand. Of other lengths only the new
// passphrase is drawn: IVs, salts and write-ids are left to chance.
const NAMES = (turn: number): string => `
  import crypto from "node:crypto";
  import { syncBuiltinESMExports } from "node:module";
  const { randomBytes } = crypto;
  crypto.randomUUID = () => "5eed5eed-0000-4000-8000-00000000000${turn}";
  crypto.randomBytes = (size) => (size === 8 ? Buffer.alloc(8, ${FILL + turn}) : randomBytes(size));
  syncBuiltinESMExports();
  const { getRandomValues } = globalThis.crypto;
  globalThis.crypto.getRandomValues = (array) =>
    array.length === 32 ? array.fill(${FILL}) : getRandomValues.call(globalThis.crypto, array);`;

/** Options of node for a process whose names (others in each turn) and new passphrase are known beforehand. */
export function predicted(turn = 1): readonly string[] {
  return ["--import", `data:text/javascript,${encodeURIComponent(NAMES(turn))}`];
}

function trace(world: World, args: readonly string[], options: readonly string[]) {
  const output = join(world.folder, "trace");
  const strace = ["strace", "-f", "-qq", "-y", "-s", "4096", "-o", output, ...options];
  return start(world, args, { before: strace, node: predicted() }).ended.then((ended) => ({
    ended,
    lines: readFileSync(output, "utf8").split("\n"),
  }));
}

/** Runs the command undisturbed and lists its calls that change something on the machine. */
export async function listCalls(
  world: World,
  args: readonly string[],
): Promise<{ readonly ended: Ended; readonly calls: readonly SystemCall[] }> {
  const { ended, lines } = await trace(world, args, ["-e", `trace=${CHANGING}`]);
  const machine = dirname(world.bob.home);
  const seen = new Map<string, number>();
  const calls: SystemCall[] = [];
  const threads = new Map<string, Set<string>>();
  for (const line of lines) {
    const [, thread = "", name = "", rest = ""] = /^(\d+) +(\w+)\((.*)/.exec(line) ?? [];
    if (name === "") continue;
    const path = pathOf(name, rest);
    if (CORE_FILTER.test(path) || (HALF_MADE_LOCK.test(path) && !name.startsWith("rename"))) continue;
    // Each counts for strace, also one that fails or only reads; it counts for each thread.
    const key = [name, ...onPath({ name, path })].join(" ");
    threads.set(key, (threads.get(key) ?? new Set()).add(thread));
    const nth = (seen.get(key) ?? 0) + 1;
    seen.set(key, nth);
    if (/ = -1 E\w+ \(.*\)$/.test(rest)) continue; // what failed has changed nothing
    if (name.startsWith("open") && !/O_(WRONLY|RDWR|CREAT|TRUNC)/.test(rest)) continue;
    if (!path.startsWith("/") || (path.startsWith("/dev/") && !path.startsWith("/dev/shm/"))) continue;
    assert(path.startsWith(`${machine}/`), `it writes outside of its machine: ${line}`);
    assert.equal(threads.get(key)?.size, 1, `several threads, and strace counts for each: ${line}`);
    calls.push({ name, path, nth });
  }
  return { ended, calls };
}

/** Runs the command with one call going wrong: `fault` is `signal=KILL` or `error=<errno>`. Fails when it was not reached. */
export async function runWithFault(
  world: World,
  args: readonly string[],
  call: SystemCall,
  fault: string,
): Promise<Ended> {
  const { name, nth } = call;
  const options = [...onPath(call), "-e", `trace=${name}`, "-e", `inject=${name}:${fault}:when=${nth}`];
  const { ended, lines } = await trace(world, args, options);
  const reached = lines.filter((line) => new RegExp(`^\\d+ +${name}\\(`).test(line));
  const killed = lines.some((line) => line.includes("+++ killed by SIGKILL +++"));
  if (fault === "signal=KILL") {
    assert(killed && ended.signal === "SIGKILL", `not killed: ${JSON.stringify(ended)}\n${lines.join("\n")}`);
    assert.equal(reached.length, nth, "calls until it was killed");
  } else
    assert(
      lines.some((line) => line.includes("(INJECTED)")),
      `nothing was injected:\n${lines.join("\n")}`,
    );
  return ended;
}

/** By descriptor (`3</path>`) or by name (`"/path"`). */
function pathOf(name: string, rest: string): string {
  const byDescriptor = /^(write|pwrite64|writev|pwritev|fsync|fdatasync|fchmod|ftruncate)$/.test(name);
  return (byDescriptor ? /^\d+<([^>]*)>/ : /"((?:[^"\\]|\\.)*)"/).exec(rest)?.[1] ?? "";
}

// Renames are counted wherever they are: the one that gives back a lock has the process's number in its name.
function onPath({ name, path }: Pick<SystemCall, "name" | "path">): readonly string[] {
  return name.startsWith("rename") ? [] : ["-P", path];
}
