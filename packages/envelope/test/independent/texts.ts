// Config blob, share, manifest verdict and audit log, from the format document alone.

import { gunzipSync } from "fflate";
import { chainKey, hexOf, latin1, mac, masterKey, openEnvelope, sealKey } from "./keys.ts";

export type Metadata = Readonly<Record<string, string | undefined>>;

const utf8 = new TextDecoder("utf-8", { fatal: true });

function fromBase64(text: string): Uint8Array {
  return Uint8Array.from(atob(text.replaceAll("-", "+").replaceAll("_", "/")), (character) =>
    character.charCodeAt(0),
  );
}

export function toBase64url(bytes: Uint8Array): string {
  return btoa(latin1(bytes)).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}

export function readConfig(blob: Uint8Array): Record<string, unknown> {
  const [, encoded] = /^vsync-cfg-v1:([\w-]+)$/.exec(utf8.decode(blob)) ?? [];
  if (encoded === undefined) throw new Error("not a blob");
  return JSON.parse(utf8.decode(gunzipSync(fromBase64(encoded))));
}

export function readShare(passphrase: string, file: Uint8Array): unknown {
  if (latin1(file.subarray(0, 4)) !== "SLS1") throw new Error("not SLS1");
  const end = 5 + file[4]!;
  const plaintext = openEnvelope(
    masterKey(passphrase, latin1(file.subarray(5, end)), 600_000),
    file.subarray(end),
  );
  return JSON.parse(utf8.decode(gunzipSync(fromBase64(latin1(plaintext)))));
}

/** Dates of grace periods are in 2000 or 9999, so text order against any date of ours will do for a clock. */
export function readVerdict(master: Uint8Array, prefix: string, body: string, metadata: Metadata): string {
  const { seal, gen, sha256, grace, "write-id": writeId, "rotated-at": rotatedAt = "" } = metadata;
  if (seal === undefined) return "unsealed";
  if (!/^[\w-]{43}$/.test(seal)) return "malformed";
  const version = body.replace(/^[ \t\r\n]+|[ \t\r\n]+$/g, "");
  const sealed = ["vsync-manifest-v1", version, gen, rotatedAt, sha256, writeId, grace ?? "", prefix].join(
    "\n",
  );
  const inForm =
    isVersion(version) &&
    isGeneration(gen) &&
    /^[0-9a-f]{64}$/.test(sha256 ?? "") &&
    /^[0-9a-f]{32}$/.test(writeId ?? "") &&
    /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ)?$/.test(rotatedAt) &&
    (grace === undefined || grace.split(".").length === 5);
  const key = sealKey(master);
  if (inForm && toBase64url(mac(key, sealed)) === seal) return "verified";
  const [timestamp = "", graceGen, graceSha256 = "", until = "", graceSeal, ...more] = (grace ?? "").split(
    ".",
  );
  const text = ["vsync-manifest-grace-v1", timestamp, graceGen, graceSha256, until, prefix].join("\n");
  const graceInForm =
    isVersion(timestamp) && isGeneration(graceGen) && /^[0-9a-f]{64}$/.test(graceSha256) && isVersion(until);
  if (more.length > 0 || !graceInForm || toBase64url(mac(key, text)) !== graceSeal) return "failed";
  return until > "2026" ? "grace" : "grace-over";
}

function isGeneration(gen = ""): boolean {
  return /^[1-9][0-9]{0,15}$/.test(gen) && BigInt(gen) < 2n ** 53n;
}

function isVersion(text: string): boolean {
  if (!/^\d{8}-\d{6}$/.test(text)) return false;
  const iso = text.replace(/^(....)(..)(..)-(..)(..)(..)$/, "$1-$2-$3T$4:$5:$6.000Z");
  const date = new Date(iso);
  return !Number.isNaN(date.getTime()) && date.toISOString() === iso;
}

export interface Log {
  readonly rows: readonly (readonly string[])[];
  /** From 1, or null. */
  readonly firstBad: number | null;
}

/** Splits at line feeds outside quotes, then at commas outside quotes. */
export function readLog(master: Uint8Array, file: Uint8Array): Log {
  const [, ...records] = split(utf8.decode(file), "\n").slice(0, -1);
  const key = chainKey(master);
  let previous = "";
  let firstBad: number | null = null;
  const rows = records.map((record, at) => {
    const cells = split(record, ",");
    const chain = cells.at(-1) ?? "";
    const chained = record.slice(0, record.length - chain.length - 1);
    if (firstBad === null && hexOf(mac(key, `${previous}\n${chained}`)) !== chain) firstBad = at + 1;
    previous = chain;
    return cells.map((cell) => (cell.startsWith('"') ? cell.slice(1, -1).replaceAll('""', '"') : cell));
  });
  return { rows, firstBad };
}

function split(text: string, separator: string): string[] {
  const parts = [""];
  let quoted = false;
  for (const character of text) {
    if (character === '"') quoted = !quoted;
    if (character === separator && !quoted) parts.push("");
    else parts[parts.length - 1] += character;
  }
  return parts;
}
