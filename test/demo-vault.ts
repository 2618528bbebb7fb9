// A vault with one of everything that is hard to carry: many lines, binary, executable, nested, Unicode.

import { createHash } from "node:crypto";
import { chmodSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { dirname, join, relative, sep } from "node:path";

export const MULTI_LINE_VALUE =
  '-----BEGIN KEY-----\n  indented = yes # not a comment\n"quoted"\n-----END KEY-----';

export interface DemoFile {
  readonly bytes: Uint8Array;
  readonly executable: boolean;
}

/** By name, as in a vault. */
export const DEMO_FILES: ReadonlyMap<string, DemoFile> = new Map([
  [".env.demo", text(`# settings\nexport PORT=8080\nPRIVATE_KEY='${MULTI_LINE_VALUE}'\nEMPTY=\n`)],
  ["binary.bin", { bytes: noise(5 * 1024 * 1024), executable: false }],
  ["bin/deploy", { ...text("#!/bin/sh\necho deployed\n"), executable: true }],
  ["a/folder/within/a folder/note.txt", text("nested\n".repeat(1000))],
  ["Zugänge/パスワード – ключ.txt", text("ünïcödé 🔑\n")],
  ["empty", text("")],
]);

/** Writes the files into a vault folder. */
export function writeDemoVault(folder: string): void {
  for (const [name, { bytes, executable }] of DEMO_FILES) {
    const path = join(folder, name);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, bytes);
    chmodSync(path, executable ? 0o755 : 0o644);
  }
}

/** What a folder holds, for comparison: name to digest and the owner's execute bit. */
export function describeFolder(folder: string): Map<string, string> {
  const entries = readdirSync(folder, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => !entry.isDirectory());
  return sorted(
    files.map((entry) => {
      const path = join(entry.parentPath, entry.name);
      const name = relative(folder, path).split(sep).join("/");
      return [
        name,
        describeFile({ bytes: readFileSync(path), executable: (statSync(path).mode & 0o100) !== 0 }),
      ];
    }),
  );
}

/** The same description of the demo vault itself. */
export function describeDemoVault(): Map<string, string> {
  return sorted([...DEMO_FILES].map(([name, file]) => [name, describeFile(file)]));
}

export function sha256(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}

function describeFile({ bytes, executable }: DemoFile): string {
  return `${bytes.length} bytes, ${sha256(bytes)}${executable ? ", executable" : ""}`;
}

function sorted(pairs: [string, string][]): Map<string, string> {
  return new Map(pairs.sort(([a], [b]) => (a < b ? -1 : 1)));
}

function text(content: string): DemoFile {
  return { bytes: Buffer.from(content), executable: false };
}

/** Bytes without a pattern, the same ones each time. */
function noise(length: number): Uint8Array {
  const blocks = Array.from({ length: Math.ceil(length / 32) }, (_, i) =>
    createHash("sha256").update(`block ${i}`).digest(),
  );
  return Buffer.concat(blocks, length);
}
