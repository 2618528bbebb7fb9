// What an application holds: an open vault. An interface, so that its own tests can put something else in its place.

/** Where a value comes from. */
export type EnvSource = "vault" | "env" | "default" | "missing";

/** A vault as it was when it was opened. After `close` everything else throws VSyncError with code VSYNC_CLOSED. */
export interface Vault {
  /**
   * The vault's value, else the process environment's of this moment, else the default, else null.
   *
   * @example
   * const v = await open();
   * const url = v.getEnv("DATABASE_URL");
   */
  getEnv(key: string): string | null;
  /** Whether `getEnv` has an answer. An empty string is one. */
  hasEnv(key: string): boolean;
  /** Where `getEnv` takes its answer from. Safe to log, unlike the value. */
  envSource(key: string): EnvSource;
  /**
   * A copy of a file of the vault, by its name as in `tls/server.crt`; if there is none, the UTF-8 bytes of the
   * vault's value of that name. Neither: VSyncError with code VSYNC_CONTENT_NOT_FOUND.
   */
  getAsContent(name: string): Uint8Array;
  /** The generation of what is open: nothing changes it. */
  generation(): number;
  /**
   * The generation in the bucket now: one HEAD of the manifest and nothing else. Not authenticated, so a hint: never
   * restart on it without a rate limit. Throws S3UnreachableError or ManifestNotFoundError.
   */
  remoteGeneration(): Promise<number>;
  /** Whether `remoteGeneration` is above the generation of the manifest that was read at open. */
  hasNewVersion(): Promise<boolean>;
  /** Overwrites the decrypted files. Strings that were handed out, or copied by the runtime, stay. Idempotent. */
  close(): Promise<void>;
  /** `await using v = await open();` closes it at the end of the block. */
  [Symbol.asyncDispose](): Promise<void>;
  /** `<vsync:redacted>`, as everything that turns a vault into text gives. */
  toString(): string;
  toJSON(): string;
}
