// The npm package, and a checkout: the binding is a dependency, the documents are files.

import { readdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import type { Installation, Keyring } from "./installation.ts";

// The build puts the documents beside the code; in a checkout they are where they are written.
const FOLDERS = [new URL("./docs/", import.meta.url), new URL("../../../docs/providers/", import.meta.url)];

export const installation: Installation = {
  loadKeyring: () => createRequire(import.meta.url)("@napi-rs/keyring") as Keyring,
  keyringHint: "install vsync anew, with its optional dependencies: npm install --global @muthuishere/vsync",
  readDocuments: () => FOLDERS.map(readFolder).find(({ size }) => size > 0) ?? new Map(),
};

function readFolder(folder: URL): Map<string, string> {
  const topics = list(folder).flatMap((file) => /^(.+)\.md$/.exec(file)?.[1] ?? []);
  return new Map(topics.sort().map((topic) => [topic, readFileSync(new URL(`${topic}.md`, folder), "utf8")]));
}

function list(folder: URL): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}
