// The conformance vectors as examples to vary.

import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const CORPUS = fileURLToPath(new URL("../../../../test-vectors", import.meta.url));

/** The bytes of every vector of these categories, genuine and hostile. */
export function vectorBytes(...categories: readonly string[]): Uint8Array[] {
  return categories.flatMap((category) =>
    readdirSync(join(CORPUS, category))
      .filter((file) => file.endsWith(".bin"))
      .map((file) => new Uint8Array(readFileSync(join(CORPUS, category, file))))
      .filter((bytes) => bytes.length <= 64 * 1024),
  );
}

export interface Described {
  readonly inputs: Readonly<Record<string, unknown>>;
  readonly expected: Readonly<Record<string, unknown>>;
}

/** What every vector of the category says about itself. */
export function vectors(category: string): Described[] {
  return readdirSync(join(CORPUS, category))
    .filter((file) => file.endsWith(".json"))
    .map((file) => JSON.parse(readFileSync(join(CORPUS, category, file), "utf8")));
}
