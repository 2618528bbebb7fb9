// An open vault in memory, and nothing that shows it by accident.

import { parseEnv, scalarsFile, utf8, type VaultFiles, VSyncError } from "@vsync/envelope";
import { environmentValue } from "#bootstrap";
import type { EnvSource, Vault } from "./vault.ts";

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

export class OpenVault implements Vault {
  static {
    // How console.log and util.inspect of Node, Bun and Deno ask; by its registered name, so that no module is needed.
    Object.defineProperty(OpenVault.prototype, Symbol.for("nodejs.util.inspect.custom"), {
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

  getEnv(key: string): string | null {
    return this.#resolve(key).value;
  }

  hasEnv(key: string): boolean {
    return this.#resolve(key).value !== null;
  }

  envSource(key: string): EnvSource {
    return this.#resolve(key).source;
  }

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

  generation(): number {
    return this.#open().generation;
  }

  async remoteGeneration(): Promise<number> {
    const { readRemoteGeneration } = this.#open();
    return readRemoteGeneration(this.#closing.signal);
  }

  async hasNewVersion(): Promise<boolean> {
    const { manifestGeneration } = this.#open();
    return (await this.remoteGeneration()) > manifestGeneration;
  }

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
