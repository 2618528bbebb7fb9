// Answers of an S3 server that are no object, each as the error of its true cause.

import { expect, test } from "vitest";
import { openWith } from "../src/index.ts";
import { type Answer, sendError, serveS3 } from "./s3-loopback.ts";
import { blob, makeVault, PASSPHRASE, PREFIX } from "./vault-fixture.ts";

const vault = await makeVault();
const unreachable = { name: "S3UnreachableError", code: "VSYNC_S3_UNREACHABLE" };
const corrupt = { name: "BundleCorruptError", code: "VSYNC_BUNDLE_CORRUPT" };

async function failure(answer: Answer) {
  await using server = await serveS3(vault.objects, answer);
  const opening = openWith({
    config: await blob(vault, { endpoint: server.endpoint }),
    passphrase: PASSPHRASE,
  });
  const error: Error = await opening.then(
    () => expect.unreachable(),
    (reason) => reason,
  );
  await server.idle();
  return { error, asked: server.seen.length };
}

const denied =
  /may not read this object, or the object does not exist and the key may not list: .*s3:ListBucket/;
const mint = /`vsync runtime-token`/;

test.each([
  [403, "AccessDenied", denied],
  [403, "InvalidAccessKeyId", mint],
  [403, "SignatureDoesNotMatch", mint],
  [403, "SomethingElse", denied],
  [401, "Unauthorized", denied],
  [400, "AuthorizationHeaderMalformed", /region or endpoint may be wrong/],
  [400, "ExpiredToken", /session token has expired/],
  [403, "RequestTimeTooSkewed", /clock is wrong/],
  [404, "NoSuchBucket", /no such bucket/],
  [405, "MethodNotAllowed", /no answer of an S3 server to a GET/],
  [409, "OperationAborted", /no answer of an S3 server to a GET/],
  [412, "PreconditionFailed", /no answer of an S3 server to a GET/],
  [429, "TooManyRequests", /fewer requests/],
  [500, "InternalError", /it failed; try again/],
  [501, "NotImplemented", /it failed; try again/],
  [503, "SlowDown", /fewer requests/],
  [503, "ServiceUnavailable", /fewer requests/],
  [204, "", /check the endpoint/],
  [206, "", /check the endpoint/],
  [304, "", /region or endpoint may be wrong/],
])("HTTP %i %s, asked once", async (status, code, message) => {
  const { error, asked } = await failure((_request, response) => {
    if (status === 204 || status === 304) response.writeHead(status).end();
    else sendError(response, status, code);
    return true;
  });
  expect(error).toMatchObject(unreachable);
  expect(error.message).toContain(`HTTP ${status}`);
  expect(error.message).toMatch(message);
  expect(error.message).not.toContain("a message of the server");
  expect(asked).toBe(1);
});

test.each([301, 302, 303, 307, 308])(
  "HTTP %i is not followed, to another host or the same",
  async (status) => {
    let elsewhere = 0;
    await using other = await serveS3(vault.objects, () => {
      elsewhere++;
      return false;
    });
    for (const location of [
      `${other.endpoint}/test-bucket/app/prod/manifest`,
      "/test-bucket/app/prod/manifest",
    ]) {
      const { error, asked } = await failure((_request, response) => {
        response.writeHead(status, { location, "x-amz-bucket-region": "eu-central-1" }).end();
        return true;
      });
      expect(error).toMatchObject(unreachable);
      expect(error.message).toMatch(/redirects are not followed.*the bucket is in eu-central-1/);
      expect(asked).toBe(1);
    }
    expect(elsewhere).toBe(0);
  },
);

test("what a server sends back in a region or a code does not get into the message", async () => {
  const { error } = await failure((request, response) => {
    const echoed = String(request.headers.authorization).replace(/[^ -~]/g, "");
    response.writeHead(301, { "x-amz-bucket-region": echoed });
    response.end(`<Error><Code>${"A".repeat(30)}</Code></Error>`);
    return true;
  });
  expect(error.message).not.toMatch(/AKIDTEST|AAAA/);
});

test("a refused request and a clock far from the server's: the message says both", async () => {
  for (const [offset, words] of [
    [-3600_000, "60 minutes ahead of the server's"],
    [3600_000, "60 minutes behind the server's"],
  ] as const) {
    const { error } = await failure((_request, response) => {
      response.setHeader("date", new Date(Date.now() + offset).toUTCString());
      sendError(response, 403, "AccessDenied");
      return true;
    });
    expect(error.message).toMatch(denied);
    expect(error.message).toContain(words);
  }
  const { error } = await failure((_request, response) => {
    response.setHeader("date", new Date(Date.now() - 60_000).toUTCString());
    sendError(response, 403, "AccessDenied");
    return true;
  });
  expect(error.message).not.toContain("clock");
});

test("Retry-After is passed on when it is a number of seconds", async () => {
  const slowDown = (retryAfter: string) =>
    failure((_request, response) => {
      response.setHeader("retry-after", retryAfter);
      sendError(response, 503, "SlowDown");
      return true;
    });
  expect((await slowDown("30")).error.message).toContain("in 30 seconds");
  expect((await slowDown("Wed, 21 Oct 2026 07:28:00 GMT")).error.message).not.toContain("2026");
});

