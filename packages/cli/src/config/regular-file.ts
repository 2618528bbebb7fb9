// Reading a file that is not vsync's own: it may have become anything, a pipe or a device with no end among them.

import { closeSync, constants, fstatSync, openSync, readFileSync, type Stats } from "node:fs";

export interface Limits {
  readonly maxBytes: number;
  /** Makes the error for what cannot be read: "is not a regular file". */
  refuse(problem: string, found: Stats): Error;
  /** Looks at it before it is read. */
  check?(found: Stats): void;
}

/** The bytes of a regular file. Links are followed: that is how Kubernetes mounts a secret. Throws as `openSync` does. */
export function readRegularFile(path: string, { maxBytes, refuse, check }: Limits): Uint8Array {
  const { O_RDONLY, O_NONBLOCK = 0 } = constants;
  const file = openSync(path, O_RDONLY | O_NONBLOCK); // a FIFO must not make us wait
  try {
    const found = fstatSync(file);
    if (!found.isFile()) throw refuse("is not a regular file", found);
    if (found.size > maxBytes) throw refuse(`is ${found.size} bytes; the limit is ${maxBytes}`, found);
    check?.(found);
    return readFileSync(file);
  } finally {
    closeSync(file);
  }
}
