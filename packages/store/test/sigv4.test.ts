// The signer, against AWS's own published example and against another implementation.

import { createHash, createHmac } from "node:crypto";
import { sign as oracle } from "aws4";
import fc from "fast-check";
import { expect, test } from "vitest";
import { encodePath, encodeQuery, signRequest, type UnsignedRequest } from "../src/sigv4.ts";

const DIGESTS = {
  sha256Hex: (text: string): string => createHash("sha256").update(text).digest("hex"),
  hmacSha256: (key: Uint8Array, text: string): Uint8Array => createHmac("sha256", key).update(text).digest(),
};

const EXAMPLE = {
  accessKeyId: "AKIAIOSFODNN7EXAMPLE",
  secretAccessKey: "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
};

test("signs AWS's example of a GET Object as AWS does", async () => {
  // https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html
  const request = {
    method: "GET",
    host: "examplebucket.s3.amazonaws.com",
    path: "/test.txt",
    headers: { range: "bytes=0-9" },
  } as const;
  const headers = await signRequest(request, EXAMPLE, "us-east-1", Date.UTC(2013, 4, 24), DIGESTS);
  expect(headers).toEqual({
    range: "bytes=0-9",
    "x-amz-content-sha256": "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "x-amz-date": "20130524T000000Z",
    authorization:
      "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request,SignedHeaders=host;range;x-amz-content-sha256;x-amz-date,Signature=f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41",
  });
});

test("signs AWS's examples of a PUT Object, of a query and of a listing as AWS does", async () => {
  // https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html
  const sign = async (
    request: Pick<UnsignedRequest, "method" | "path" | "query" | "headers" | "bodySha256">,
  ): Promise<string | undefined> => {
    const whole = { host: "examplebucket.s3.amazonaws.com", ...request };
    const headers = await signRequest(whole, EXAMPLE, "us-east-1", Date.UTC(2013, 4, 24), DIGESTS);
    return headers.authorization?.split("Signature=")[1];
  };
  const put = {
    method: "PUT",
    path: `/${encodePath("test$file.text")}`,
    headers: { date: "Fri, 24 May 2013 00:00:00 GMT", "x-amz-storage-class": "REDUCED_REDUNDANCY" },
    bodySha256: DIGESTS.sha256Hex("Welcome to Amazon S3."),
  } as const;
  expect(await sign(put)).toBe("98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd");
  expect(await sign({ method: "GET", path: "/", query: encodeQuery({ lifecycle: "" }) })).toBe(
    "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543",
  );
  expect(await sign({ method: "GET", path: "/", query: encodeQuery({ "max-keys": "2", prefix: "J" }) })).toBe(
    "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7",
  );
});

const printable = fc.string({ minLength: 1, unit: fc.constantFrom(..."abcXYZ019-_.~") });
const hostileKey = fc
  .array(fc.string({ minLength: 1, unit: "grapheme" }), { minLength: 1, maxLength: 4 })
  .map((parts) => parts.join("/"))
  .filter((key) => !key.split("/").some((part) => part === "." || part === ".." || part === ""));

/** aws4 collects them in a plain object, where `__proto__` and its like are lost. */
const fieldName = fc.string({ minLength: 1, unit: "grapheme" }).filter((name) => !(name in {}));

test("signs as aws4 does: any key, query, region, host, method, session token and time", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom("GET" as const, "HEAD" as const, "PUT" as const, "DELETE" as const),
      hostileKey,
      fc.dictionary(fieldName, fc.string({ unit: "grapheme" })),
      printable,
      fc.constantFrom("s3.example.com", "127.0.0.1:9000", "[::1]:9000"),
      fc.option(fc.base64String({ minLength: 4 }), { nil: undefined }),
      fc.string({ minLength: 1, unit: "grapheme" }),
      fc.date({ min: new Date("2000-01-01"), max: new Date("2099-12-31"), noInvalidDate: true }),
      async (method, key, fields, region, host, sessionToken, secretAccessKey, date) => {
        const path = `/bucket/${encodePath(key)}`;
        const credentials = {
          accessKeyId: "AKID",
          secretAccessKey,
          ...(sessionToken !== undefined && { sessionToken }),
        };
        const query = encodeQuery(fields);
        const unsignedRequest = { method, host, path, query };
        const ours = await signRequest(unsignedRequest, credentials, region, date.getTime(), DIGESTS);
        const { authorization: _authorization, ...unsigned } = ours;
        const theirs = oracle(
          { method, host, path: `${path}?${query}`, service: "s3", region, headers: { ...unsigned, host } },
          credentials,
        );
        expect(ours.authorization).toBe(String(theirs.headers?.Authorization).replaceAll(", ", ","));
      },
    ),
    { numRuns: 500 },
  );
});

test("a query's fields are in the order of their encoded names", () => {
  expect(encodeQuery({ "a b": "2", b: "3", a: "1", "a~": "4" })).toBe("a=1&a%20b=2&a~=4&b=3");
  expect(encodeQuery({ ["__proto__"]: "1", toString: "2" })).toBe("__proto__=1&toString=2");
});

test("a key's path keeps its slashes and encodes everything else that RFC 3986 reserves", () => {
  expect(encodePath("a/b c/ü/!'()*~-_.=:+%")).toBe("a/b%20c/%C3%BC/%21%27%28%29%2A~-_.%3D%3A%2B%25");
});
