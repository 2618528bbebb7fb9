// Vectors for RQE1, the encrypted envelope, and for the key behind it. Sections 1 and 2 of the format document.

import {
  type ErrorName,
  hex,
  type JsonObject,
  seededBytes,
  seededPassphrase,
  seededSalt,
  type Vector,
} from "./vector.ts";
import { DEFAULT_ITERATIONS, envelope, FAST_ITERATIONS, keysFor } from "./writer.ts";

interface Opening {
  readonly plaintext: Uint8Array;
  readonly passphrase?: string;
  readonly salt?: string;
  /** null leaves `iterations` out of the vector. */
  readonly iterations?: number | null;
  readonly text?: boolean;
}

export function rqe1Decrypt(): Vector[] {
  const lengths = [0, 1, 15, 16, 17, 31, 32, 33, 63, 64, 65, 4095, 4096, 4097, 65_536].map((length) =>
    opens(`length-${String(length).padStart(5, "0")}`, `A plaintext of ${length} bytes`, {
      plaintext: seededBytes("rqe1-lengths", "plaintext", length),
      ...lengthsKey,
    }),
  );
  return [
    ...lengths,
    opens("default-iterations", "No iterations in the inputs: 600,000", {
      plaintext: Buffer.from("DATABASE_URL=postgres://localhost/app\n"),
      ...defaultKey,
      iterations: null,
      text: true,
    }),
    opens("default-iterations-explicit", "600,000 iterations, said so", {
      plaintext: Buffer.from("said"),
      ...defaultKey,
      iterations: DEFAULT_ITERATIONS,
      text: true,
    }),
    opens("odd-iterations", "A count that is no round number", {
      plaintext: Buffer.from("odd"),
      iterations: 100_001,
      text: true,
    }),
    opens("text-unicode", "UTF-8 text of one, two, three and four bytes a character", {
      plaintext: Buffer.from("key=grüße €5 \u{1f511}\n"),
      ...lengthsKey,
      text: true,
    }),
    opens("all-byte-values", "Every byte value once", {
      plaintext: Buffer.from([...Array(256).keys()]),
      ...lengthsKey,
    }),
    opens("all-zero", "A plaintext of zeros", { plaintext: Buffer.alloc(48), ...lengthsKey }),
    opens("envelope-in-envelope", "A plaintext that looks like an envelope", {
      plaintext: Buffer.concat([Buffer.from("RQE1"), seededBytes("inner", "envelope", 28)]),
      ...lengthsKey,
    }),
    opens("passphrase-spaces", "White space around a passphrase belongs to it", {
      plaintext: Buffer.from("not trimmed"),
      passphrase: "  correct horse battery  ",
      text: true,
    }),
    opens("passphrase-newline", "So does a line break at its end", {
      plaintext: Buffer.from("not trimmed"),
      passphrase: "correct horse battery\n",
      text: true,
    }),
    opens("passphrase-composed", "A passphrase in NFC is not normalised", {
      plaintext: Buffer.from("composed"),
      passphrase: "caf\u00e9 au lait noir",
      salt: seededSalt("passphrase-form"),
      text: true,
    }),
    opens("passphrase-decomposed", "The same in NFD is another passphrase", {
      plaintext: Buffer.from("decomposed"),
      passphrase: "cafe\u0301 au lait noir",
      salt: seededSalt("passphrase-form"),
      text: true,
    }),
    opens("passphrase-emoji", "A passphrase outside the Basic Multilingual Plane", {
      plaintext: Buffer.from("four bytes a character"),
      passphrase: "\u{1f98a}\u{1f511}\u{1f98a}\u{1f511}",
      text: true,
    }),
    opens("passphrase-64-bytes", "A passphrase of one HMAC block", {
      plaintext: Buffer.from("one block"),
      passphrase: "p".repeat(64),
      text: true,
    }),
    opens("passphrase-65-bytes", "A passphrase longer than one HMAC block, which hashes it first", {
      plaintext: Buffer.from("more than a block"),
      passphrase: "p".repeat(65),
      text: true,
    }),
    opens("passphrase-1-byte", "Readers do not judge a passphrase", {
      plaintext: Buffer.from("weak"),
      passphrase: "x",
      text: true,
    }),
    opens("salt-8-bytes", "The shortest salt", {
      plaintext: Buffer.from("short"),
      salt: "saltsalt",
      text: true,
    }),
    opens("salt-8-bytes-of-4-characters", "The limit counts UTF-8 bytes", {
      plaintext: Buffer.from("counted in bytes"),
      salt: "s\u00e4lt\u00e4\u00e4",
      text: true,
    }),
    opens("salt-is-a-string", "A salt that looks like base64 is never decoded", {
      plaintext: Buffer.from("never decoded"),
      salt: "c2FsdHNhbHRzYWx0c2FsdA==",
      text: true,
    }),
    opens("salt-spaces", "White space around a salt belongs to it", {
      plaintext: Buffer.from("verbatim"),
      salt: " saltsaltsalt ",
      text: true,
    }),
  ];
}

