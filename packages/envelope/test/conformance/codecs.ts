// Runs the corpus through @vsync/envelope: bytes to values and, where the same bytes must come back, values to bytes.

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import {
  BundleCorruptError,
  DEFAULT_ITERATIONS,
  decodeConfigBlob,
  decodePointerSeal,
  decodeShare,
  decryptEnvelope,
  deriveKeys,
  encodePointerSeal,
  InputRefusedError,
  judgeManifest,
  packArchive,
  parseEnv,
  readAuditLog,
  scalarsFile,
  setEnvValue,
  unpackArchive,
  unsetEnvValue,
  type VaultConfig,
  type VaultFile,
  type VaultKeys,
  type Verdict,
  WrongPassphraseError,
} from "@vsync/envelope";
import type { Fields, Vector } from "./corpus.ts";
import { isRowNumber, isSameEdit, isVerdictWord, settledZipBytes } from "./freedoms.ts";
import { bytesOf, check, comparePairs, type Implementation, metadataOf, pairsOf, textOf } from "./judge.ts";

const rqe1 = check(
  async (vector) => decryptEnvelope((await keysOf(vector.inputs)).master, bytesOf(vector)),
  (plaintext, expected) => {
    assert.equal(hex(plaintext), expected.plaintext_hex);
    if (expected.plaintext_utf8 !== undefined) {
      assert.equal(Buffer.from(plaintext).toString(), expected.plaintext_utf8);
    }
  },
);

export const codecs: Implementation = {
  name: "codecs",
  checks: {
    "rqe1-decrypt": rqe1,
    "rqe1-decrypt-error": rqe1,
    "rqem0001-manifest": check(
      async (vector) => decodePointerSeal(bytesOf(vector), textOf(vector.inputs, "remote_ts")),
      ({ timestamp, payload }, expected, vector) => {
        assert.equal(timestamp, expected.embedded_ts);
        assert.equal(hex(payload), expected.payload_hex);
        assert.equal(hex(encodePointerSeal(timestamp)) + hex(payload), hex(bytesOf(vector)));
      },
    ),
    "config-blob": check(
      async (vector) => decodeConfigBlob(Buffer.from(bytesOf(vector)).toString()),
      (config, { config_json }) => compareConfigs(config, config_json as Fields),
    ),
    "sls1-share": check(
      async (vector) => decodeShare(textOf(vector.inputs, "passphrase"), bytesOf(vector)),
      (payload, { payload_json }) => {
        const { version, repo, env, config, key } = payload_json as Fields;
        assert.deepEqual(payload, { version, repo, env, config, key });
      },
    ),
    "vault-archive": check(async (vector) => unpackArchive(bytesOf(vector)), compareArchives),
    "archive-reject": check(async (vector) => unpackArchive(bytesOf(vector)), compareArchives),
    "env-file": check(
      async (vector) => parseEnv(bytesOf(vector)),
      (pairs, expected) => comparePairs(pairs, pairsOf(expected.pairs), "pairs"),
    ),
    "env-file-edit": check(runEdit, ({ bytes, keys }, { bytes_hex }) => {
      const expected = Buffer.from(String(bytes_hex), "hex");
      assert(
        isSameEdit(bytes, expected, keys),
        `the file is now ${JSON.stringify(Buffer.from(bytes).toString())}`,
      );
    }),
    "manifest-seal": check(runVerdict, (kind, { verdict }) => {
      assert(isVerdictWord(kind, String(verdict)), `the verdict is ${kind}, not ${verdict}`);
    }),
    "audit-chain": check(
      async (vector) => {
        const log = await readAuditLog(await keysOf(vector.inputs), bytesOf(vector));
        if (log === null) throw new BundleCorruptError("no audit log");
        if (log.firstBadRow !== null && vector.expected.error !== null)
          throw new BundleCorruptError("broken chain");
        return log;
      },
      ({ rows, firstBadRow }, expected) => {
        const { rows: expectedRows, first_bad_row = null } = expected;
        if (Array.isArray(expectedRows)) {
          assert.equal(rows.length, expectedRows.length);
          for (const [at, row] of expectedRows.entries()) compareRows(rows[at] as Fields, row);
        } else if (expectedRows !== undefined) {
          assert.equal(rows.length, expectedRows);
        }
        const agrees =
          firstBadRow === null ? first_bad_row === null : isRowNumber(firstBadRow, first_bad_row);
        assert(agrees, `the first bad row has index ${firstBadRow}, expected ${first_bad_row}`);
      },
    ),
  },
};

