// Everything that differs between two runs of the same command: environment, clock, randomness, the machine.

import { homedir, hostname, networkInterfaces, userInfo } from "node:os";
import type { Readable } from "node:stream";
import { CliError } from "./cli-error.ts";

export interface Host {
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Absolute. */
  readonly cwd: string;
  readonly homedir: string;
  readonly platform: NodeJS.Platform;
  /** Effective user id; null where there is none (Windows). */
  readonly uid: number | null;
  readonly stdin: Readable & { readonly isTTY?: boolean };
  /** Milliseconds since 1970. */
  now(): number;
  random(size: number): Uint8Array<ArrayBuffer>;
  hostname(): string;
  username(): string;
  /** The first address that is neither loopback nor link-local; empty when there is none. */
  localIp(): string;
}

/** INPUT when the current folder is gone. */
export function nodeHost(): Host {
  return {
    env: process.env,
    cwd: currentFolder(),
    homedir: homedir(),
    platform: process.platform,
    uid: process.geteuid?.() ?? null,
    get stdin() {
      return process.stdin; // opened at the first touch
    },
    now: () => Date.now(),
    random: (size) => crypto.getRandomValues(new Uint8Array(size)),
    hostname,
    username,
    localIp,
  };
}

// A shell stays in a folder that was removed or replaced, as a pull replaces the vault folder.
function currentFolder(): string {
  try {
    return process.cwd();
  } catch (cause) {
    throw new CliError(
      "INPUT",
      "the current folder was removed, or replaced by another of its name",
      'cd "$PWD"   and the same command again; if there is no such folder any more, cd into the repository',
      { cause },
    );
  }
}

function username(): string {
  try {
    return userInfo().username;
  } catch {
    return ""; // containers run under user ids that no passwd file knows
  }
}

function localIp(): string {
  for (const addresses of Object.values(networkInterfaces())) {
    for (const { address, internal } of addresses ?? []) {
      if (!internal && !address.startsWith("fe80:") && !address.startsWith("169.254.")) return address;
    }
  }
  return "";
}