// Keys that several vectors share: pure JavaScript takes seconds for each one.
const defaultKey = {
  passphrase: seededPassphrase("default-iterations"),
  salt: seededSalt("default-iterations"),
};
const lengthsKey = { passphrase: seededPassphrase("rqe1-lengths"), salt: seededSalt("rqe1-lengths") };

function opens(name: string, description: string, opening: Opening): Vector {
  const { plaintext, iterations = FAST_ITERATIONS } = opening;
  const passphrase = opening.passphrase ?? seededPassphrase(name);
  const salt = opening.salt ?? seededSalt(name);
  const { master } = keysFor(passphrase, salt, iterations ?? DEFAULT_ITERATIONS);
  return {
    category: "rqe1-decrypt",
    name,
    description,
    inputs: { passphrase, salt, ...(iterations !== null && { iterations }) },
    expected: {
      error: null,
      plaintext_hex: hex(plaintext),
      ...(opening.text && { plaintext_utf8: Buffer.from(plaintext).toString() }),
    },
    bin: envelope(name, master, plaintext),
  };
}

const passphrase = seededPassphrase("rqe1-decrypt-error");
const salt = seededSalt("rqe1-decrypt-error");
const plaintext = Buffer.from("thirty-two bytes of a plaintext.");

export function rqe1DecryptError(): Vector[] {
  const { master } = keysFor(passphrase, salt, FAST_ITERATIONS);
  const seal = (name: string, form = {}): Buffer => envelope(name, master, plaintext, form);
  const whole = seal("whole");
  return [...damaged(whole, seal), ...mistaken(whole), ...outOfBounds(whole)];
}

/** Right passphrase, wrong bytes. */
function damaged(whole: Buffer, seal: (name: string, form?: object) => Buffer): Vector[] {
  const cut = [0, 1, 3, 4, 5, 15, 16, 17, 30, 31].map((length) =>
    refuses(
      `cut-to-${String(length).padStart(2, "0")}`,
      `The first ${length} bytes of an envelope: no envelope is shorter than 32`,
      "BundleCorruptError",
      whole.subarray(0, length),
    ),
  );
  const cutLater = [32, 33, 48, 63].map((length) =>
    refuses(
      `cut-to-${length}`,
      `The first ${length} of ${whole.length} bytes: long enough, and the tag does not verify`,
      "WrongPassphraseError",
      whole.subarray(0, length),
    ),
  );
  const versions = ["0", "2", "3", "9"].map((digit) =>
    refuses(
      `version-rqe${digit}`,
      `RQE${digit} is a version this release does not know`,
      "UnsupportedSpecVersionError",
      seal(`version-rqe${digit}`, { magic: `RQE${digit}` }),
    ),
  );
  const magics = [
    ["lower-case", "rqe1"],
    ["letter-for-digit", "RQEx"],
    ["colon-for-digit", "RQE:"],
    ["pointer-seal", "RQEM"],
    ["share", "SLS1"],
    ["zip", "PK\x03\x04"],
    ["zeros", "\0\0\0\0"],
  ].map(([name, magic]) =>
    refuses(
      `magic-${name}`,
      `Begins with ${JSON.stringify(magic)}`,
      "BundleCorruptError",
      seal(`magic-${name}`, { magic }),
    ),
  );
  const flips = [
    ["iv-first", 4 * 8],
    ["iv-last", 16 * 8 - 1],
    ["ciphertext-first", 16 * 8],
    ["ciphertext-last", (whole.length - 16) * 8 - 1],
    ["tag-first", (whole.length - 16) * 8],
    ["tag-last", whole.length * 8 - 1],
  ].map(([where, bit]) => {
    const flipped = Buffer.from(whole);
    flipped[Number(bit) >> 3]! ^= 1 << (Number(bit) & 7);
    return refuses(
      `flip-${where}-bit`,
      "One bit flipped; GCM cannot tell damage from another key",
      "WrongPassphraseError",
      flipped,
    );
  });
  return [
    ...cut,
    ...cutLater,
    ...versions,
    ...magics,
    ...flips,
    refuses(
      "byte-before",
      "One byte before the magic",
      "BundleCorruptError",
      Buffer.concat([Buffer.of(0), whole]),
    ),
    refuses(
      "bom-before",
      "A byte order mark before the magic",
      "BundleCorruptError",
      Buffer.concat([Buffer.from("\ufeff"), whole]),
    ),
    refuses(
      "byte-appended",
      "One byte after the tag",
      "WrongPassphraseError",
      Buffer.concat([whole, Buffer.of(0)]),
    ),
    refuses(
      "two-joined",
      "Two envelopes in one file",
      "WrongPassphraseError",
      Buffer.concat([whole, seal("second")]),
    ),
    refuses(
      "tag-4-bytes",
      "A tag of 4 bytes, which some libraries accept",
      "WrongPassphraseError",
      seal("tag-4-bytes", { tagBytes: 4 }),
    ),
    refuses(
      "tag-12-bytes",
      "A tag of 12 bytes",
      "WrongPassphraseError",
      seal("tag-12-bytes", { tagBytes: 12 }),
    ),
    refuses("tag-first", "The tag before the ciphertext", "WrongPassphraseError", tagFirst(whole)),
    refuses(
      "additional-data",
      "Encrypted with additional data",
      "WrongPassphraseError",
      seal("additional-data", { additionalData: Buffer.from("RQE1") }),
    ),
    refuses(
      "base64-text",
      "The envelope as base64 text",
      "BundleCorruptError",
      Buffer.from(whole.toString("base64")),
    ),
  ];
}

