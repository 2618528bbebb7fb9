// For scripts: one vault for the whole process, opened by the first question. An application holds its own handle.

import { open } from "./open.ts";
import type { Vault } from "./vault.ts";

let instance: Promise<Vault> | undefined;

/** `getEnv` of a vault that the first call opens as `open()` does. A failed opening is tried again by the next call. */
export async function getEnv(key: string): Promise<string | null> {
  instance ??= open().catch((error) => {
    instance = undefined;
    throw error;
  });
  return (await instance).getEnv(key);
}
