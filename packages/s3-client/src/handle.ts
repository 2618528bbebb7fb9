// An open vault in memory, and nothing that shows it by accident.

import { parseEnv, scalarsFile, utf8, type VaultFiles, VSyncError } from "@vsync/envelope";
import { environmentValue } from "#bootstrap";

/** Where a value comes from. */
export type EnvSource = "vault" | "env" | "default" | "missing";

/** What a handle is made of. */
export interface VaultContents {
  readonly env: string;
  readonly files: VaultFiles;
  readonly defaults: ReadonlyMap<string, string>;
  readonly generation: number;
  /** Differs from `generation` after an opening on a grace bundle. */
  readonly manifestGeneration: number;
  /** One HEAD of the manifest. */
  readonly readRemoteGeneration: (signal: AbortSignal) => Promise<number>;
}

const REDACTED = "<vsync:redacted>";

interface Resolved {
  readonly value: string | null;
  readonly source: EnvSource;
}

/** A vault as it was when it was opened. Every accessor throws VSyncError with code VSYNC_CLOSED after `close`. */
export class Vault {
  static {
    // How console.log and util.inspect of Node, Bun and Deno ask; by its registered name, so that no module is needed.
    Object.defineProperty(Vault.prototype, Symbol.for("nodejs.util.inspect.custom"), {
      value: () => REDACTED,
    });
  }

  #contents: VaultContents | null;
  #scalars: ReadonlyMap<string, string>;
  readonly #closing = new AbortController();

  constructor(contents: VaultContents) {
    const { files, env } = contents;
    const name = scalarsFile(files, env);
    const file = name === null ? undefined : files.get(name);
    this.#scalars = file === undefined ? new Map() : parseEnv(file.bytes);
    this.#contents = contents;
  }

  /** The vault's value, else the process environment's of this moment, else the default, else null. */
  getEnv(key: string): string | null {
    return this.#resolve(key).value;
  }

  hasEnv(key: string): boolean {
    return this.#resolve(key).value !== null;
  }

  /** Which of them `getEnv` answers from. Safe to log, unlike the value. */
  envSource(key: string): EnvSource {
    return this.#resolve(key).source;
  }

  /**
   * A copy of a file of the vault, by its name as in `tls/server.crt`; else the UTF-8 bytes of the vault's value of
   * that name. Neither: VSyncError with code VSYNC_CONTENT_NOT_FOUND.
   */
  getAsContent(name: string): Uint8Array {
    const { files } = this.#open();
    const file = files.get(name);
    if (file !== undefined) return new Uint8Array(file.bytes);
    const scalar = this.#scalars.get(name);
    if (scalar !== undefined) return utf8(scalar);
    throw new VSyncError(
      "VSYNC_CONTENT_NOT_FOUND",
      `the vault holds no file and no value named ${JSON.stringify(name)}; names are relative to the vault folder, as in "tls/server.crt", without "/" or "./" in front`,
    );
  }

  /** As at open: nothing changes it. */
  generation(): number {
    return this.#open().generation;
  }

  /**
   * What the manifest says now: one HEAD and nothing else. Not authenticated, so a hint: never restart on it without
   * a rate limit. Throws S3UnreachableError or ManifestNotFoundError.
   */
  async remoteGeneration(): Promise<number> {
    const { readRemoteGeneration } = this.#open();
    return readRemoteGeneration(this.#closing.signal);
  }

  /** Whether `remoteGeneration` is above the manifest's generation that was seen at open. */
  async hasNewVersion(): Promise<boolean> {
    const { manifestGeneration } = this.#open();
    return (await this.remoteGeneration()) > manifestGeneration;
  }

  /** Overwrites the decrypted files and ends a `remoteGeneration` under way. Strings that were handed out, or that the runtime copied, stay. Idempotent. */
  async close(): Promise<void> {
    if (this.#contents === null) return;
    for (const file of this.#contents.files.values()) file.bytes.fill(0);
    this.#contents = null;
    this.#scalars = new Map();
    this.#closing.abort(closed());
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  toString(): string {
    return REDACTED;
  }

  toJSON(): string {
    return REDACTED;
  }

  #open(): VaultContents {
    if (this.#contents !== null) return this.#contents;
    throw closed();
  }

  #resolve(key: string): Resolved {
    const { defaults } = this.#open();
    const inVault = this.#scalars.get(key);
    if (inVault !== undefined) return { value: inVault, source: "vault" };
    const inEnvironment = environmentValue(key);
    if (inEnvironment !== null) return { value: inEnvironment, source: "env" };
    const byDefault = defaults.get(key);
    if (byDefault !== undefined) return { value: byDefault, source: "default" };
    return { value: null, source: "missing" };
  }
}

function closed(): VSyncError {
  return new VSyncError("VSYNC_CLOSED", "this vault was closed; open another one");
}
