// Opens a vault: inputs, key derivation, and one round of fetching beside it.

import {
  decodeConfigBlob,
  deriveKeys,
  type VaultConfig,
  type VaultKeys,
  VSyncError,
  WrongPassphraseError,
  wipe,
} from "@vsync/envelope";
import { readInputs } from "#bootstrap";
import { openBucket } from "./bucket.ts";
import { type Bounds, type Deadline, withDeadline } from "./deadline.ts";
import { fetchVault } from "./fetch.ts";
import { OpenVault } from "./handle.ts";
import { checkInputs, type Inputs } from "./inputs.ts";
import { readRemoteGeneration } from "./manifest-object.ts";
import type { Vault } from "./vault.ts";

export interface OpenOptions extends Bounds {
  /** What `getEnv` falls back to after the vault and the environment. Copied. */
  readonly defaults?: Readonly<Record<string, string>>;
}

export interface OpenWithOptions extends OpenOptions, Inputs {
  /** Sends the requests instead of the runtime's own client. It must not follow redirects when told not to. */
  readonly fetch?: typeof globalThis.fetch;
}

/** Opens the vault that VSYNC_CONFIG and VSYNC_PASSPHRASE, or the files that their _FILE forms name, lead to. */
export async function open(options: OpenOptions = {}): Promise<Vault> {
  return withDeadline(options, async (deadline) => {
    deadline.stage = "reading VSYNC_CONFIG and VSYNC_PASSPHRASE";
    return openVault({ ...options, ...(await readInputs()) }, deadline);
  });
}

/** Opens a vault from strings that the caller got from anywhere. */
export async function openWith(options: OpenWithOptions): Promise<Vault> {
  return withDeadline(options, (deadline) => openVault(options, deadline));
}

async function openVault(options: OpenWithOptions, deadline: Deadline): Promise<Vault> {
  checkInputs(options);
  const { timeoutMs, fetch } = options;
  const defaults = readDefaults(options.defaults ?? {});
  const config = await decodeConfigBlob(options.config);
  // Once begun it cannot be called off.
  deadline.signal.throwIfAborted();
  // The longest part by far runs in another thread: everything else, loading an HTTP client included, comes after.
  const keys = deriveVaultKeys(options.passphrase, config);
  keys.catch(() => {});
  const bucket = await openBucket(config, fetch);
  try {
    const fetched = await fetchVault(bucket, config, keys, deadline);
    const vault = new OpenVault({
      ...fetched,
      env: config.env,
      defaults,
      readRemoteGeneration: (signal) =>
        poll(config, fetch, { signal, ...(timeoutMs !== undefined && { timeoutMs }) }),
    });
    // Too late: the caller has an error already, and nobody will ever close this.
    if (deadline.signal.aborted) await vault.close();
    return vault;
  } catch (error) {
    throw lineBreakExplained(error, options.passphrase);
  } finally {
    bucket.close();
    keys.then(({ master, sealKey, chainKey }) => wipe(master, sealKey, chainKey)).catch(() => {});
  }
}

async function poll(config: VaultConfig, fetch: OpenWithOptions["fetch"], bounds: Bounds): Promise<number> {
  return withDeadline(bounds, async (deadline) => {
    deadline.stage = "asking for the manifest's generation";
    const bucket = await openBucket(config, fetch);
    try {
      return await readRemoteGeneration(bucket, config, deadline.signal);
    } finally {
      bucket.close();
    }
  });
}

async function deriveVaultKeys(passphrase: string, config: VaultConfig): Promise<VaultKeys> {
  try {
    return await deriveKeys(passphrase, config.salt, config.iterations);
  } catch (error) {
    if (error instanceof VSyncError) throw error;
    // Only the name: what else a runtime puts into an error about a secret is not known here.
    throw new VSyncError(
      "VSYNC_KEY_DERIVATION_REFUSED",
      `this runtime refused to derive the key with ${config.iterations} iterations of PBKDF2; Cloudflare Workers take at most 100,000: make the environment for them with \`vsync init --iterations 100000\`, push, and mint VSYNC_CONFIG again (browsers derive keys only on pages served over https)`,
      { cause: new Error((error as Error).name) },
    );
  }
}

function readDefaults(defaults: Readonly<Record<string, string>>): ReadonlyMap<string, string> {
  const entries = Object.entries(defaults);
  const wrong = entries.find(([, value]) => typeof value !== "string");
  if (wrong !== undefined) throw new TypeError(`the default for ${JSON.stringify(wrong[0])} is not a string`);
  return new Map(entries);
}

/** The commonest mistake with Kubernetes: `echo secret | base64` keeps the line break, and it becomes part of the passphrase. */
function lineBreakExplained(error: unknown, passphrase: string): unknown {
  if (!(error instanceof WrongPassphraseError) || !/[\r\n]$/.test(passphrase)) return error;
  return new WrongPassphraseError(
    `${error.message}. The passphrase given ends in a line break, which counts: take it off (\`echo -n\`, \`printf %s\`), or use VSYNC_PASSPHRASE_FILE, which does`,
  );
}
