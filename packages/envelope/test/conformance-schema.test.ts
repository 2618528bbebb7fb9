// Every committed vector against the schema that ports in other languages read.

import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { Ajv2020 } from "ajv/dist/2020.js";
import { describe, expect, test } from "vitest";
import { OWN_CORPUS } from "./conformance/corpus.ts";

const readJson = async (...path: string[]): Promise<unknown> =>
  JSON.parse(await readFile(join(OWN_CORPUS, ...path), "utf8"));

const validate = new Ajv2020({ allErrors: true, strictTypes: false, strictRequired: false }).compile(
  (await readJson("vector.schema.json")) as object,
);
const files = (await readdir(OWN_CORPUS, { recursive: true })).filter((file) =>
  /^[^/\\]+[/\\].+\.json$/.test(file),
);

/** What is wrong with a vector, by where it is wrong. */
function problemsOf(vector: unknown): string[] {
  return validate(vector)
    ? []
    : (validate.errors ?? []).map(({ instancePath, message }) => `${instancePath} ${message}`);
}

test("every vector is as the schema says", async () => {
  const wrong: string[] = [];
  for (const file of files)
    wrong.push(...problemsOf(await readJson(file)).map((problem) => `${file}: ${problem}`));
  expect(wrong).toEqual([]);
  expect(files.length).toBeGreaterThan(700);
});

describe("the schema refuses", () => {
  const cases: readonly [
    string,
    string,
    (vector: { inputs: Record<string, unknown>; expected: Record<string, unknown> }) => void,
  ][] = [
    ["a missing input", "rqe1-decrypt/all-zero.json", ({ inputs }) => delete inputs.salt],
    ["an unknown error", "rqe1-decrypt-error/cut-to-31.json", ({ expected }) => (expected.error = "Error")],
    [
      "a positive vector among the negative ones",
      "archive-reject/crc.json",
      ({ expected }) => (expected.error = null),
    ],
    ["upper-case hex", "rqem0001-manifest/payload.json", ({ expected }) => (expected.payload_hex = "AB")],
    [
      "a verdict in other words",
      "manifest-seal/verified.json",
      ({ expected }) => (expected.verdict = "fine"),
    ],
    [
      "an opening without its generation",
      "bundle-open/sealed.json",
      ({ expected }) => delete expected.generation,
    ],
    ["an unknown scenario", "error-taxonomy/forbidden.json", ({ inputs }) => (inputs.scenario = "teapot")],
  ];
  test.each(cases)("%s", async (_name, file, spoil) => {
    const vector = (await readJson(file)) as Parameters<typeof spoil>[0];
    expect(problemsOf(vector)).toEqual([]);
    spoil(vector);
    expect(problemsOf(vector)).not.toEqual([]);
  });
});
