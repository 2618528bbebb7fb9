// The passphrase of a share file: six words for one person to read to another. docs/formats.md section 5.

import { CliError } from "../cli-error.ts";
import { readSecretInput } from "../config/secret-input.ts";
import type { Context } from "../context.ts";
import type { Host } from "../host.ts";

const WORDS = 6;
/** What a chosen one must have: whoever holds the file can try as many as they like. */
const MIN_CHARACTERS = 12;

/** Six of the 2,048 words of BIP-39's English list: 66 bits. */
export async function generateSharePassphrase({ random }: Pick<Host, "random">): Promise<string> {
  const { wordlist } = await import("@scure/bip39/wordlists/english.js");
  const bytes = random(2 * WORDS);
  const indices = Array.from(
    { length: WORDS },
    (_, at) => ((bytes[2 * at]! << 8) | bytes[2 * at + 1]!) % 2048,
  );
  return indices.map((index) => wordlist[index]).join("-");
}

/** One that the user chose for a new share; null: none was given, and one that is made will be seen. */
export async function chosenSharePassphrase(
  context: Context,
  file: string | undefined,
): Promise<string | null> {
  const { quiet, json } = context.flags;
  const text = await givenSharePassphrase(context, file);
  if (text === null && quiet && !json) {
    throw new CliError(
      "USAGE",
      "with --quiet nobody would see the file's passphrase",
      "give one: --passphrase-file <path>",
    );
  }
  if (text === null || [...text].length >= MIN_CHARACTERS) return text;
  const message = `the share passphrase has fewer than ${MIN_CHARACTERS} characters`;
  throw new CliError("INPUT", message, "leave out --passphrase-file to have one made");
}

/** The passphrase of a file that somebody sent; `command` is the one that takes it in. */
export async function requireSharePassphrase(
  context: Context,
  file: string | undefined,
  command = "vsync share import <file>",
): Promise<string> {
  const text = await givenSharePassphrase(context, file);
  if (text !== null) return text;
  if (context.terminal.interactive) return await context.terminal.askSecret("Passphrase of the file");
  throw new CliError(
    "INPUT",
    "no terminal to ask for the file's passphrase on",
    `${command} --passphrase-file <path|->   (or VSYNC_SHARE_PASSPHRASE)`,
  );
}

async function givenSharePassphrase(context: Context, file: string | undefined): Promise<string | null> {
  if (file !== undefined) return await readSecretInput(context, file, "--passphrase-file");
  return context.host.env.VSYNC_SHARE_PASSPHRASE || null;
}
