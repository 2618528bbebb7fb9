// Vectors for the reader's errors by their cause. The runner arranges what a scenario says.

import { BASE_CONFIG, blob } from "./config-blob.ts";
import {
  type ErrorName,
  type JsonObject,
  seededBytes,
  seededPassphrase,
  seededSalt,
  type Vector,
} from "./vector.ts";
import { DEFAULT_ITERATIONS, envelope, keysFor, pointerSeal } from "./writer.ts";
import { zip } from "./zip-writer.ts";

const passphrase = seededPassphrase("error-taxonomy");
const salt = seededSalt("error-taxonomy");

export function errorTaxonomy(): Vector[] {
  const { master } = keysFor(passphrase, salt, DEFAULT_ITERATIONS);
  const archive = zip([{ name: ".env.prod", data: "A=1\n" }]);
  const plaintext = pointerSeal("20260214-093000", archive);
  const whole = envelope("error-taxonomy", master, plaintext);
  const key = { passphrase, salt };
  return [
    vector(
      "inputs-unset",
      "inputs-unset",
      "Neither variable is set, nor their _FILE forms",
      "ConfigMissingError",
    ),
    vector(
      "config-version",
      "config-version",
      "A config of version 2",
      "ConfigUnsupportedVersionError",
      {},
      text(blob({ ...BASE_CONFIG, v: 2 })),
    ),
    vector(
      "config-standard-base64",
      "config-version",
      "A config in standard base64",
      "ConfigUnsupportedVersionError",
      {},
      text(`${blob(BASE_CONFIG)}=`),
    ),
    vector(
      "connection-refused",
      "connection-refused",
      "Nobody listens at the endpoint",
      "S3UnreachableError",
    ),
    vector("forbidden", "forbidden", "The server answers 403", "S3UnreachableError"),
    vector("manifest-404", "manifest-404", "No manifest under the prefix", "ManifestNotFoundError"),
    vector("bundle-404", "bundle-404", "A manifest whose bundle is not there", "BundleCorruptError"),
    vector(
      "wrong-passphrase",
      "wrong-passphrase",
      "An unsealed vault under another passphrase",
      "WrongPassphraseError",
      {
        ...key,
        passphrase: seededPassphrase("other"),
      },
      whole,
    ),
    vector(
      "wrong-salt",
      "wrong-passphrase",
      "The right passphrase with another salt",
      "WrongPassphraseError",
      {
        ...key,
        salt: seededSalt("other"),
      },
      whole,
    ),
    vector(
      "bundle-corrupt-magic",
      "bundle-corrupt",
      "A bundle that is no envelope",
      "BundleCorruptError",
      key,
      seededBytes("error-taxonomy", "junk", 64),
    ),
    vector(
      "bundle-corrupt-cut",
      "bundle-corrupt",
      "A bundle cut to 31 bytes",
      "BundleCorruptError",
      key,
      whole.subarray(0, 31),
    ),
    vector(
      "bundle-corrupt-plaintext",
      "bundle-corrupt",
      "A bundle without a pointer seal",
      "BundleCorruptError",
      key,
      envelope("corrupt plaintext", master, archive),
    ),
    vector(
      "spec-version-rqe2",
      "spec-version",
      "An envelope of a later version",
      "UnsupportedSpecVersionError",
      key,
      envelope("rqe2", master, plaintext, { magic: "RQE2" }),
    ),
    vector(
      "spec-version-rqem0002",
      "spec-version",
      "A pointer seal of a later version",
      "UnsupportedSpecVersionError",
      key,
      envelope("rqem0002", master, pointerSeal("20260214-093000", archive, "RQEM0002")),
    ),
  ];
}

function text(value: string): Buffer {
  return Buffer.from(value);
}

function vector(
  name: string,
  scenario: string,
  description: string,
  error: ErrorName,
  inputs: JsonObject = {},
  bin?: Uint8Array,
): Vector {
  return {
    category: "error-taxonomy",
    name,
    description,
    inputs: { scenario, ...inputs },
    expected: { error },
    ...(bin !== undefined && { bin }),
  };
}
