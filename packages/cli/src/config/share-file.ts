// Share and key files on the disk: written once and privately, and read from wherever they were sent.

import { WrongPassphraseError } from "@vsync/envelope";
import { CliError } from "../cli-error.ts";
import { shellWord } from "../shell-word.ts";
import { createPrivateFile } from "./private-file.ts";
import { readRegularFile } from "./regular-file.ts";

const IMPORTS: Readonly<Record<string, { readonly kind: string; readonly command: string }>> = {
  SLS1: { kind: "share file", command: "vsync share import" },
  SLK1: { kind: "key file", command: "vsync keystore import" },
};

/** Each file has a passphrase of its own, so none is overwritten. */
export function writeShareFile(path: string, bytes: Uint8Array): void {
  try {
    createPrivateFile(path, bytes);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
    const hint = "an earlier one has its own passphrase: remove the file, or give --out a new name";
    throw new CliError("INPUT", `${path} exists already`, hint, { cause: error });
  }
}

/** `kind` names it in messages: "share file". */
export function readShareFile(
  path: string,
  kind: string,
  { magic, maxBytes }: { readonly magic: string; readonly maxBytes: number },
): Uint8Array {
  const hint = `they are small files that begin with ${magic}`;
  const refuse = (): CliError => new CliError("INPUT", `${path} is no ${kind}`, hint);
  let bytes: Uint8Array;
  try {
    bytes = readRegularFile(path, { maxBytes, refuse });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
    throw new CliError("INPUT", `there is no file ${path}`, `name the ${kind} you were sent`, {
      cause: error,
    });
  }
  const begins = Buffer.from(bytes.subarray(0, magic.length)).toString("latin1");
  const other = begins === magic ? undefined : IMPORTS[begins];
  if (other === undefined) return bytes;
  throw new CliError(
    "INPUT",
    `${path} is no ${kind} but a ${other.kind}`,
    `${other.command} ${shellWord(path)}`,
  );
}

/**
 * Opens it with the passphrase as it was typed, or else with the words that were meant. `anew` is the sender's command
 * for another file.
 */
export async function openShareFile<T>(
  kind: string,
  anew: string,
  passphrase: string,
  decode: (passphrase: string) => Promise<T>,
): Promise<T> {
  try {
    return await decode(passphrase);
  } catch (error) {
    if (!(error instanceof WrongPassphraseError)) throw error;
    const words = wordsAsMade(passphrase);
    if (words !== null) return await openShareFile(kind, anew, words, decode);
    throw new CliError(
      "WRONG_PASSPHRASE",
      `this passphrase does not open the ${kind}; or the file was damaged on its way, which cannot be told apart`,
      `ask the sender for the words again, or for a new file: ${anew}`,
      { cause: error },
    );
  }
}

/** The six words as `share export` made them, from how somebody who heard them may type them; null when it is no other text. */
function wordsAsMade(typed: string): string | null {
  const words = typed.toLowerCase().match(/[^\s\p{Pd}_,.]+/gu) ?? [];
  const made = words.join("-");
  return words.length === 6 && words.every((word) => /^[a-z]{3,8}$/.test(word)) && made !== typed
    ? made
    : null;
}
