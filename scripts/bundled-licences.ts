// A plugin for the bundler: the licences of what ended up in a bundle go along in a file, as they ask for.

import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";

interface Chunk {
  readonly moduleIds?: readonly string[];
}

interface Emitting {
  emitFile(file: { type: "asset"; fileName: string; source: string }): void;
}

export interface LicencePlugin {
  readonly name: string;
  generateBundle(this: Emitting, options: unknown, bundle: Readonly<Record<string, Chunk>>): void;
}

/** Writes `THIRD-PARTY-LICENSES.txt` beside the bundle, unless nothing in it is anybody else's. */
export function bundledLicences(): LicencePlugin {
  return {
    name: "bundled-licences",
    generateBundle(_options, bundle) {
      const modules = Object.values(bundle).flatMap((chunk) => chunk.moduleIds ?? []);
      const folders = new Set(modules.filter((id) => id.includes("/node_modules/")).map(packageFolder));
      if (folders.size === 0) return;
      this.emitFile({ type: "asset", fileName: "THIRD-PARTY-LICENSES.txt", source: describe([...folders]) });
    },
  };
}

/** The folder of the package that a module belongs to. */
function packageFolder(moduleId: string): string {
  for (let folder = dirname(moduleId); folder !== dirname(folder); folder = dirname(folder)) {
    // Some packages have a nameless package.json in a folder of theirs, which only says "type": "module".
    const manifest = join(folder, "package.json");
    if (existsSync(manifest) && readManifest(folder).name !== undefined) return folder;
  }
  throw new Error(`${moduleId} belongs to no package`);
}

/** Each licence text once, under the names of those that have it. */
function describe(folders: readonly string[]): string {
  const byText = new Map<string, string[]>();
  for (const folder of folders) {
    const { name, version, license } = readManifest(folder);
    const file = readdirSync(folder).find((entry) => /^licen[cs]e/i.test(entry));
    const text =
      file === undefined
        ? `(${license}; the package has no text)`
        : readFileSync(join(folder, file), "utf8").trim();
    byText.set(text, [...(byText.get(text) ?? []), `${name} ${version} (${license})`]);
  }
  const parts = [...byText].map(([text, names]) => `${names.sort().join("\n")}\n\n${text}\n`);
  return parts.sort().join(`\n${"-".repeat(80)}\n\n`);
}

function readManifest(folder: string): { name?: string; version?: string; license?: string } {
  return JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
}
