// Every positive vector of this repository's corpus, read by an implementation that shares no code with ours; and the
// corpus itself, which is what its generator makes.

import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { OWN_CORPUS, readCorpus } from "./conformance/corpus.ts";
import { independent } from "./independent/implementation.ts";
import { generateVectors } from "./vectors/generate.ts";

const { vectors } = await readCorpus(OWN_CORPUS);
const positive = vectors.filter((vector) => vector.expected.error === null);

for (const [category, check] of Object.entries(independent.checks)) {
  describe(`${category}, independently`, () => {
    test.each(
      positive
        .filter((vector) => vector.category === category)
        .map((vector) => [vector.name, vector] as const),
    )("%s", async (_name, vector) => {
      expect(await check(vector)).toBeNull();
    });
  });
}

test("the categories without an independent check hold nothing that could be decoded", () => {
  const unchecked = positive
    .map(({ category }) => category)
    .filter((category) => !Object.hasOwn(independent.checks, category));
  expect([...new Set(unchecked)]).toEqual(["fallback-chain"]);
});

test("the committed corpus is what the generator makes, byte for byte", async () => {
  const made = generateVectors();
  const categories = (await readdir(OWN_CORPUS, { withFileTypes: true })).filter((entry) =>
    entry.isDirectory(),
  );
  const committed = await Promise.all(
    categories.map(async ({ name }) =>
      (await readdir(join(OWN_CORPUS, name))).map((file) => `${name}/${file}`),
    ),
  );
  expect(committed.flat().toSorted()).toEqual([...made.keys()].toSorted());
  const different: string[] = [];
  for (const [path, bytes] of made) {
    if (!(await readFile(join(OWN_CORPUS, path))).equals(bytes)) different.push(path);
  }
  expect(different, "run `pnpm generate-vectors`, and look at what it changes").toEqual([]);
});
