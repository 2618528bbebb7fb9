// The corpus of conformance vectors, run by the reader through its public surface.

import { describe, expect, test } from "vitest";
import { corpusFolder, readCorpus } from "../../envelope/test/conformance/corpus.ts";
import { readers } from "./conformance/reader.ts";

const { vectors } = await readCorpus(corpusFolder());

for (const { name, checks } of readers) {
  for (const [category, check] of Object.entries(checks)) {
    const ours = vectors.filter((vector) => vector.category === category);
    describe.runIf(ours.length > 0)(`${category}, ${name}`, () => {
      test.each(ours.map((vector) => [vector.name, vector] as const))("%s", async (_name, vector) => {
        expect(await check(vector)).toBeNull();
      });
    });
  }
}
