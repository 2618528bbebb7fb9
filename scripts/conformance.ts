// `pnpm conformance`: the corpus of conformance vectors, or with VSYNC_TEST_VECTORS=<folder> one from elsewhere, through
// everything here that reads or writes the formats. A vector passes when each that knows its category agrees with it.

import { writer } from "../packages/cli/test/conformance/writer.ts";
import { codecs } from "../packages/envelope/test/conformance/codecs.ts";
import {
  corpusFolder,
  OWN_CORPUS,
  readCorpus,
  type Vector,
} from "../packages/envelope/test/conformance/corpus.ts";
import type { Implementation } from "../packages/envelope/test/conformance/judge.ts";
import { independent } from "../packages/envelope/test/independent/implementation.ts";
import { readers } from "../packages/s3-client/test/conformance/reader.ts";

const implementations: readonly Implementation[] = [codecs, ...readers, writer];

const folder = corpusFolder();
const { vectors, problems } = await readCorpus(folder);
console.log(`${vectors.length} vectors in ${folder}`);
for (const problem of problems) console.log(`FAIL ${problem}`);

let passed = 0;
let failed = problems.length;
for (const category of new Set(vectors.map((vector) => vector.category))) {
  const ours = vectors.filter((vector) => vector.category === category);
  const before = passed;
  for (const vector of ours) {
    const complaints = await judge(vector);
    if (complaints.length === 0) passed++;
    else failed++;
    for (const complaint of complaints) console.log(`FAIL ${category}/${vector.name}: ${complaint}`);
  }
  console.log(`${category}: ${passed - before} of ${ours.length}`);
}

console.log(`${passed} passed, ${failed} failed`);
process.exitCode = failed === 0 ? 0 : 1;

async function judge(vector: Vector): Promise<string[]> {
  const complaints: string[] = [];
  for (const { name, checks } of judgesOf(vector)) {
    const complaint = await checks[vector.category]?.(vector);
    if (complaint) complaints.push(`${name}: ${complaint}`);
  }
  return complaints;
}

/** The independent implementation is there to check this repository's own positive vectors, and refuses nothing. */
function judgesOf({ expected }: Vector): readonly Implementation[] {
  return folder === OWN_CORPUS && expected.error === null
    ? [...implementations, independent]
    : implementations;
}
