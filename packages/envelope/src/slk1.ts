// The key file: several environments of one person's machine for another one of theirs. docs/formats.md section 5.

import { randomBytes as nativeRandomBytes } from "#native";
import { isObject } from "./json-fields.ts";
import type { RandomBytes } from "./native.ts";
import {
  damaged,
  openShareFile,
  readSharedEnvironment,
  type SharedEnvironment,
  type ShareKind,
  sealShareFile,
} from "./share-file.ts";

export interface KeyFileEnvironment extends SharedEnvironment {
  /** The passphrase before the last rotation: older versions open with it. */
  readonly replaced?: string;
  /** Those before that one, newest first. */
  readonly older?: readonly string[];
  /** Git origins that use the repository's name. */
  readonly origins: readonly string[];
}

const MAX_JSON_BYTES = 4 * 1024 * 1024;
const SLK1: ShareKind = { magic: "SLK1", name: "key file", command: "vsync keystore export" };

/** Seals a key file as a share is sealed. */
export async function encodeKeyFile(
  passphrase: string,
  environments: readonly KeyFileEnvironment[],
  randomBytes: RandomBytes = nativeRandomBytes,
): Promise<Uint8Array> {
  return await sealShareFile(SLK1, passphrase, { version: 1, environments }, randomBytes);
}

/** Errors as decodeShare. */
export async function decodeKeyFile(passphrase: string, bytes: Uint8Array): Promise<KeyFileEnvironment[]> {
  const environments = (await openShareFile(SLK1, passphrase, bytes, MAX_JSON_BYTES)).get("environments");
  if (!Array.isArray(environments)) throw damaged(SLK1, "it holds no list of environments");
  return environments.map((value: unknown) => {
    if (!isObject(value)) throw damaged(SLK1, "an environment in it is none");
    const { replaced, older, origins } = value;
    if (!areStrings(origins)) throw damaged(SLK1, "it holds no origins");
    if (
      (replaced !== undefined && typeof replaced !== "string") ||
      (older !== undefined && !areStrings(older))
    )
      throw damaged(SLK1, "an earlier passphrase in it is none");
    const environment = readSharedEnvironment(SLK1, new Map(Object.entries(value)));
    return {
      ...environment,
      ...(replaced !== undefined && { replaced }),
      ...(older !== undefined && { older }),
      origins,
    };
  });
}

function areStrings(value: unknown): value is string[] {
  return Array.isArray(value) && value.every((item) => typeof item === "string");
}
