// Executable bits where the file system has none: docs/formats.md section 4.

import type { VaultFile, VaultFiles } from "@vsync/envelope";

/**
 * The files of a vault folder with the executable bits that they are to be compared and published with. Windows keeps
 * none: there a file has that of its namesake in `known`, so that a push from Windows takes no bit from anybody.
 */
export function withModes(
  platform: NodeJS.Platform,
  files: ReadonlyMap<string, VaultFile>,
  known: VaultFiles | null,
): ReadonlyMap<string, VaultFile> {
  if (platform !== "win32") return files;
  return new Map(
    [...files].map(([name, { bytes }]) => [
      name,
      { bytes, executable: known?.get(name)?.executable ?? false },
    ]),
  );
}
