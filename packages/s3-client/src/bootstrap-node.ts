// The two inputs and the environment on Node, Bun and Deno: variables, or files that variables name. `process` is the
// global one: importing node:process opens stdin, stdout and stderr, which takes milliseconds and may be noticed.

import { ConfigMissingError, fromUtf8 } from "@vsync/envelope";
import type { Inputs } from "./inputs.ts";
import { readRegularFile } from "./regular-file-node.ts";
import { warn } from "./warning.ts";

/** A config blob has some 400 bytes. */
const MAX_FILE_BYTES = 64 * 1024;

const WORLD_WRITABLE = 0o002;
const READABLE_BY_OTHERS = 0o044;

const UNREADABLE: Readonly<Record<string, readonly [what: string, remedy: string]>> = {
  ENOENT: ["is missing", "mount it, or correct the path"],
  ENOTDIR: ["is missing", "mount it, or correct the path"],
  EACCES: ["this user may not read", "give the file to this user (chown), and keep its mode at 0600"],
  EPERM: ["this user may not read", "give the file to this user (chown), and keep its mode at 0600"],
  // What a socket and, on Windows, a folder answer.
  ENXIO: ["is not a regular file", "name a file"],
  EISDIR: ["is not a regular file", "name a file"],
};

/** process.env inherits from Object.prototype: "constructor" is there without being a variable. */
export function environmentValue(name: string): string | null {
  const value: unknown = process.env[name];
  return typeof value === "string" ? value : null;
}

export async function readInputs(): Promise<Inputs> {
  const files = ["VSYNC_CONFIG_FILE", "VSYNC_PASSPHRASE_FILE"];
  if (process.platform === "win32" && files.some((name) => environmentValue(name) !== null)) {
    warn("vsync: file-permission check skipped (Windows)");
  }
  const config = await readInput("VSYNC_CONFIG", "print one with `vsync runtime-token <env>`");
  const passphrase = await readInput(
    "VSYNC_PASSPHRASE",
    "on the machine that pushes, `vsync passphrase show <env>` prints it",
  );
  return { config, passphrase };
}

async function readInput(name: string, source: string): Promise<string> {
  const path = environmentValue(`${name}_FILE`);
  if (path !== null) return readInputFile(`${name}_FILE`, path);
  const value = environmentValue(name);
  if (value === null) throw new ConfigMissingError(`neither ${name} nor ${name}_FILE is set; ${source}`);
  return value;
}

async function readInputFile(variable: string, path: string): Promise<string> {
  const bytes = await readRegularFile(path, MAX_FILE_BYTES, (stats) =>
    checkMode(stats.mode, variable, path),
  ).catch((error) => {
    throw error instanceof ConfigMissingError ? error : unreadable(variable, path, error);
  });
  if (bytes === "not a regular file") throw unusable(variable, path, "is not a regular file", "name a file");
  if (bytes === "too long") throw unusable(variable, path, "is over 64 KiB", "name the right file");
  const text = fromUtf8(bytes);
  if (text === null) throw unusable(variable, path, "is not UTF-8 text (UTF-16?)", "write it anew as UTF-8");
  const stripped = text.replace(/[ \t\r\n]+$/, "");
  if (stripped === "") throw unusable(variable, path, "is empty", "write the value into it");
  return stripped;
}

function checkMode(mode: number, variable: string, path: string): void {
  if (process.platform === "win32") return;
  const octal = (mode & 0o7777).toString(8).padStart(4, "0");
  if (mode & WORLD_WRITABLE) {
    throw unusable(variable, path, `may be written by anyone (mode ${octal})`, `run \`chmod 0600 ${path}\``);
  }
  if (mode & READABLE_BY_OTHERS) {
    warn(`vsync: ${path} is world/group-readable (mode ${octal}); narrow to 0600`);
  }
}

function unreadable(variable: string, path: string, error: unknown): ConfigMissingError {
  const { code = "unknown error" } = error as { code?: string };
  const [what, remedy] = UNREADABLE[code] ?? [`cannot be read (${code})`, "check the file"];
  return unusable(variable, path, what, remedy, { cause: new Error(code) });
}

function unusable(
  variable: string,
  path: string,
  what: string,
  remedy: string,
  cause?: ErrorOptions,
): ConfigMissingError {
  return new ConfigMissingError(
    `${variable} is set to ${JSON.stringify(path)}, which ${what}; ${remedy}`,
    cause,
  );
}
