// The conformance run as a command: what it counts, what it prints last, and that it fails when it must.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { cp, mkdir, mkdtemp, readFile, rename, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { OWN_CORPUS, readCorpus } from "./conformance/corpus.ts";

const PROJECT = fileURLToPath(new URL("../../..", import.meta.url));

let corpus: string;

beforeEach(async () => {
  corpus = await mkdtemp(join(tmpdir(), "vsync-corpus-"));
  for (const path of ["rqem0001-manifest/payload", "rqem0001-manifest/date-month-13", "config-blob/min-gen"])
    await take(path);
});

afterEach(async () => {
  await rm(corpus, { recursive: true });
});

/** Copies a vector of ours into the corpus. */
async function take(path: string): Promise<void> {
  for (const kind of ["json", "bin"]) {
    await cp(join(OWN_CORPUS, `${path}.${kind}`), join(corpus, `${path}.${kind}`), { recursive: true }).catch(
      (error) => {
        if (error.code !== "ENOENT") throw error;
      },
    );
  }
}

async function change(
  path: string,
  edit: (vector: { inputs: Record<string, unknown>; expected: Record<string, unknown> }) => void,
): Promise<void> {
  const file = join(corpus, `${path}.json`);
  const vector = JSON.parse(await readFile(file, "utf8"));
  edit(vector);
  await writeFile(file, JSON.stringify(vector));
}

async function runConformance(): Promise<{ status: number; lastLine: string; output: string }> {
  const child = spawn(
    process.execPath,
    ["--conditions=vsync-source", "--import", "tsx", "scripts/conformance.ts"],
    {
      cwd: PROJECT,
      env: { ...process.env, VSYNC_TEST_VECTORS: corpus },
    },
  );
  let output = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    output += text;
  });
  const [status] = await once(child, "close");
  return { status, lastLine: output.trimEnd().split("\n").at(-1) ?? "", output };
}

describe("the conformance run", () => {
  test("passes a corpus from elsewhere that holds some of the categories", async () => {
    expect(await runConformance()).toMatchObject({ status: 0, lastLine: "3 passed, 0 failed" });
  });

  test("takes what a corpus from elsewhere may say in its own words", async () => {
    await take("manifest-seal/grace-over");
    await take("env-file-edit/set-hash");
    await take("env-file-edit/unset");
    await take("audit-chain/middle-row-changed");
    await change("manifest-seal/grace-over", ({ expected }) => {
      expected.verdict = "Grace_Expired";
      expected.note = "ignored";
    });
    await change("env-file-edit/set-hash", ({ expected }) => {
      expected.bytes_hex = Buffer.from('A="one #two"\n').toString("hex");
    });
    await change("env-file-edit/unset", ({ inputs }) => {
      inputs.unset = "B";
      delete inputs.set;
    });
    await change("audit-chain/middle-row-changed", ({ expected }) => {
      expected.rows = 4;
    });
    await change("config-blob/min-gen", ({ expected }) => {
      expected.config_json = { ...(expected.config_json as object), later: "field" };
    });
    expect(await runConformance()).toMatchObject({ status: 0, lastLine: "7 passed, 0 failed" });
  });

  test("fails when a vector is not met, and says by whom", async () => {
    await change("rqem0001-manifest/payload", ({ expected }) => {
      expected.payload_hex = "00";
    });
    await change("rqem0001-manifest/date-month-13", ({ expected }) => {
      expected.error = "UnsupportedSpecVersionError";
    });
    const { status, lastLine, output } = await runConformance();
    expect({ status, lastLine }).toEqual({ status: 1, lastLine: "1 passed, 2 failed" });
    expect(output).toContain("FAIL rqem0001-manifest/payload: codecs");
    expect(output).toContain("expected UnsupportedSpecVersionError, got BundleCorruptError");
  });

  test("fails for a category that it does not know", async () => {
    await mkdir(join(corpus, "rqe2-decrypt"));
    expect(await runConformance()).toMatchObject({ status: 1, lastLine: "3 passed, 1 failed" });
  });
});

describe("a corpus is broken by", () => {
  const problems = async (): Promise<readonly string[]> => (await readCorpus(corpus)).problems;

  test("bytes without a vector", async () => {
    await rm(join(corpus, "config-blob/min-gen.json"));
    expect(await problems()).toEqual(["config-blob/min-gen.bin has no min-gen.json beside it"]);
  });

  test("a vector without its bytes", async () => {
    await rm(join(corpus, "config-blob/min-gen.bin"));
    expect(await problems()).toEqual(["config-blob/min-gen.json has no min-gen.bin beside it"]);
  });

  test("a vector in another category's folder", async () => {
    for (const kind of ["json", "bin"]) {
      await rename(
        join(corpus, `config-blob/min-gen.${kind}`),
        join(corpus, `rqem0001-manifest/min-gen.${kind}`),
      );
    }
    expect(await problems()).toEqual([
      'rqem0001-manifest/min-gen.json says that it is of the category "config-blob"',
    ]);
  });

  test("a vector that expects nothing, and one that is no JSON", async () => {
    await change("config-blob/min-gen", ({ expected }) => delete expected.error);
    await writeFile(join(corpus, "rqem0001-manifest/payload.json"), "{");
    expect(await problems()).toEqual([
      "config-blob/min-gen.json expects neither an error by its name nor null",
      "rqem0001-manifest/payload.json is not JSON",
    ]);
  });

  test("being empty", async () => {
    for (const category of ["config-blob", "rqem0001-manifest"])
      await rm(join(corpus, category), { recursive: true });
    expect(await problems()).toEqual([`${corpus} holds no vector`]);
  });
});
