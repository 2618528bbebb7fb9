// Names a process so that another one on the same machine can tell, later, whether it is still there.

import { createHash, randomBytes } from "node:crypto";
import { readFileSync, readlinkSync } from "node:fs";
import { hostname } from "node:os";

/**
 * `alive`: leave what it holds alone. `gone`: it ended, so what it holds can be taken. `elsewhere`: its process ids
 * mean nothing here (another host, another container), so nobody here can tell.
 */
export type ProcessState = "alive" | "gone" | "elsewhere";

/** `<pid>.<start>.<world>`: letters, digits and dots. */
export function nameOwnProcess(): string {
  return `${process.pid}.${readStat("self")?.start ?? "0"}.${nameWorld()}`;
}

/** A name for what only this process writes, and what others may delete when this process is gone. */
export function nameForTemporary(): string {
  return `${nameOwnProcess()}.${randomBytes(8).toString("hex")}`;
}

/** The state of the process that made `nameForTemporary()`; null when it is no such name. */
export function stateOfTemporary(name: string): ProcessState | null {
  return stateOfProcess(name.slice(0, name.lastIndexOf(".")));
}

/** What became of the process that `name` names; null when it names none. */
export function stateOfProcess(name: string): ProcessState | null {
  const [, pid, start, world] = /^([1-9][0-9]{0,9})\.([0-9]+)\.([0-9a-f]{16})$/.exec(name) ?? [];
  if (pid === undefined) return null;
  if (world !== nameWorld()) return "elsewhere";
  try {
    process.kill(Number(pid), 0);
  } catch (error) {
    // EPERM is a living process of another user. Only this call may say "gone" for want of a process:
    // a /proc mounted with hidepid shows nothing of other users' processes, dead or alive.
    return error instanceof Error && "code" in error && error.code === "ESRCH" ? "gone" : "alive";
  }
  const stat = readStat(pid);
  // Without /proc (macOS, Windows) a recycled pid passes for the holder: it is waited for, never robbed.
  if (stat === null || start === "0") return "alive";
  return stat.start !== start || stat.zombie ? "gone" : "alive";
}

/** Within one world a pid means one process: the same host and, on Linux, the same pid namespace. */
function nameWorld(): string {
  let namespace = "";
  try {
    namespace = readlinkSync("/proc/self/ns/pid");
  } catch {
    // not Linux
  }
  return createHash("sha256").update(`${hostname()}\n${namespace}`).digest("hex").slice(0, 16);
}

/** Field 22 of /proc/<pid>/stat, clock ticks from boot to the process's start: what tells a recycled pid from the first. */
function readStat(pid: string): { start: string; zombie: boolean } | null {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, "utf8");
    // The second field is the program's name in brackets, which may itself hold spaces and brackets.
    const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
    const start = fields[19];
    return start === undefined ? null : { start, zombie: fields[0] === "Z" || fields[0] === "X" };
  } catch {
    return null;
  }
}
