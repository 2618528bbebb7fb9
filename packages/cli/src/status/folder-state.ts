// Whether a vault folder has edits since it was last synced. Where stats prove that it has none, no key is needed.

import type { VaultKeys } from "@vsync/envelope";
import { compareVaults, countChanges, isProvenUnchanged } from "../vault/changes.ts";
import { withModes } from "../vault/file-modes.ts";
import { loadKeptBase } from "../vault/kept-bundles.ts";
import type { Synced } from "../vault/ledger.ts";
import type { StatePaths } from "../vault/state-paths.ts";
import { type Listing, readVault } from "../vault/vault-folder.ts";
import type { FolderState } from "./status-types.ts";

export async function examineFolder(
  platform: NodeJS.Platform,
  paths: StatePaths,
  listing: Listing | null,
  synced: Synced | null,
  keys: () => Promise<VaultKeys | null>,
): Promise<FolderState> {
  if (listing === null) return { state: "missing" };
  if (synced === null) return { state: "never-synced" };
  if (isProvenUnchanged(listing, synced)) return { state: "clean" };
  const opened = await keys();
  if (opened === null)
    return { state: "unknown", why: "files were touched, and there is no key to compare them" };
  const base = await loadKeptBase(paths, opened, synced.timestamp);
  if (base === null) {
    return {
      state: "unknown",
      why: "files were touched, and what they were like is not kept under this key",
    };
  }
  const changes = compareVaults(base, withModes(platform, readVault(listing).files, base));
  return countChanges(changes) === 0 ? { state: "clean" } : { state: "changed", changes };
}
