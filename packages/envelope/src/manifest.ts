// The manifest: which bundle is current, sealed so that nobody without the passphrase can make or move one.
// docs/formats.md section 6.

import { hmacSha256 } from "#native";
import { equalBytes, fromBase64url, toBase64url, utf8 } from "./encoding.ts";
import { BundleCorruptError } from "./errors.ts";
import type { VaultKeys } from "./key.ts";
import { parseTimestamp } from "./timestamp.ts";

export type Metadata = Readonly<Record<string, string>>;

/** What a writer puts into a manifest. */
export interface ManifestFields {
  readonly timestamp: string;
  /** 1 for the first publish, one more for each that follows. */
  readonly generation: number;
  /** SHA-256 of the bundle object's bytes, lower-case hex. */
  readonly sha256: string;
  /** 32 lower-case hex digits, random for each publish. */
  readonly writeId: string;
  /** `YYYY-MM-DDTHH:mm:ssZ` of the last passphrase rotation. */
  readonly rotatedAt?: string;
  /** What {@link sealGrace} made, while its period lasts. */
  readonly grace?: string;
}

/** The last bundle under the old passphrase, and until when (`YYYYMMDD-HHmmss`) it may be used. */
export interface GraceBundle {
  readonly timestamp: string;
  readonly generation: number;
  readonly sha256: string;
  readonly until: string;
}

/** The manifest object as a store hands it over. */
export interface ReceivedManifest {
  readonly body: Uint8Array;
  readonly metadata: Metadata;
}

/** What a manifest is worth under these keys. Nothing may be decrypted before this has been asked. */
export type Verdict =
  | { readonly kind: "verified"; readonly manifest: ManifestFields }
  /** The seal is another passphrase's, but a grace seal verifies under ours and its period lasts. */
  | { readonly kind: "grace"; readonly generation: number; readonly grace: GraceBundle }
  | { readonly kind: "grace-over"; readonly until: string }
  | { readonly kind: "failed" }
  /** No seal at all: a writer that does not seal, or somebody took it away. */
  | { readonly kind: "unsealed"; readonly timestamp: string; readonly generation: number }
  /** There is a seal that no writer makes: not 43 characters of base64url. */
  | { readonly kind: "malformed" };

const SEAL_FORM = /^[A-Za-z0-9_-]{43}$/;
const GENERATION_FORM = /^[1-9]\d{0,15}$/;
const SHA256_FORM = /^[0-9a-f]{64}$/;
const WRITE_ID_FORM = /^[0-9a-f]{32}$/;
const ROTATED_AT_FORM = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/;

/** Body and metadata of a manifest for this prefix. The fields are the caller's own, so a bad one is a RangeError. */
export async function sealManifest(
  keys: VaultKeys,
  prefix: string,
  fields: ManifestFields,
): Promise<{ body: Uint8Array; metadata: Record<string, string> }> {
  const metadata: Record<string, string> = {
    gen: String(fields.generation),
    sha256: fields.sha256,
    "write-id": fields.writeId,
  };
  if (fields.rotatedAt !== undefined) metadata["rotated-at"] = fields.rotatedAt;
  if (fields.grace !== undefined) metadata.grace = fields.grace;
  if (readFields(fields.timestamp, metadata) === null) throw new RangeError("manifest field out of form");
  metadata.seal = toBase64url(await hmacSha256(keys.sealKey, sealedText(fields.timestamp, metadata, prefix)));
  return { body: utf8(fields.timestamp), metadata };
}

/** The `grace` metadata of a manifest whose bundle still opens with the keys before the rotation. */
export async function sealGrace(oldKeys: VaultKeys, prefix: string, grace: GraceBundle): Promise<string> {
  const seal = await hmacSha256(oldKeys.sealKey, graceText(grace, prefix));
  return `${grace.timestamp}.${grace.generation}.${grace.sha256}.${grace.until}.${toBase64url(seal)}`;
}

/**
 * Judges the seal. `nowMs` is the later of the caller's clock and the answer's `Date`: it decides whether a grace
 * period lasts. Throws BundleCorruptError only for an unsealed manifest whose body or generation is no such thing.
 */
