// What is different between two states of a vault, by content; and when a look at the files' stats is enough to tell.

import type { VaultFile, VaultFiles } from "@vsync/envelope";
import { formatSize } from "../terminal.ts";
import type { Synced } from "./ledger.ts";
import { isSameStat, type Listing } from "./vault-folder.ts";

/** Entry names, sorted. */
export interface Changes {
  readonly added: readonly string[];
  readonly changed: readonly string[];
  readonly removed: readonly string[];
}

// A file written twice within one tick of the file system's clock keeps its time stamps. So a stat says nothing
// about a file that was changed this shortly before it was recorded (coarse clocks tick every second or two).
const CLOCK_TICK_MS = 2000;

/** True when no file can have changed since: no need to read them. False says nothing. */
export function isProvenUnchanged(listing: Listing, synced: Synced): boolean {
  if (listing.files.size !== synced.files.size) return false;
  for (const [name, file] of listing.files) {
    const then = synced.files.get(name);
    if (then === undefined || !isSameStat(file, then)) return false;
    if (Number(BigInt(then.ctimeNs) / 1_000_000n) > synced.recordedAt - CLOCK_TICK_MS) return false;
  }
  return true;
}

export function compareVaults(before: VaultFiles, after: VaultFiles): Changes {
  const names = [...after.keys()].sort();
  return {
    added: names.filter((name) => !before.has(name)),
    changed: names.filter((name) => before.has(name) && !isSameFile(before.get(name)!, after.get(name)!)),
    removed: [...before.keys()].filter((name) => !after.has(name)).sort(),
  };
}

export function isSameFile(a: VaultFile, b: VaultFile): boolean {
  return a.executable === b.executable && Buffer.compare(a.bytes, b.bytes) === 0;
}

export function countChanges({ added, changed, removed }: Changes): number {
  return added.length + changed.length + removed.length;
}

/** For messages: `+ new.txt, ~ .env.demo, - old.txt`. */
export function formatChanges({ added, changed, removed }: Changes, limit = 10): string {
  const lines = [
    ...added.map((name) => `+ ${name}`),
    ...changed.map((name) => `~ ${name}`),
    ...removed.map((name) => `- ${name}`),
  ];
  const rest = lines.length - limit;
  return rest > 0 ? `${lines.slice(0, limit).join(", ")} and ${rest} more` : lines.join(", ");
}

/** For messages: `14 files`, `1 file`. */
export function countFiles(files: number): string {
  return `${files} ${files === 1 ? "file" : "files"}`;
}

/** For messages: `14 files, 36 KiB`. */
export function formatFiles(files: number, bytes: number): string {
  return `${countFiles(files)}, ${formatSize(bytes)}`;
}

/** The edits since `base` that would be lost if `incoming` took the place of `local`. */
export function editsLost(base: VaultFiles, local: VaultFiles, incoming: VaultFiles): Changes {
  const { added, changed, removed } = compareVaults(base, local);
  const isThere = (name: string): boolean => {
    const file = incoming.get(name);
    return file !== undefined && isSameFile(file, local.get(name)!);
  };
  return {
    added: added.filter((name) => !isThere(name)),
    changed: changed.filter((name) => !isThere(name)),
    removed: removed.filter((name) => incoming.has(name)),
  };
}
