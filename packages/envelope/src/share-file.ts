// Files that carry environments to another machine under a passphrase of their own: magic, salt, RQE1 of base64 of gzip of
// JSON. docs/formats.md section 5.

import { deflateRaw } from "#native";
import { concat, fromBase64, fromUtf8, toBase64, utf8 } from "./encoding.ts";
import { BundleCorruptError, UnsupportedSpecVersionError } from "./errors.ts";
import { gunzip, wrapGzip } from "./gzip.ts";
import { isObject, isShallow, parseJsonObject } from "./json-fields.ts";
import { DEFAULT_ITERATIONS, deriveMaster, wipe } from "./key.ts";
import type { RandomBytes } from "./native.ts";
import { decryptEnvelope, encryptEnvelope, MIN_ENVELOPE_BYTES } from "./rqe1.ts";

export interface ShareKind {
  /** Four characters, the last of which is the version. */
  readonly magic: string;
  /** For messages: "share file". */
  readonly name: string;
  /** What makes a new one. */
  readonly command: string;
}

/** One environment as it travels. */
export interface SharedEnvironment {
  readonly repo: string;
  readonly env: string;
  /** The environment's config file (section 9); whoever imports it checks it. */
  readonly config: Readonly<Record<string, unknown>>;
  /** The vault's passphrase. */
  readonly key: string;
}

const SALT_CHARACTERS = 24;

/** Seals under `passphrase` with a fresh salt and 600,000 iterations. */
export async function sealShareFile(
  { magic }: ShareKind,
  passphrase: string,
  content: object,
  randomBytes: RandomBytes,
): Promise<Uint8Array> {
  const salt = toBase64(randomBytes(16));
  const json = utf8(JSON.stringify(content));
  const text = utf8(toBase64(wrapGzip(json, await deflateRaw(json))));
  const master = await deriveMaster(passphrase, salt, DEFAULT_ITERATIONS);
  try {
    const envelope = await encryptEnvelope(master, [text], randomBytes);
    return concat([utf8(magic), Uint8Array.of(salt.length), utf8(salt), envelope]);
  } finally {
    wipe(master, json, text);
  }
}

/** The JSON object inside, of version 1. Errors as decodeShare. */
export async function openShareFile(
  kind: ShareKind,
  passphrase: string,
  bytes: Uint8Array,
  maxJsonBytes: number,
): Promise<ReadonlyMap<string, unknown>> {
  const { salt, envelope } = splitFile(kind, bytes);
  const master = await deriveMaster(passphrase, salt, DEFAULT_ITERATIONS);
  let text: Uint8Array;
  try {
    text = await decryptEnvelope(master, envelope);
  } finally {
    wipe(master);
  }
  const gzipped = fromBase64(fromUtf8(text) ?? "");
  const json = gzipped === null ? null : await gunzip(gzipped, maxJsonBytes);
  wipe(text);
  if (json === null) throw damaged(kind, "its contents are not base64 of one gzip member");
  const fields = parseJsonObject(fromUtf8(json) ?? "");
  wipe(json);
  if (fields === null) throw damaged(kind, "it does not hold a JSON object");
  checkVersion(kind, fields.get("version"));
  return fields;
}

export function readSharedEnvironment(
  kind: ShareKind,
  fields: ReadonlyMap<string, unknown>,
): SharedEnvironment {
  const [repo, env, config, key] = ["repo", "env", "config", "key"].map((name) => fields.get(name));
  if (typeof repo !== "string" || typeof env !== "string")
    throw damaged(kind, "it names no repository and environment");
  if (!isObject(config) || !isShallow(config)) throw damaged(kind, "it holds no config");
  if (typeof key !== "string" || key === "") throw damaged(kind, "it holds no key");
  return { repo, env, config, key };
}

export function damaged({ name, command }: ShareKind, what: string): BundleCorruptError {
  return new BundleCorruptError(`the ${name} is damaged: ${what}; ask for a new one (\`${command}\`)`);
}

function splitFile(kind: ShareKind, bytes: Uint8Array): { salt: string; envelope: Uint8Array } {
  const { magic, name } = kind;
  const found = String.fromCharCode(...bytes.subarray(0, magic.length));
  if (found.slice(0, -1) === magic.slice(0, -1) && /^[02-9]$/.test(found.slice(-1))) {
    throw new UnsupportedSpecVersionError(
      `${name} version ${found} is newer than this release knows; update vsync`,
    );
  }
  if (found !== magic) throw damaged(kind, `it does not begin with ${magic}`);
  if (bytes[magic.length] !== SALT_CHARACTERS)
    throw damaged(kind, `its salt is not ${SALT_CHARACTERS} characters long`);
  const start = magic.length + 1;
  const salt = fromUtf8(bytes.subarray(start, start + SALT_CHARACTERS)) ?? "";
  if (fromBase64(salt)?.length !== 16) throw damaged(kind, "its salt is not base64 of 16 bytes");
  const envelope = bytes.subarray(start + SALT_CHARACTERS);
  if (envelope.length < MIN_ENVELOPE_BYTES) throw damaged(kind, "it was cut short");
  return { salt, envelope };
}

function checkVersion(kind: ShareKind, version: unknown): void {
  if (version === 1) return;
  if (typeof version !== "number") throw damaged(kind, "it has no version");
  throw new UnsupportedSpecVersionError(`the ${kind.name} was made by a newer release; update vsync`);
}