export async function judgeManifest(
  keys: VaultKeys,
  prefix: string,
  received: ReceivedManifest,
  nowMs: number,
): Promise<Verdict> {
  const body = bodyText(received.body);
  const { seal, grace } = received.metadata;
  if (seal === undefined) return unsealed(body, received.metadata);
  if (!SEAL_FORM.test(seal)) return { kind: "malformed" };
  const fields = readFields(body, received.metadata);
  if (fields !== null && (await verifies(keys, sealedText(body, received.metadata, prefix), seal))) {
    return { kind: "verified", manifest: fields };
  }
  const generation = readGeneration(received.metadata);
  const old = grace === undefined ? null : parseGrace(grace);
  if (old === null || generation === null) return { kind: "failed" };
  if (!(await verifies(keys, graceText(old.bundle, prefix), old.seal))) return { kind: "failed" };
  if (nowMs >= (parseTimestamp(old.bundle.until) as number)) {
    return { kind: "grace-over", until: old.bundle.until };
  }
  return { kind: "grace", generation, grace: old.bundle };
}

/** The generation that a manifest's metadata claims (0 when it has none), or null when it is no generation. Not authenticated. */
export function readGeneration(metadata: Metadata): number | null {
  const { gen } = metadata;
  if (gen === undefined) return 0;
  const generation = Number(gen);
  return GENERATION_FORM.test(gen) && Number.isSafeInteger(generation) ? generation : null;
}

/** The version that a manifest's body names, or null when it is no version. Not authenticated before the seal is judged. */
export function readTimestamp(body: Uint8Array): string | null {
  const text = bodyText(body);
  return parseTimestamp(text) === null ? null : text;
}

/** What a manifest's `grace` names, or null when it has not its form. Not authenticated before the seal is judged. */
export function graceBundle(grace: string): GraceBundle | null {
  return parseGrace(grace)?.bundle ?? null;
}

function unsealed(body: string, metadata: Metadata): Verdict {
  if (parseTimestamp(body) === null) {
    throw new BundleCorruptError(
      "the manifest does not hold a version timestamp: something else wrote that object",
    );
  }
  const generation = readGeneration(metadata);
  if (generation === null)
    throw new BundleCorruptError("the manifest's generation is not a number from 1 to 2^53-1");
  return { kind: "unsealed", timestamp: body, generation };
}

/** The sealed fields, or null when one of them does not have exactly its form: then no seal over them counts. */
function readFields(timestamp: string, metadata: Metadata): ManifestFields | null {
  const generation = readGeneration(metadata);
  const { sha256, "write-id": writeId, "rotated-at": rotatedAt, grace } = metadata;
  if (parseTimestamp(timestamp) === null || generation === null || generation === 0) return null;
  if (sha256 === undefined || !SHA256_FORM.test(sha256)) return null;
  if (writeId === undefined || !WRITE_ID_FORM.test(writeId)) return null;
  if (rotatedAt !== undefined && !isRotationTime(rotatedAt)) return null;
  if (grace !== undefined && parseGrace(grace) === null) return null;
  return {
    timestamp,
    generation,
    sha256,
    writeId,
    ...(rotatedAt !== undefined && { rotatedAt }),
    ...(grace !== undefined && { grace }),
  };
}

function isRotationTime(text: string): boolean {
  return ROTATED_AT_FORM.test(text) && parseTimestamp(text.replace(/[-:Z]/g, "").replace("T", "-")) !== null;
}

function parseGrace(text: string): { bundle: GraceBundle; seal: string } | null {
  const parts = text.split(".");
  if (parts.length !== 5) return null;
  const [timestamp, gen, sha256, until, seal] = parts as [string, string, string, string, string];
  const generation = readGeneration({ gen });
  if (generation === null || !SHA256_FORM.test(sha256) || !SEAL_FORM.test(seal)) return null;
  if (parseTimestamp(timestamp) === null || parseTimestamp(until) === null) return null;
  return { bundle: { timestamp, generation, sha256, until }, seal };
}

function sealedText(timestamp: string, metadata: Metadata, prefix: string): Uint8Array {
  const { gen, "rotated-at": rotatedAt = "", sha256, "write-id": writeId, grace = "" } = metadata;
  return utf8(["vsync-manifest-v1", timestamp, gen, rotatedAt, sha256, writeId, grace, prefix].join("\n"));
}

function graceText(grace: GraceBundle, prefix: string): Uint8Array {
  const { timestamp, generation, sha256, until } = grace;
  return utf8(["vsync-manifest-grace-v1", timestamp, generation, sha256, until, prefix].join("\n"));
}

async function verifies(keys: VaultKeys, text: Uint8Array, seal: string): Promise<boolean> {
  const claimed = fromBase64url(seal);
  return claimed !== null && equalBytes(claimed, await hmacSha256(keys.sealKey, text));
}

/** The body without the space, tab, CR and LF around it, one character for each byte. */
function bodyText(body: Uint8Array): string {
  // A version has 15 characters; what is far longer is none, whatever follows.
  return String.fromCharCode(...body.subarray(0, 1024)).replace(/^[ \t\r\n]+|[ \t\r\n]+$/g, "");
}
