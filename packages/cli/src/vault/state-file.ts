// The JSON files among an environment's state, and the checks their parsers have in common: docs/formats.md section 9.

import { CliError } from "../cli-error.ts";
import { readPrivateFile, writePrivateFile } from "../config/private-file.ts";
import { shellWord } from "../shell-word.ts";

export function writeStateFile(path: string, fields: Readonly<Record<string, unknown>>): void {
  writePrivateFile(path, JSON.stringify({ version: 1, ...fields }));
}

/** Null when there is no such file. A parser answers null to what it does not know; then `loss` and `hint` explain. */
export function readStateFile<T>(
  path: string,
  parse: (fields: Record<string, unknown>) => T | null,
  damage: { readonly loss: string; readonly hint: string },
): T | null {
  const bytes = readPrivateFile(path);
  if (bytes === null) return null;
  const fields = parseJson(bytes);
  const parsed = isRecord(fields) && fields.version === 1 ? parse(fields) : null;
  if (parsed !== null) return parsed;
  const message = `${path} is damaged, or of a newer release: ${damage.loss}`;
  throw new CliError(
    "CORRUPT",
    message,
    `mv ${shellWord(path)} ${shellWord(`${path}.damaged`)}   ${damage.hint}`,
  );
}

export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

export function isStringRecord(value: unknown): value is Record<string, string> {
  return isRecord(value) && Object.values(value).every((field) => typeof field === "string");
}

export function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

function parseJson(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch {
    return null;
  }
}
