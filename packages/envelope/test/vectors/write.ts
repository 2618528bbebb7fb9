// Writes the corpus into `test-vectors/`, one folder for each category, whatever was in those folders before.

import { mkdir, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { generateVectors } from "./generate.ts";

const target = fileURLToPath(new URL("../../../../test-vectors/", import.meta.url));
const files = generateVectors();

for (const category of new Set([...files.keys()].map(dirname))) {
  await rm(join(target, category), { recursive: true, force: true });
  await mkdir(join(target, category), { recursive: true });
}
for (const [path, bytes] of files) await writeFile(join(target, path), bytes);
console.log(`${files.size} files in ${target}`);
