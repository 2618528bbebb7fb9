// A secret from a file or from standard input, for every `--...-file <path|->` and every `..._FILE` variable.

import { resolve } from "node:path";
import { CliError } from "../cli-error.ts";
import type { Context } from "../context.ts";
import { shellWord } from "../shell-word.ts";
import { readRegularFile } from "./regular-file.ts";

const MAX_SIZE = 64 * 1024;

/**
 * The text of the file (of standard input for `-`), without white space at its end. `source` names where the
 * path came from, for messages: `--secret-key-file`, `VSYNC_PASSPHRASE_FILE`.
 */
export async function readSecretInput(context: Context, path: string, source: string): Promise<string> {
  if (path === "-" && context.terminal.interactive) return await context.terminal.askSecret(`${source} -`);
  const bytes = await readInput(context, path, source);
  const text = decodeUtf8(bytes)?.replace(/[ \t\r\n]+$/, "");
  if (text) return text;
  const problem = text === "" ? "is empty" : "is not UTF-8 text";
  throw new CliError(
    "INPUT",
    `${describe(path)} ${problem} (${source})`,
    `write the secret into it, or correct ${source}`,
  );
}

/** A store's secret key from the file (from standard input for `-`). */
export async function readSecretKey(context: Context, path: string): Promise<string> {
  const key = await readSecretInput(context, path, "--secret-key-file");
  if (!/\p{Cc}/u.test(key)) return key;
  throw new CliError(
    "INPUT",
    `${describe(path)} holds more than a line (--secret-key-file)`,
    "leave the secret key alone in it, without its id",
  );
}

/** The bytes of the file (of standard input for `-`): INPUT when it cannot be read or holds more than `maxBytes`. */
export async function readInput(
  context: Context,
  path: string,
  source: string,
  maxBytes: number = MAX_SIZE,
): Promise<Uint8Array> {
  return path === "-"
    ? await readStdin(context, source, maxBytes)
    : readSecretFile(context, path, source, maxBytes);
}

function readSecretFile(
  { host, terminal }: Context,
  path: string,
  source: string,
  maxBytes: number,
): Uint8Array {
  const refuse = (problem: string, hint: string, cause?: unknown): CliError =>
    new CliError("INPUT", `${path} ${problem} (${source})`, hint, { cause });
  try {
    return readRegularFile(resolve(host.cwd, path), {
      maxBytes,
      refuse: (problem, found) =>
        refuse(problem, found.isFile() ? `correct ${source}` : `for a pipe use standard input: ${source} -`),
      check({ mode }) {
        if (host.platform === "win32") return;
        const shown = (mode & 0o777).toString(8).padStart(4, "0");
        if ((mode & 0o002) !== 0)
          throw refuse(`is writable by everybody (mode ${shown})`, `chmod 600 ${shellWord(path)}`);
        if ((mode & 0o044) !== 0)
          terminal.warn(`${path} can be read by others (mode ${shown}); chmod 600 ${shellWord(path)}`);
      },
    });
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "ENOENT") throw refuse("does not exist", `correct ${source}`, error);
    if (code === "EACCES") throw refuse("may not be read by this user", `ls -l ${shellWord(path)}`, error);
    throw error;
  }
}

async function readStdin({ host }: Context, source: string, maxBytes: number): Promise<Uint8Array> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of host.stdin) {
    chunks.push(Buffer.from(chunk));
    size += chunk.length;
    if (size > maxBytes) {
      throw new CliError(
        "INPUT",
        `standard input holds more than ${maxBytes} bytes (${source})`,
        `correct ${source}`,
      );
    }
  }
  return Buffer.concat(chunks);
}

function describe(path: string): string {
  return path === "-" ? "standard input" : path;
}

function decodeUtf8(bytes: Uint8Array): string | null {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return null;
  }
}
