// VSYNC_CONFIG: where a vault lies and how its key is derived, as one string. docs/formats.md section 8.

import { fromBase64url, fromUtf8, toBase64url, utf8 } from "./encoding.ts";
import { BundleCorruptError, ConfigMissingError, ConfigUnsupportedVersionError } from "./errors.ts";
import { gunzip, wrapGzip } from "./gzip.ts";
import { parseJsonObject } from "./json-fields.ts";
import { checkKdf, KEY_LIMITS, type KeyLimits } from "./key.ts";

/** Order of the fields is the order in which they are encoded. */
export interface VaultConfig {
  /** `https://…`, `http://…` or `file:///absolute/path`, without a slash at the end. */
  readonly endpoint: string;
  readonly region: string;
  readonly bucket: string;
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  /** Ends in `/` unless it is empty. */
  readonly prefix: string;
  readonly env: string;
  readonly salt: string;
  readonly iterations: number;
  /** The lowest generation that a reader may accept; its presence also demands a seal. */
  readonly minGen?: number;
  readonly sessionToken?: string;
}

export interface ConfigLimits extends KeyLimits {
  /** Bytes of JSON, unpacked. */
  readonly maxJsonBytes: number;
}

export const CONFIG_LIMITS: ConfigLimits = { ...KEY_LIMITS, maxJsonBytes: 64 * 1024 };

const MAGIC = "vsync-cfg-v1:";
const TEXT_FIELDS = [
  "endpoint",
  "region",
  "bucket",
  "accessKeyId",
  "secretAccessKey",
  "prefix",
  "env",
  "salt",
] as const;
const MINT_AGAIN = "mint it again with `vsync runtime-token`";

/**
 * Throws ConfigMissingError (empty, or not a blob at all), ConfigUnsupportedVersionError (standard base64, or a later
 * version) or BundleCorruptError (damaged, a field missing, of the wrong type or out of bounds).
 */
export async function decodeConfigBlob(
  text: string,
  limits: ConfigLimits = CONFIG_LIMITS,
): Promise<VaultConfig> {
  if (!text.startsWith(MAGIC)) throw new ConfigMissingError(notABlob(text));
  const encoded = text.slice(MAGIC.length);
  if (/[+/=]/.test(encoded)) {
    throw new ConfigUnsupportedVersionError(
      `VSYNC_CONFIG is in standard base64 (it holds one of "+ / ="); it takes base64url without padding: ${MINT_AGAIN}`,
    );
  }
  const gzipped = fromBase64url(encoded);
  if (gzipped === null && /\s$/.test(encoded)) {
    throw new BundleCorruptError(
      "VSYNC_CONFIG ends in white space, a line break perhaps, which is no part of it: take it off (`printf %s`), or use VSYNC_CONFIG_FILE, which does",
    );
  }
  if (gzipped === null) throw damaged("is not base64url");
  const json = await gunzip(gzipped, limits.maxJsonBytes);
  if (json === null) throw damaged(`is not one gzip member of at most ${limits.maxJsonBytes} bytes`);
  const fields = parseJsonObject(fromUtf8(json) ?? "");
  if (fields === null) throw damaged("does not hold a JSON object");
  return readConfig(fields, limits);
}

/** The blob of a config: the same config makes the same text everywhere. */
export async function encodeConfigBlob(config: VaultConfig): Promise<string> {
  const { deflateSync } = await import("fflate");
  const fields: Record<string, unknown> = { v: 1 };
  for (const name of TEXT_FIELDS) fields[name] = config[name];
  fields.iterations = config.iterations;
  if (config.minGen !== undefined) fields.minGen = config.minGen;
  if (config.sessionToken !== undefined) fields.sessionToken = config.sessionToken;
  const json = utf8(JSON.stringify(fields));
  // Always this implementation: the platforms' own differ in their bytes.
  return MAGIC + toBase64url(wrapGzip(json, deflateSync(json, { level: 9 })));
}