const derived = new Map<string, Promise<VaultKeys>>();

/** Once for each key: a corpus of 600,000 iterations a vector would take minutes. */
async function keysOf(inputs: Fields): Promise<VaultKeys> {
  const iterations = inputs.iterations ?? DEFAULT_ITERATIONS;
  const passphrase = textOf(inputs, "passphrase");
  const salt = textOf(inputs, "salt");
  const id = JSON.stringify([passphrase, salt, iterations]);
  const keys = derived.get(id) ?? deriveKeys(passphrase, salt, iterations as number);
  derived.set(id, keys);
  return keys;
}

/** The fields that the format document knows; a decoder ignores others, and so does this. */
export function compareConfigs(config: VaultConfig, expected: Fields): void {
  const { v: _, ...known } = expected;
  for (const [name, value] of Object.entries(config)) assert.equal(value, known[name], name);
  for (const name of ["minGen", "sessionToken"])
    assert.equal(known[name] === undefined, !Object.hasOwn(config, name), name);
}

async function compareArchives(
  files: Map<string, VaultFile>,
  expected: Fields,
  vector: Vector,
): Promise<void> {
  const digests = new Map([...files].map(([name, { bytes }]) => [name, sha256(bytes)]));
  comparePairs(digests, pairsOf(expected.contents_sha256), "contents");
  const name = scalarsFile(files, textOf(vector.inputs, "env"));
  const scalars = name === null ? new Map<string, string>() : parseEnv(files.get(name)!.bytes);
  comparePairs(scalars, pairsOf(expected.scalars), "scalars");
  if (expected.zip_hex === undefined) return;
  const repacked = Buffer.concat(await packArchive(files));
  const wanted = Buffer.from(String(expected.zip_hex), "hex");
  assert(
    settledZipBytes(repacked).equals(settledZipBytes(wanted)),
    "packing the files again gives other bytes",
  );
}

async function runEdit(vector: Vector): Promise<{ bytes: Uint8Array; keys: string[] }> {
  const set = pairsOf(vector.inputs.set ?? {});
  const unset = [vector.inputs.unset ?? []].flat() as string[];
  let bytes = bytesOf(vector);
  try {
    for (const [key, value] of set) bytes = setEnvValue(bytes, key, String(value));
    for (const key of unset) bytes = unsetEnvValue(bytes, key);
  } catch (error) {
    // The formats have no class for what a writer refuses, so any name that a corpus gives it will do.
    if (error instanceof InputRefusedError && vector.expected.error !== null) {
      throw Object.assign(new Error(error.message), { name: vector.expected.error });
    }
    throw error;
  }
  return { bytes, keys: [...set.keys(), ...unset] };
}

async function runVerdict({ inputs, expected }: Vector): Promise<Verdict["kind"]> {
  const received = {
    body: Buffer.from(textOf(inputs, "body")),
    metadata: metadataOf(inputs),
  };
  const kind = await verdictOf(await keysOf(inputs), textOf(inputs, "prefix"), received);
  if (expected.error === null || kind === "verified" || kind === "grace") return kind;
  // A corpus may name the error that a reader with `minGen` answers in the place of the verdict.
  const wrong = kind === "failed" || kind === "grace-over";
  throw wrong ? new WrongPassphraseError(kind) : new BundleCorruptError(kind);
}

async function verdictOf(
  ...[keys, prefix, received]: [VaultKeys, string, Parameters<typeof judgeManifest>[2]]
): Promise<Verdict["kind"]> {
  try {
    return (await judgeManifest(keys, prefix, received, Date.now())).kind;
  } catch (error) {
    if (error instanceof BundleCorruptError) return "malformed";
    throw error;
  }
}

/** A cell as it stands in the file, or without the apostrophe that keeps spreadsheets from running it. */
function compareRows(row: Fields, expected: Fields): void {
  for (const [column, value] of Object.entries(row)) {
    if (expected[column] === undefined) continue;
    assert([value, `'${value}`].includes(String(expected[column])), `${column} is ${JSON.stringify(value)}`);
  }
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("hex");
}

function sha256(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}
