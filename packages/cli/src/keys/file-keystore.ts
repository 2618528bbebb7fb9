// Passphrases as private files, for machines without a keychain and only when VSYNC_KEYSTORE=file:<folder> says so.

import { readdirSync } from "node:fs";
import { isAbsolute, join } from "node:path";
import { CliError } from "../cli-error.ts";
import {
  ensurePrivateDir,
  readPrivateFile,
  removeLeftovers,
  removePrivateFile,
  writePrivateFile,
} from "../config/private-file.ts";
import type { Host } from "../host.ts";
import type { Keystore } from "./keystore.ts";

export function openFileKeystore(host: Host, setting: string): Keystore {
  const folder = folderOf(host, setting);
  const fileOf = (account: string): string => join(folder, encodeURIComponent(account));
  return {
    kind: "file",
    description: `the file keystore ${folder}`,
    get: async (account) => readPrivateFile(fileOf(account))?.toString("utf8") ?? null,
    async set(account, secret) {
      ensurePrivateDir(folder);
      writePrivateFile(fileOf(account), secret);
    },
    async delete(account) {
      const there = readPrivateFile(fileOf(account)) !== null;
      removePrivateFile(fileOf(account));
      return there;
    },
    list: async () =>
      readNames(folder)
        .flatMap((name) => accountOf(name) ?? [])
        .sort(),
  };
}

export function removeFileLeftovers(host: Host, setting: string, accounts: readonly string[]): void {
  for (const account of accounts) removeLeftovers(folderOf(host, setting), encodeURIComponent(account));
}

function folderOf(host: Host, setting: string): string {
  const folder = setting.startsWith("file:")
    ? setting.slice("file:".length).replace(/^~(?=\/)/, host.homedir)
    : "";
  if (isAbsolute(folder)) return folder;
  throw new CliError(
    "INPUT",
    `VSYNC_KEYSTORE is "${setting}"; it takes file:<absolute folder>`,
    `VSYNC_KEYSTORE=file:${join(host.homedir, ".vsync-keys")}, or unset it to use the keychain`,
  );
}

function readNames(folder: string): readonly string[] {
  try {
    return readdirSync(folder);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return [];
    throw error;
  }
}

// Other files in that folder, temporary ones for instance, are no accounts: those have a slash.
function accountOf(name: string): string | null {
  try {
    const account = decodeURIComponent(name);
    return account.includes("/") ? account : null;
  } catch {
    return null;
  }
}
