// Everything that differs between two runs of the same command: environment, clock, randomness, the machine.

import { homedir, hostname, networkInterfaces, userInfo } from "node:os";
import type { Readable } from "node:stream";

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

export function nodeHost(): Host {
  return {
    env: process.env,
    cwd: process.cwd(),
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
