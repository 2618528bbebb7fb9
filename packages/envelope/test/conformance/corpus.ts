// Reads a corpus of conformance vectors: one folder for each category, `<name>.json` and `<name>.bin` in it.
// The format is described in test-vectors/README.md.

import { readdir, readFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";

export type Fields = Readonly<Record<string, unknown>>;

export interface Vector {
  readonly category: Category;
  readonly name: string;
  readonly inputs: Fields;
  readonly expected: Fields & { readonly error: string | null };
  readonly bin: Uint8Array | null;
}

export interface Corpus {
  readonly vectors: readonly Vector[];
  /** What makes it no corpus, one sentence each: these fail the run, whatever the vectors do. */
  readonly problems: readonly string[];
}

/** Whether a vector of the category comes with bytes. */
const BYTES = {
  "rqe1-decrypt": "always",
  "rqe1-decrypt-error": "always",
  "rqem0001-manifest": "always",
  "config-blob": "always",
  "sls1-share": "always",
  "vault-archive": "always",
  "archive-reject": "always",
  "env-file": "always",
  "env-file-edit": "always",
  "manifest-seal": "never",
  "bundle-open": "always",
  "audit-chain": "always",
  "fallback-chain": "never",
  "error-taxonomy": "sometimes",
} as const;

export type Category = keyof typeof BYTES;

export const OWN_CORPUS: string = fileURLToPath(new URL("../../../../test-vectors", import.meta.url));

/** The corpus that a run is about: this repository's, or one from elsewhere. */
export function corpusFolder(): string {
  const elsewhere = process.env.VSYNC_TEST_VECTORS;
  return elsewhere ? resolve(elsewhere) : OWN_CORPUS;
}

export async function readCorpus(folder: string): Promise<Corpus> {
  const vectors: Vector[] = [];
  const problems: string[] = [];
  const entries = await readdir(folder, { withFileTypes: true });
  const categories = entries.filter((entry) => entry.isDirectory() && !entry.name.startsWith("."));
  for (const { name: category } of categories.toSorted((a, b) => (a.name < b.name ? -1 : 1))) {
    if (!isCategory(category)) {
      problems.push(`${category}: a category that this runner does not know`);
      continue;
    }
    const files = new Set(await readdir(join(folder, category)));
    for (const file of [...files].toSorted()) {
      const [, name, kind] = /^(.+)\.(json|bin)$/.exec(file) ?? [];
      if (name === undefined) continue;
      const path = `${category}/${name}`;
      if (kind === "bin") {
        if (!files.has(`${name}.json`)) problems.push(`${path}.bin has no ${name}.json beside it`);
        continue;
      }
      const bin = files.has(`${name}.bin`) ? await readFile(join(folder, category, `${name}.bin`)) : null;
      if (bin === null && BYTES[category] === "always") {
        problems.push(`${path}.json has no ${name}.bin beside it`);
        continue;
      }
      const vector = readVector(category, name, await readFile(join(folder, category, file), "utf8"), bin);
      if (typeof vector === "string") problems.push(`${path}.json ${vector}`);
      else vectors.push(vector);
    }
  }
  if (vectors.length === 0 && problems.length === 0) problems.push(`${folder} holds no vector`);
  return { vectors, problems };
}

function readVector(category: Category, name: string, text: string, bin: Uint8Array | null): Vector | string {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    return "is not JSON";
  }
  if (!isFields(json)) return "is not a JSON object";
  const { inputs = {}, expected } = json;
  if (json.category !== category) return `says that it is of the category ${JSON.stringify(json.category)}`;
  if (!isFields(inputs)) return "has inputs that are no object";
  if (!isFields(expected)) return "expects nothing";
  const { error } = expected;
  if (error !== null && typeof error !== "string") return "expects neither an error by its name nor null";
  return { category, name, inputs, expected: { ...expected, error }, bin };
}

function isCategory(name: string): name is Category {
  return Object.hasOwn(BYTES, name);
}

function isFields(value: unknown): value is Fields {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