test("compression on the way is refused, whatever it makes of the bytes", async () => {
  const { error } = await failure((_request, response) => {
    response.setHeader("content-encoding", "gzip");
    return false;
  });
  expect(error).toMatchObject(unreachable);
  expect(error.message).toMatch(/compresses or re-encodes/);
});

test("a manifest of a gigabyte is refused unread", async () => {
  let destroyed: Promise<void> | undefined;
  const { error } = await failure((_request, response) => {
    destroyed = new Promise((resolve) => response.on("close", resolve));
    response.writeHead(200, { "content-length": 2 ** 30 });
    response.write(new Uint8Array(64));
    return true;
  });
  expect(error).toMatchObject(corrupt);
  expect(error.message).toMatch(/1024 bytes/);
  await destroyed;
});

test("a manifest without a length is refused at its first byte too many", async () => {
  const { error } = await failure((_request, response) => {
    response.writeHead(200);
    const more = () => {
      while (!response.destroyed && response.write(new Uint8Array(16 * 1024)));
      if (!response.destroyed) response.once("drain", more);
    };
    more();
    return true;
  });
  expect(error).toMatchObject(corrupt);
});

test("a bundle that declares more than the limit is refused unread", async () => {
  const { error } = await failure((request, response) => {
    if (request.url?.endsWith("manifest")) return false;
    response.writeHead(200, { "content-length": 256 * 2 ** 20 + 1 });
    response.flushHeaders();
    return true;
  });
  expect(error).toMatchObject(corrupt);
  expect(error.message).toMatch(/268435456 bytes/);
});

test("an endless error document does not keep the error from being told", async () => {
  const { error } = await failure((_request, response) => {
    response.writeHead(500);
    const more = () => {
      while (!response.destroyed && response.write(new Uint8Array(16 * 1024)));
      if (!response.destroyed) response.once("drain", more);
    };
    more();
    return true;
  });
  expect(error).toMatchObject(unreachable);
  expect(error.message).toContain("HTTP 500");
});

test("a 200 without an ETag, and one with an XML error for a bundle", async () => {
  await using server = await serveS3(vault.objects, (_request, response) => {
    const setHeader = response.writeHead.bind(response);
    response.writeHead = ((status: number, headers: Record<string, unknown>) => {
      const { etag: _etag, ...others } = headers;
      return setHeader(status, others as never);
    }) as never;
    return false;
  });
  const config = await blob(vault, { endpoint: server.endpoint });
  await using v = await openWith({ config, passphrase: PASSPHRASE });
  expect(v.getEnv("DATABASE_URL")).toBe("postgres://db");

  const { error } = await failure((request, response) => {
    if (request.url?.endsWith("manifest")) return false;
    sendError(response, 200, "InternalError");
    return true;
  });
  expect(error).toMatchObject(corrupt);
  expect(error.message).toMatch(/its digest differs/);
});

test("the errors of a HEAD: unreachable for everything but 404, which may also mean the bucket", async () => {
  let status = 200;
  await using server = await serveS3(vault.objects, (_request, response) => {
    if (status !== 200) response.writeHead(status).end();
    return status !== 200;
  });
  await using v = await openWith({
    config: await blob(vault, { endpoint: server.endpoint }),
    passphrase: PASSPHRASE,
  });
  for (status of [301, 400, 401, 403, 429, 500, 503]) {
    await expect(v.remoteGeneration()).rejects.toMatchObject(unreachable);
    await expect(v.hasNewVersion()).rejects.toThrow(`HTTP ${status}`);
  }
  status = 404;
  await expect(v.remoteGeneration()).rejects.toMatchObject({
    name: "ManifestNotFoundError",
    code: "VSYNC_MANIFEST_NOT_FOUND",
    message: expect.stringMatching(/the manifest is gone, or the bucket is/),
  });
  status = 200;
  const manifest = vault.objects.get(`${PREFIX}manifest`);
  for (const gen of ["-1", "007", "x"]) {
    vault.objects.set(`${PREFIX}manifest`, { body: new Uint8Array(15), metadata: { gen } });
    await expect(v.remoteGeneration()).rejects.toMatchObject(unreachable);
  }
  if (manifest !== undefined) vault.objects.set(`${PREFIX}manifest`, manifest);
});

test("credentials that cannot stand in a header are a damaged config, not a crash", async () => {
  for (const changes of [{ accessKeyId: "AKID\n" }, { region: "eu test" }, { sessionToken: "ü" }]) {
    const opening = openWith({ config: await blob(vault, changes), passphrase: PASSPHRASE });
    await expect(opening).rejects.toMatchObject({ ...corrupt, message: expect.stringMatching(mint) });
  }
});

test("a session token is sent, and signed", async () => {
  await using server = await serveS3(vault.objects);
  const config = await blob(vault, { endpoint: server.endpoint, sessionToken: "a/session+token==" });
  await openWith({ config, passphrase: PASSPHRASE });
  for (const { headers } of server.seen) {
    expect(headers["x-amz-security-token"]).toBe("a/session+token==");
    expect(headers.authorization).toContain("x-amz-security-token,");
  }
});