/** Right bytes, wrong key. */
function mistaken(whole: Buffer): Vector[] {
  const wrong = (name: string, description: string, inputs: JsonObject): Vector =>
    refuses(name, description, "WrongPassphraseError", whole, inputs);
  return [
    wrong("other-passphrase", "Another passphrase", { passphrase: seededPassphrase("other") }),
    wrong("passphrase-with-newline", "The passphrase with a line break at its end", {
      passphrase: `${passphrase}\n`,
    }),
    wrong("passphrase-with-space", "The passphrase with a space before it", { passphrase: ` ${passphrase}` }),
    wrong("passphrase-decoded", "The bytes that the passphrase's base64 stands for, as Latin-1", {
      passphrase: Buffer.from(passphrase, "base64").toString("latin1"),
    }),
    wrong("other-salt", "Another salt", { salt: seededSalt("other") }),
    wrong("other-iterations", "One iteration more", { iterations: FAST_ITERATIONS + 1 }),
    ...saltDecoded(),
  ];
}

/** A writer that took the salt's base64 apart before it derived the key: no reader can open that. */
function saltDecoded(): Vector[] {
  const spelled = "c2FsdHNhbHRzYWx0";
  const { master } = keysFor(passphrase, Buffer.from(spelled, "base64").toString(), FAST_ITERATIONS);
  return [
    refuses(
      "salt-decoded",
      "Written under the decoded salt",
      "WrongPassphraseError",
      envelope("salt-decoded", master, plaintext),
      {
        salt: spelled,
      },
    ),
  ];
}

function outOfBounds(whole: Buffer): Vector[] {
  const bound = (name: string, description: string, inputs: JsonObject): Vector =>
    refuses(name, `${description}: refused before any key is derived`, "BundleCorruptError", whole, inputs);
  return [
    bound("salt-empty", "No salt", { salt: "" }),
    bound("salt-7-bytes", "A salt of 7 bytes", { salt: "saltsal" }),
    bound("iterations-0", "0 iterations", { iterations: 0 }),
    bound("iterations-1", "1 iteration", { iterations: 1 }),
    bound("iterations-99999", "One iteration too few", { iterations: 99_999 }),
    bound("iterations-10000001", "One iteration too many", { iterations: 10_000_001 }),
    bound("iterations-negative", "A negative count", { iterations: -600_000 }),
    bound("iterations-fraction", "A count that is no integer", { iterations: 100_000.5 }),
  ];
}

function tagFirst(whole: Buffer): Buffer {
  const tagAt = whole.length - 16;
  return Buffer.concat([whole.subarray(0, 16), whole.subarray(tagAt), whole.subarray(16, tagAt)]);
}

function refuses(
  name: string,
  description: string,
  error: ErrorName,
  bin: Buffer,
  inputs: JsonObject = {},
): Vector {
  return {
    category: "rqe1-decrypt-error",
    name,
    description,
    inputs: { passphrase, salt, iterations: FAST_ITERATIONS, ...inputs },
    expected: { error, plaintext_hex: null },
    bin,
  };
}
