// What the independent implementation makes of each category; it reads what is good and judges nothing that is not.

import assert from "node:assert/strict";
import type { Fields, Vector } from "../conformance/corpus.ts";
import { bytesOf, check, comparePairs, type Implementation, pairsOf, textOf } from "../conformance/judge.ts";
import { readArchive, readPairs, readScalars, type StoredFile } from "./archive.ts";
import { digest, hexOf, masterKey, openEnvelope, openPointerSeal } from "./keys.ts";
import { type Metadata, readConfig, readLog, readShare, readVerdict } from "./texts.ts";

interface Vault {
  readonly files: readonly StoredFile[];
  readonly scalars: ReadonlyMap<string, string>;
  readonly generation?: number;
}

export const independent: Implementation = {
  name: "independent",
  checks: {
    "rqe1-decrypt": check(
      async (vector) => openEnvelope(masterOf(vector.inputs), bytesOf(vector)),
      (plaintext, expected) => assert.equal(hexOf(plaintext), expected.plaintext_hex),
    ),
    "rqem0001-manifest": check(
      async (vector) => openPointerSeal(bytesOf(vector)),
      ({ timestamp, payload }, expected) => {
        assert.equal(timestamp, expected.embedded_ts);
        assert.equal(hexOf(payload), expected.payload_hex);
      },
    ),
    "config-blob": check(
      async (vector) => readConfig(bytesOf(vector)),
      (config, { config_json }) => {
        for (const [name, value] of Object.entries(config_json as Fields))
          assert.equal(config[name], value, name);
      },
    ),
    "sls1-share": check(
      async (vector) => readShare(textOf(vector.inputs, "passphrase"), bytesOf(vector)),
      (payload, { payload_json }) => assert.deepEqual(payload, payload_json),
    ),
    "vault-archive": check(async (vector) => {
      const files = readArchive(bytesOf(vector));
      return { files, scalars: readScalars(files, textOf(vector.inputs, "env")) };
    }, compareVaults),
    "env-file": check(
      async (vector) => readPairs(bytesOf(vector)),
      (pairs, expected) => comparePairs(pairs, pairsOf(expected.pairs), "pairs"),
    ),
    "env-file-edit": check(
      async (vector) => readPairs(bytesOf(vector)),
      (before, { bytes_hex }, { inputs }) => {
        const after = new Map<string, unknown>([...before, ...pairsOf(inputs.set)]);
        for (const key of inputs.unset as string[]) after.delete(key);
        comparePairs(readPairs(Buffer.from(String(bytes_hex), "hex")), after, "pairs");
      },
    ),
    "manifest-seal": check(
      async ({ inputs }) => {
        const body = textOf(inputs, "body");
        return readVerdict(masterOf(inputs), textOf(inputs, "prefix"), body, inputs.metadata as Metadata);
      },
      (verdict, expected) => assert.equal(verdict, expected.verdict),
    ),
    "bundle-open": check(openBundle, compareVaults),
    "audit-chain": check(
      async (vector) => readLog(masterOf(vector.inputs), bytesOf(vector)),
      ({ rows, firstBad }, { rows: expected, first_bad_row = null }) => {
        assert.deepEqual(
          rows,
          (expected as Fields[]).map((row) => Object.values(row)),
        );
        assert.equal(firstBad, first_bad_row);
      },
    ),
  },
};

function masterOf(inputs: Fields): Uint8Array {
  return masterKey(
    textOf(inputs, "passphrase"),
    textOf(inputs, "salt"),
    Number(inputs.iterations ?? 600_000),
  );
}

async function openBundle(vector: Vector): Promise<Vault> {
  const { inputs } = vector;
  const config = readConfig(Buffer.from(textOf(inputs, "config")));
  const { body, metadata } = inputs.manifest as { readonly body: string; readonly metadata: Metadata };
  const master = masterOf({ ...config, passphrase: inputs.passphrase });
  const verdict = readVerdict(master, String(config.prefix), body, metadata);
  const named = { timestamp: body.trim(), generation: Number(metadata.gen ?? 0), sha256: metadata.sha256 };
  const [timestamp, gen, sha256] = String(metadata.grace).split(".");
  const { bundle, pointer } =
    verdict === "grace"
      ? {
          bundle: Buffer.from(textOf(inputs, "grace_bundle_hex"), "hex"),
          pointer: { timestamp, generation: Number(gen), sha256 },
        }
      : { bundle: bytesOf(vector), pointer: named };
  if (verdict !== "unsealed") assert.equal(digest(bundle), pointer.sha256);
  const opened = openPointerSeal(openEnvelope(master, bundle));
  assert.equal(opened.timestamp, pointer.timestamp);
  assert(pointer.generation >= Number(config.minGen ?? 0));
  const files = readArchive(opened.payload);
  return { files, scalars: readScalars(files, String(config.env)), generation: pointer.generation };
}

function compareVaults({ files, scalars, generation }: Vault, expected: Fields): void {
  const digests = new Map(files.map(({ name, bytes }) => [name, digest(bytes)]));
  comparePairs(digests, pairsOf(expected.contents_sha256), "contents");
  comparePairs(scalars, pairsOf(expected.scalars), "scalars");
  assert.equal(generation, expected.generation);
}