function readConfig(fields: ReadonlyMap<string, unknown>, limits: ConfigLimits): VaultConfig {
  const version = fields.get("v");
  if (version !== 1) {
    if (version === undefined) throw damaged('has no version field "v"');
    throw new ConfigUnsupportedVersionError(
      "VSYNC_CONFIG is of a version that this release does not know; update vsync",
    );
  }
  const texts = Object.fromEntries(TEXT_FIELDS.map((name) => [name, textField(fields, name)]));
  const config = { ...texts, iterations: fields.get("iterations") } as unknown as VaultConfig;
  if (typeof config.iterations !== "number") throw damaged('has no number "iterations"');
  checkLocation(config);
  try {
    checkKdf(config.salt, config.iterations, limits);
  } catch (error) {
    throw damaged(`asks for a ${(error as Error).message}`);
  }
  const minGen = fields.get("minGen");
  if (minGen !== undefined && !(Number.isSafeInteger(minGen) && (minGen as number) >= 0)) {
    throw damaged('has a "minGen" that is not an integer from 0 to 2^53-1');
  }
  const sessionToken = fields.get("sessionToken");
  if (sessionToken !== undefined && typeof sessionToken !== "string") {
    throw damaged('has a "sessionToken" that is not a string');
  }
  return {
    ...config,
    ...(minGen !== undefined && { minGen: minGen as number }),
    ...(sessionToken !== undefined && { sessionToken }),
  };
}

function textField(fields: ReadonlyMap<string, unknown>, name: string): string {
  const value = fields.get(name);
  if (typeof value !== "string") throw damaged(`has no string "${name}"`);
  return value;
}

function checkLocation(config: VaultConfig): void {
  const problem = locationProblem(config);
  if (problem !== null) throw damaged(problem);
}

/** Why a place in a bucket cannot be used, or null. Also asked of what a person types, so it repeats none of it. */
export function locationProblem(
  location: Pick<VaultConfig, "endpoint" | "bucket" | "prefix">,
): string | null {
  const url = URL.canParse(location.endpoint) ? new URL(location.endpoint) : null;
  if (url === null || !["https:", "http:", "file:"].includes(url.protocol)) {
    return "has an endpoint that is not an https://, http:// or file:/// URL";
  }
  if (url.username !== "" || url.password !== "") return "has credentials inside its endpoint URL";
  if (url.search !== "" || url.hash !== "" || /[?#]/.test(location.endpoint)) {
    return "has an endpoint URL with a query or fragment";
  }
  if (url.protocol === "file:" && (url.host !== "" || !location.endpoint.startsWith("file:///"))) {
    return "has a file endpoint that is not file:///absolute/path";
  }
  if (location.bucket === "") return "names no bucket";
  if (/\p{Surrogate}/u.test(location.bucket + location.prefix))
    return "has half of a surrogate pair in its bucket or prefix";
  return prefixProblem(location.prefix);
}

function prefixProblem(prefix: string): string | null {
  if (prefix === "") return null;
  if (!prefix.endsWith("/")) return "has a prefix that does not end in a slash";
  if (/\p{Cc}/u.test(prefix)) return "has a control character in its prefix";
  return prefix.split("/").some((part) => part === "." || part === "..")
    ? "has a part . or .. in its prefix"
    : null;
}

function notABlob(text: string): string {
  const start = `VSYNC_CONFIG does not begin with "${MAGIC}"`;
  if (text === "") return "VSYNC_CONFIG is empty; print one with `vsync runtime-token <env>`";
  if (/^\s*\{/.test(text))
    return `${start}: it looks like raw JSON; print a blob with \`vsync runtime-token <env>\``;
  if (/^vsync-cfg-v\d+:/.test(text))
    return `${start}: it is a blob for another release; update vsync, or ${MINT_AGAIN}`;
  if (text.trim().startsWith(MAGIC)) return `${start}: there is white space in front of it`;
  return `${start}; print one with \`vsync runtime-token <env>\``;
}

function damaged(what: string): BundleCorruptError {
  return new BundleCorruptError(`VSYNC_CONFIG ${what}; ${MINT_AGAIN}`);
}
