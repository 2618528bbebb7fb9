// What both files that travel have around and inside of them, and what is wrong with one. docs/formats.md section 5.

import { describe, expect, test } from "vitest";
import { concat, utf8 } from "../src/encoding.ts";
import { BundleCorruptError, UnsupportedSpecVersionError } from "../src/errors.ts";
import { MIN_ENVELOPE_BYTES } from "../src/rqe1.ts";
import { openShareFile, sealShareFile } from "../src/share-file.ts";

const KIND = { magic: "SLS1", name: "share file", command: "vsync share export <env>" };
const SALT = "AAECAwQFBgcICQoLDA0ODw==";
const MAX_JSON_BYTES = 1000;

const open = (bytes: Uint8Array, maxJsonBytes = MAX_JSON_BYTES) =>
  openShareFile(KIND, "six words", bytes, maxJsonBytes);
const seal = (content: object) =>
  sealShareFile(KIND, "six words", content, (size) => new Uint8Array(size).fill(7));

async function refusal(opening: Promise<unknown>): Promise<Error> {
  return await opening.then(
    () => expect.unreachable("it was opened"),
    (thrown: unknown) => thrown as Error,
  );
}

/** A file that is right but for what the test names; what it holds opens under nothing. */
function build({ magic = "SLS1", length = 24, salt = SALT, envelope = MIN_ENVELOPE_BYTES } = {}): Uint8Array {
  return concat([utf8(magic), Uint8Array.of(length), utf8(salt), new Uint8Array(envelope)]);
}

describe("around it", () => {
  test.each([
    ["another magic", build({ magic: "XLS1" }), /does not begin with SLS1/],
    ["another magic that ends in a number", build({ magic: "XLS2" }), /does not begin with SLS1/],
    ["a letter for its version", build({ magic: "SLSx" }), /does not begin with SLS1/],
    ["nothing at all", new Uint8Array(0), /does not begin with SLS1/],
    ["a salt of another length", build({ length: 23 }), /salt is not 24 characters long/],
    ["nothing behind its magic", utf8("SLS1"), /salt is not 24 characters long/],
    [
      "a salt that is no base64",
      build({ salt: "AAECAwQFBgcICQoLDA0ODw=!" }),
      /salt is not base64 of 16 bytes/,
    ],
    ["a salt of 17 bytes", build({ salt: "AAECAwQFBgcICQoLDA0ODxA=" }), /salt is not base64 of 16 bytes/],
    ["a salt that is cut", build().subarray(0, 20), /salt is not base64 of 16 bytes/],
    ["an envelope that is cut", build({ envelope: MIN_ENVELOPE_BYTES - 1 }), /it was cut short/],
  ])("%s is damage, which says how to get another", async (_, bytes, message) => {
    const error = await refusal(open(bytes));
    expect(error).toBeInstanceOf(BundleCorruptError);
    expect(error.message).toMatch(message);
    expect(error.message).toContain("vsync share export <env>");
  });

  test.each(["SLS0", "SLS2", "SLS9"])("%s is a version of another release", async (magic) => {
    const error = await refusal(open(build({ magic })));
    expect(error).toBeInstanceOf(UnsupportedSpecVersionError);
    expect(error.message).toContain(`version ${magic} is newer`);
  });

  test("nothing wrong, in a file of the least length, leads to what is in it", async () => {
    const error = await refusal(open(build()));
    expect(error).toBeInstanceOf(BundleCorruptError);
    expect(error.message).toContain("not an encrypted envelope");
  });
});

describe("inside of it", () => {
  test("any JSON object of version 1 comes back, and its salt and envelope are fresh randomness", async () => {
    const file = await seal({ version: 1, any: ["thing"] });
    expect([...(await open(file))]).toEqual([
      ["version", 1],
      ["any", ["thing"]],
    ]);
    expect(Buffer.from(file.subarray(0, 29)).toString("latin1")).toBe("SLS1\x18BwcHBwcHBwcHBwcHBwcHBw==");
  });

  test.each<[string, object, RegExp]>([
    ["no version", {}, /it has no version/],
    ["a version that is no number", { version: "1" }, /it has no version/],
    ["a list", [1], /does not hold a JSON object/],
  ])("%s is damage", async (_, content, message) => {
    const error = await refusal(open(await seal(content)));
    expect(error).toBeInstanceOf(BundleCorruptError);
    expect(error.message).toMatch(message);
  });

  test("a later version is of another release", async () => {
    expect(await refusal(open(await seal({ version: 2 })))).toBeInstanceOf(UnsupportedSpecVersionError);
  });

  test("what unpacks to more than it may is not unpacked, on the limit it is", async () => {
    const content = { version: 1, text: "x".repeat(500) };
    const size = JSON.stringify(content).length;
    const file = await seal(content);
    expect((await open(file, size)).get("version")).toBe(1);
    const error = await refusal(open(file, size - 1));
    expect(error).toBeInstanceOf(BundleCorruptError);
    expect(error.message).toMatch(/not base64 of one gzip member/);
  });
});
