// Where passphrases are kept: the operating system's keychain, or private files when the user says so.

import type { Host } from "../host.ts";

export interface Keystore {
  readonly kind: "keychain" | "file";
  /** For messages: "the Secret Service", "the file keystore /run/keys". */
  readonly description: string;
  /** The secret of an account (`<repo>/<env>`), or null when there is none. */
  get(account: string): Promise<string | null>;
  set(account: string, secret: string): Promise<void>;
  /** False when there was none. */
  delete(account: string): Promise<boolean>;
  /** The accounts that vsync has in it, sorted. */
  list(): Promise<readonly string[]>;
}

/** The keystore this run uses. Opening is free; the keychain is first touched by get, set or delete. */
export async function openKeystore(host: Host): Promise<Keystore> {
  const setting = host.env.VSYNC_KEYSTORE;
  if (setting !== undefined && setting !== "") {
    const { openFileKeystore } = await import("./file-keystore.ts");
    return openFileKeystore(host, setting);
  }
  const { openKeychain } = await import("./keychain.ts");
  return openKeychain(host);
}

/** Removes what a killed process left of writing these accounts. Nobody else may be writing them. */
export async function removeKeyLeftovers(host: Host, accounts: readonly string[]): Promise<void> {
  const setting = host.env.VSYNC_KEYSTORE;
  if (setting === undefined || setting === "") return; // a keychain keeps itself in order
  const { removeFileLeftovers } = await import("./file-keystore.ts");
  removeFileLeftovers(host, setting, accounts);
}
