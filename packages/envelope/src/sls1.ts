// The share file: one environment's config and key for a teammate, under a passphrase of its own. docs/formats.md section 5.

import { deflateRaw, randomBytes as nativeRandomBytes } from "#native";
import { concat, fromBase64, fromUtf8, toBase64, utf8 } from "./encoding.ts";
import { BundleCorruptError, UnsupportedSpecVersionError } from "./errors.ts";
import { gunzip, wrapGzip } from "./gzip.ts";
import { isObject, parseJsonObject } from "./json-fields.ts";
import { DEFAULT_ITERATIONS, deriveMaster, wipe } from "./key.ts";
import type { RandomBytes } from "./native.ts";
import { decryptEnvelope, encryptEnvelope, MIN_ENVELOPE_BYTES } from "./rqe1.ts";

export interface SharePayload {
  readonly version: 1;
  readonly repo: string;
  readonly env: string;
  /** The environment's config file (section 9); whoever imports it checks it. */
  readonly config: Readonly<Record<string, unknown>>;
  /** The vault's passphrase. */
  readonly key: string;
}

export interface ShareLimits {
  /** Bytes of JSON, unpacked. */
  readonly maxJsonBytes: number;
}

export const SHARE_LIMITS: ShareLimits = { maxJsonBytes: 64 * 1024 };

const MAGIC = "SLS1";
const SALT_CHARACTERS = 24;

/** Seals a share under `passphrase` with a fresh salt and 600,000 iterations. */
export async function encodeShare(
  passphrase: string,
  payload: SharePayload,
  randomBytes: RandomBytes = nativeRandomBytes,
): Promise<Uint8Array> {
  const salt = toBase64(randomBytes(16));
  const { repo, env, config, key } = payload;
  const json = utf8(JSON.stringify({ version: 1, repo, env, config, key }));
  const text = utf8(toBase64(wrapGzip(json, await deflateRaw(json))));
  const master = await deriveMaster(passphrase, salt, DEFAULT_ITERATIONS);
  try {
    const envelope = await encryptEnvelope(master, [text], randomBytes);
    return concat([utf8(MAGIC), Uint8Array.of(salt.length), utf8(salt), envelope]);
  } finally {
    wipe(master, json, text);
  }
}

/**
 * Throws BundleCorruptError (damaged, no share), UnsupportedSpecVersionError (a later form) or WrongPassphraseError: the
 * tag does not verify, by another passphrase or by damage inside, which nothing in the file can tell apart.
 */
export async function decodeShare(
  passphrase: string,
  bytes: Uint8Array,
  limits: ShareLimits = SHARE_LIMITS,
): Promise<SharePayload> {
  const { salt, envelope } = splitShare(bytes);
  const master = await deriveMaster(passphrase, salt, DEFAULT_ITERATIONS);
  let text: Uint8Array;
  try {
    text = await decryptEnvelope(master, envelope);
  } finally {
    wipe(master);
  }
  const gzipped = fromBase64(fromUtf8(text) ?? "");
  const json = gzipped === null ? null : await gunzip(gzipped, limits.maxJsonBytes);
  wipe(text);
  if (json === null) throw damaged("its contents are not base64 of one gzip member");
  const fields = parseJsonObject(fromUtf8(json) ?? "");
  wipe(json);
  if (fields === null) throw damaged("it does not hold a JSON object");
  return readPayload(fields);
}

function splitShare(bytes: Uint8Array): { salt: string; envelope: Uint8Array } {
  const magic = String.fromCharCode(...bytes.subarray(0, MAGIC.length));
  if (/^SLS[02-9]$/.test(magic)) {
    throw new UnsupportedSpecVersionError(
      `share file version ${magic} is newer than this release knows; update vsync`,
    );
  }
  if (magic !== MAGIC) throw damaged("it does not begin with SLS1");
  if (bytes[MAGIC.length] !== SALT_CHARACTERS)
    throw damaged(`its salt is not ${SALT_CHARACTERS} characters long`);
  const start = MAGIC.length + 1;
  const salt = fromUtf8(bytes.subarray(start, start + SALT_CHARACTERS)) ?? "";
  if (fromBase64(salt)?.length !== 16) throw damaged("its salt is not base64 of 16 bytes");
  const envelope = bytes.subarray(start + SALT_CHARACTERS);
  if (envelope.length < MIN_ENVELOPE_BYTES) throw damaged("it was cut short");
  return { salt, envelope };
}

function readPayload(fields: ReadonlyMap<string, unknown>): SharePayload {
  const version = fields.get("version");
  if (version !== 1) {
    if (typeof version !== "number") throw damaged("it has no version");
    throw new UnsupportedSpecVersionError("the share was made by a newer release; update vsync");
  }
  const [repo, env, config, key] = ["repo", "env", "config", "key"].map((name) => fields.get(name));
  if (typeof repo !== "string" || typeof env !== "string")
    throw damaged("it names no repository and environment");
  if (!isObject(config)) throw damaged("it holds no config");
  if (typeof key !== "string" || key === "") throw damaged("it holds no key");
  return { version, repo, env, config, key };
}

function damaged(what: string): BundleCorruptError {
  return new BundleCorruptError(
    `the share file is damaged: ${what}; ask for a new one (\`vsync share export <env>\`)`,
  );
}
