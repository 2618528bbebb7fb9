// Which places a config may name, and what is said about a text that is no blob. docs/formats.md section 5.

import { describe, expect, test } from "vitest";
import { decodeConfigBlob, locationProblem } from "../src/config-blob.ts";
import { ConfigMissingError } from "../src/errors.ts";

const place = { endpoint: "https://s3.example.com", bucket: "acme", prefix: "acme_app/prod/" };

describe("a place", () => {
  test.each<[string, Partial<typeof place>]>([
    ["without TLS", { endpoint: "http://localhost:9000" }],
    ["in a folder", { endpoint: "file:///srv/vsync" }],
    ["with a path", { endpoint: "https://s3.example.com/path" }],
    ["without a prefix", { prefix: "" }],
    ["with dots in its prefix", { prefix: "a.b/..c/.d/" }],
  ])("%s can be used", (_, change) => {
    expect(locationProblem({ ...place, ...change })).toBeNull();
  });

  test.each<[string, Partial<typeof place>, RegExp]>([
    ["that is no URL", { endpoint: "s3.example.com" }, /not an https:\/\//],
    ["of another scheme", { endpoint: "ftp://s3.example.com" }, /not an https:\/\//],
    ["with a user", { endpoint: "https://ann@s3.example.com" }, /credentials inside/],
    ["with a password", { endpoint: "https://:secret@s3.example.com" }, /credentials inside/],
    ["with a query", { endpoint: "https://s3.example.com/?a" }, /query or fragment/],
    ["with a fragment", { endpoint: "https://s3.example.com/#a" }, /query or fragment/],
    ["with an empty query", { endpoint: "https://s3.example.com/?" }, /query or fragment/],
    ["in a folder of another host", { endpoint: "file://host/srv" }, /file:\/\/\/absolute\/path/],
    ["in a folder, with one slash", { endpoint: "file:/srv" }, /file:\/\/\/absolute\/path/],
    ["without a bucket", { bucket: "" }, /names no bucket/],
    ["whose bucket is half a character", { bucket: "a\ud800" }, /half of a surrogate pair/],
    ["whose prefix is half a character", { prefix: "a\udc00/" }, /half of a surrogate pair/],
    ["whose prefix has no slash at its end", { prefix: "a/b" }, /does not end in a slash/],
    ["whose prefix has a line break", { prefix: "a\nb/" }, /control character/],
    ["whose prefix has a part .", { prefix: "a/./" }, /part \. or \.\./],
    ["whose prefix begins with ..", { prefix: "../a/" }, /part \. or \.\./],
  ])("%s cannot, and none of it is repeated", (_, change, problem) => {
    const said = locationProblem({ ...place, ...change });
    expect(said).toMatch(problem);
    expect(said).not.toContain("secret");
  });
});

test.each([
  ["", /^VSYNC_CONFIG is empty; print one with/],
  ["{}", /raw JSON/],
  ['\n  {"v":1}', /raw JSON/],
  ["vsync-cfg-v2:abc", /another release; update vsync/],
  ["vsync-cfg-v12:abc", /another release; update vsync/],
  ["\nvsync-cfg-v1:abc", /white space in front of it/],
  ["abc {", /begin with "vsync-cfg-v1:"; print one with/],
  ["x vsync-cfg-v2:abc", /begin with "vsync-cfg-v1:"; print one with/],
])("of %j it is said what it looks like", async (text, said) => {
  const error = await decodeConfigBlob(text).catch((thrown: unknown) => thrown as Error);
  expect(error).toBeInstanceOf(ConfigMissingError);
  expect((error as Error).message).toMatch(said);
});
