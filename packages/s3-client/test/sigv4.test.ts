// The signer, against AWS's own published example and against another implementation.

import { sign as oracle } from "aws4";
import fc from "fast-check";
import { expect, test } from "vitest";
import { encodePath, signRequest } from "../src/sigv4.ts";

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
  const headers = await signRequest(request, EXAMPLE, "us-east-1", Date.UTC(2013, 4, 24));
  expect(headers).toEqual({
    range: "bytes=0-9",
    "x-amz-content-sha256": "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "x-amz-date": "20130524T000000Z",
    authorization:
      "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request,SignedHeaders=host;range;x-amz-content-sha256;x-amz-date,Signature=f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41",
  });
});

const printable = fc.string({ minLength: 1, unit: fc.constantFrom(..."abcXYZ019-_.~") });
const hostileKey = fc
  .array(fc.string({ minLength: 1, unit: "grapheme" }), { minLength: 1, maxLength: 4 })
  .map((parts) => parts.join("/"))
  .filter((key) => !key.split("/").some((part) => part === "." || part === ".." || part === ""));

test("signs as aws4 does: any key, region, host, method, session token and time", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom("GET" as const, "HEAD" as const),
      hostileKey,
      printable,
      fc.constantFrom("s3.example.com", "127.0.0.1:9000", "[::1]:9000"),
      fc.option(fc.base64String({ minLength: 4 }), { nil: undefined }),
      fc.string({ minLength: 1, unit: "grapheme" }),
      fc.date({ min: new Date("2000-01-01"), max: new Date("2099-12-31"), noInvalidDate: true }),
      async (method, key, region, host, sessionToken, secretAccessKey, date) => {
        const path = `/bucket/${encodePath(key)}`;
        const credentials = {
          accessKeyId: "AKID",
          secretAccessKey,
          ...(sessionToken !== undefined && { sessionToken }),
        };
        const ours = await signRequest({ method, host, path }, credentials, region, date.getTime());
        const { authorization: _authorization, ...unsigned } = ours;
        const theirs = oracle(
          { method, host, path, service: "s3", region, headers: { ...unsigned, host } },
          credentials,
        );
        expect(ours.authorization).toBe(String(theirs.headers?.Authorization).replaceAll(", ", ","));
      },
    ),
    { numRuns: 500 },
  );
});

test("a key's path keeps its slashes and encodes everything else that RFC 3986 reserves", () => {
  expect(encodePath("a/b c/ü/!'()*~-_.=:+%")).toBe("a/b%20c/%C3%BC/%21%27%28%29%2A~-_.%3D%3A%2B%25");
});
