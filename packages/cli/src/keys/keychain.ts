// Passphrases in the operating system's keychain, service `tools.vsync`: docs/formats.md section 9.

import { installation } from "#installation";
import { CliError } from "../cli-error.ts";
import type { Host } from "../host.ts";
import type { Keyring } from "../installation.ts";
import type { Keystore } from "./keystore.ts";

type Entry = InstanceType<Keyring["AsyncEntry"]>;
type Trouble = "locked" | "absent" | "refused";

const SERVICE = "tools.vsync";
// A desktop may be asking somebody to unlock it; nobody waits longer than this for somebody who is not there.
const PATIENCE_MS = 50_000;

export function openKeychain(host: Host): Keystore {
  const description = NAMES[host.platform] ?? "the keychain";
  let keyring: Keyring | undefined;
  // Needed by few runs: loaded here and not at start.
  const loadKeyring = (): Keyring => {
    keyring ??= loadBinding(host);
    return keyring;
  };
  const ask = async <T>(question: () => Promise<T>): Promise<T> => {
    try {
      return await soon(question());
    } catch (error) {
      throw error instanceof CliError ? error : keychainError(host, description, error);
    }
  };
  const use = <T>(account: string, action: (entry: Entry) => Promise<T>): Promise<T> =>
    ask(() => action(openEntry(loadKeyring(), host, account)));
  return {
    kind: "keychain",
    description,
    get: (account) => use(account, (entry) => entry.getPassword()),
    set: (account, secret) => use(account, (entry) => entry.setPassword(secret)),
    delete: (account) => use(account, (entry) => entry.deleteCredential()),
    // It hands out the passwords too; only the names are kept.
    list: () =>
      ask(async () => {
        const found = await loadKeyring().findCredentialsAsync(SERVICE);
        return found.map(({ account }) => account).sort();
      }),
  };
}

const NAMES: Partial<Record<NodeJS.Platform, string>> = {
  linux: "the Secret Service",
  darwin: "the macOS keychain",
  win32: "the Windows credential manager",
};

function loadBinding(host: Host): Keyring {
  try {
    return installation.loadKeyring();
  } catch (cause) {
    const [reason] = String((cause as Error).message).split("\n");
    const hint = `${installation.keyringHint}; ${withoutKeychain(host)}`;
    throw new CliError("LOCAL_IO", `what asks the keychain cannot be loaded: ${reason}`, hint, { cause });
  }
}

function openEntry({ AsyncEntry }: Keyring, host: Host, account: string): Entry {
  // The Secret Service by name: left to itself the library may take the kernel keyring, which a reboot empties.
  const options = host.platform === "linux" ? { linux: { store: "secret-service" as const } } : undefined;
  return new AsyncEntry(SERVICE, account, options);
}

async function soon<T>(answer: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const patience = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error("the unlock prompt was not answered")), PATIENCE_MS);
  });
  try {
    return await Promise.race([answer, patience]);
  } finally {
    clearTimeout(timer);
  }
}

// The library has one error code for everything; only its text, that of the system's own, tells them apart.
const SIGNS: readonly (readonly [RegExp, Trouble])[] = [
  [
    /locked|prompt (was |)(dismissed|not answered)|before prompt completed|interaction is not allowed/i,
    "locked",
  ],
  [/denied|rejected|not correct|cancell?ed|not permitted|policy/i, "refused"],
];

function keychainError(host: Host, description: string, error: unknown): CliError {
  const reason = error instanceof Error ? error.message : String(error);
  const trouble = SIGNS.find(([sign]) => sign.test(reason))?.[1] ?? "absent";
  const message = {
    locked: `${description} is locked and was not unlocked`,
    refused: `${description} refused vsync's request`,
    absent: `there is no keychain to use here (${description} does not answer)`,
  }[trouble];
  const unlock =
    host.platform === "darwin" ? "security unlock-keychain" : "log in to the desktop, or unlock the keyring";
  const first = {
    locked: `unlock it (${unlock}) and run the same command again`,
    refused: "allow vsync (node) to use it and run the same command again",
    absent:
      host.platform === "linux" ? "on a desktop: start gnome-keyring or KWallet, in a D-Bus session" : "",
  }[trouble];
  return new CliError(
    "LOCAL_IO",
    `${message}: ${reason}`,
    [first, withoutKeychain(host)].filter(Boolean).join("; "),
    {
      cause: error,
    },
  );
}

// One that works as it stands, for a new environment too; a given passphrase has to be made first.
function withoutKeychain({ platform }: Host): string {
  const setting =
    platform === "win32"
      ? '$env:VSYNC_KEYSTORE = "file:~/.vsync-keys"'
      : "export VSYNC_KEYSTORE=file:~/.vsync-keys";
  return `without a keychain: ${setting}   (passphrases are then private files in that folder); in CI: VSYNC_PASSPHRASE_FILE=<path> or VSYNC_PASSPHRASE`;
}
