// The corpus of conformance vectors, run by the writer.

import { describe, expect, test } from "vitest";
import { corpusFolder, readCorpus } from "../../envelope/test/conformance/corpus.ts";
import { writer } from "./conformance/writer.ts";

const { vectors } = await readCorpus(corpusFolder());

for (const [category, check] of Object.entries(writer.checks)) {
  const ours = vectors.filter((vector) => vector.category === category);
  describe.runIf(ours.length > 0)(`${category}, writer`, () => {
    test.each(ours.map((vector) => [vector.name, vector] as const))("%s", async (_name, vector) => {
      expect(await check(vector)).toBeNull();
    });
  });
}
