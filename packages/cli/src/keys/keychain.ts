// Passphrases in the operating system's keychain, service `tools.vsync`: docs/formats.md section 9.

import { createRequire } from "node:module";
import type { Host } from "../host.ts";
import type { Keystore } from "./keystore.ts";

type Keyring = typeof import("@napi-rs/keyring");

const SERVICE = "tools.vsync";

export function openKeychain(host: Host): Keystore {
  const entry = (account: string): InstanceType<Keyring["AsyncEntry"]> => {
    // Native, and needed by few runs: loaded here and not at start.
    const { AsyncEntry } = createRequire(import.meta.url)("@napi-rs/keyring") as Keyring;
    // Never the kernel keyring, which a reboot empties.
    const options = host.platform === "linux" ? { linux: { store: "secret-service" as const } } : undefined;
    return new AsyncEntry(SERVICE, account, options);
  };
  return {
    kind: "keychain",
    description: "the keychain",
    get: async (account) => await entry(account).getPassword(),
    set: async (account, secret) => await entry(account).setPassword(secret),
    delete: async (account) => await entry(account).deleteCredential(),
  };
}
