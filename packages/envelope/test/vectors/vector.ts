// One conformance vector, its files, and everything random in it: taken from SHA-256 of a name.

import { createHash } from "node:crypto";

export type Json = null | boolean | number | string | readonly Json[] | JsonObject;
export interface JsonObject {
  readonly [key: string]: Json;
}

export type ErrorName =
  | "ConfigMissingError"
  | "ConfigUnsupportedVersionError"
  | "S3UnreachableError"
  | "ManifestNotFoundError"
  | "WrongPassphraseError"
  | "BundleCorruptError"
  | "UnsupportedSpecVersionError"
  | "InputRefusedError";

export interface Vector {
  readonly category: string;
  readonly name: string;
  readonly description: string;
  readonly inputs: JsonObject;
  readonly expected: JsonObject & { readonly error: ErrorName | null };
  readonly bin?: Uint8Array;
}

const GENERATED_BY = "packages/envelope/test/vectors/generate.ts";
const SPEC_VERSION = "1";

/** The same bytes for the same name and purpose, for ever. */
export function seededBytes(name: string, purpose: string, length: number): Buffer {
  const blocks: Buffer[] = [];
  for (let i = 0; i * 32 < length; i++) {
    blocks.push(createHash("sha256").update(`${name}\n${purpose}\n${i}`).digest());
  }
  return Buffer.concat(blocks).subarray(0, length);
}

/** What `vsync init` makes, from a name: 32 bytes as base64, 18 bytes as base64url. */
export function seededPassphrase(name: string): string {
  return seededBytes(name, "passphrase", 32).toString("base64");
}

export function seededSalt(name: string): string {
  return seededBytes(name, "salt", 18).toString("base64url");
}

/** The files of a vector by their path below `test-vectors/`. */
export function vectorFiles(vector: Vector): [string, Uint8Array][] {
  const { category, name, description, inputs, expected, bin } = vector;
  const json = {
    category,
    description,
    inputs,
    expected,
    generated_by: GENERATED_BY,
    spec_version: SPEC_VERSION,
  };
  const files: [string, Uint8Array][] = [
    [`${category}/${name}.json`, Buffer.from(`${JSON.stringify(json, null, 2)}\n`)],
  ];
  if (bin !== undefined) files.push([`${category}/${name}.bin`, bin]);
  return files;
}

export function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("hex");
}

export function sha256Hex(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}
