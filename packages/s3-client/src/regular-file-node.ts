// Reads a file that somebody else put there, without waiting for ever and without filling the memory.

import type { Stats } from "node:fs";

/** `check` sees what the file is before anything is read of it, and may throw. Errors of the file system come through. */
export async function readRegularFile(
  path: string,
  maxBytes: number,
  check: (stats: Stats) => void = () => {},
): Promise<Uint8Array | "not a regular file" | "too long"> {
  const { constants, open } = await import("node:fs/promises");
  // Without O_NONBLOCK the opening of a FIFO would wait for its writer, out of any deadline's reach.
  const file = await open(path, constants.O_RDONLY | (constants.O_NONBLOCK ?? 0));
  try {
    const stats = await file.stat();
    if (!stats.isFile()) return "not a regular file";
    if (stats.size > maxBytes) return "too long";
    check(stats);
    // Room for one byte more, to see a file that has grown since.
    const buffer = new Uint8Array(stats.size + 1);
    let length = 0;
    while (length < buffer.length) {
      const { bytesRead } = await file.read(buffer, length, buffer.length - length);
      if (bytesRead === 0) break;
      length += bytesRead;
    }
    return length > stats.size ? "too long" : buffer.subarray(0, length);
  } finally {
    await file.close();
  }
}
