// The one file that needs no Node (ADR 0009): Node's single executable, with the binding and the documents as assets.

import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { getAsset, getRawAsset } from "node:sea";
import type { Installation, Keyring } from "./installation.ts";

export const installation: Installation = {
  loadKeyring,
  keyringHint: "name a temporary folder that may be written and has no mount option noexec: TMPDIR=<folder>",
  readDocuments: () => new Map(Object.entries(JSON.parse(getAsset("documents.json", "utf8")))),
};

// The system loads libraries from files only. In a folder that nobody else can enter no one can put another in its place
// between the writing and the loading, and nothing stays behind.
function loadKeyring(): Keyring {
  const folder = mkdtempSync(join(tmpdir(), "vsync-keychain-"));
  try {
    const file = join(folder, "keyring.node");
    writeFileSync(file, new Uint8Array(getRawAsset("keyring.node") as ArrayBuffer), {
      mode: 0o600,
      flag: "wx",
    });
    const loaded = { exports: {} };
    process.dlopen(loaded, file);
    return loaded.exports as Keyring;
  } finally {
    removeWherePossible(folder);
  }
}

// Windows holds on to a library in use: there the folder stays, in the user's own temporary folder.
function removeWherePossible(folder: string): void {
  try {
    rmSync(folder, { recursive: true });
  } catch (error) {
    if (process.platform !== "win32") throw error;
  }
}
