// 100 MB for a vault folder, as twenty files: random bytes, or such text as configuration is.

import { randomBytes } from "node:crypto";
import { writeFileSync } from "node:fs";
import { join } from "node:path";

const MEGABYTE = 1_000_000;

export function fillWithNoise(folder: string): void {
  fill(folder, randomBytes);
}

/** It shrinks to about a fifth. */
export function fillWithText(folder: string): void {
  fill(folder, text);
}

function fill(folder: string, make: (bytes: number) => Uint8Array): void {
  for (let i = 0; i < 20; i += 1) writeFileSync(join(folder, `large-${i}.bin`), make(5 * MEGABYTE));
}

function text(bytes: number): Uint8Array {
  let written = "";
  while (written.length < bytes)
    written += `{"id":"${randomBytes(8).toString("hex")}","enabled":true,"kind":"database"}\n`;
  return Buffer.from(written).subarray(0, bytes);
}
