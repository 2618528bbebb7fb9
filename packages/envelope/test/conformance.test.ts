// The corpus of conformance vectors, run by the codecs.

import { describe, expect, test } from "vitest";
import { codecs } from "./conformance/codecs.ts";
import { corpusFolder, readCorpus } from "./conformance/corpus.ts";

const { vectors, problems } = await readCorpus(corpusFolder());

test("the corpus is whole", () => {
  expect(problems).toEqual([]);
});

for (const [category, check] of Object.entries(codecs.checks)) {
  const ours = vectors.filter((vector) => vector.category === category);
  describe.runIf(ours.length > 0)(category, () => {
    test.each(ours.map((vector) => [vector.name, vector] as const))("%s", async (_name, vector) => {
      expect(await check(vector)).toBeNull();
    });
  });
}
