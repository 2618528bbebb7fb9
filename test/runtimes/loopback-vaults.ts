// The vaults that the suite opens, made by the writer's half of the formats, and the server that has them: it checks
// signatures, speaks CORS, and misbehaves in the buckets that are named after it.

import { once } from "node:events";
import type { IncomingMessage, ServerResponse } from "node:http";
import { type AddressInfo, createServer } from "node:net";
import { sign } from "aws4";
import { sendError, serveS3 } from "../../packages/s3-client/test/s3-loopback.ts";
import {
  blob,
  makeVault,
  PASSPHRASE,
  type TestObject,
  type TestObjects,
  type TestVault,
  TIMESTAMP,
} from "../../packages/s3-client/test/vault-fixture.ts";
import { CANARY, FILES, type Job } from "./suite.mjs";

const SECRET = `${CANARY}/secret+Key`;
const METADATA = ["gen", "rotated-at", "sha256", "write-id", "grace", "seal"].map(
  (name) => `x-amz-meta-${name}`,
);

export interface LoopbackVaults extends AsyncDisposable {
  readonly job: Omit<Job, "traits">;
}

export async function serveVaults(): Promise<LoopbackVaults> {
  const plain = await makeVault({ files: FILES, minGen: 3 });
  const strong = await makeVault({ files: FILES, prefix: "strong/", iterations: 600_000 });
  const pushedSince = await makeVault({ files: FILES, prefix: "pushed-since/" });
  const damaged = await makeVault({ files: FILES, prefix: "damaged/" });
  const bundle = damaged.objects.get(`damaged/v=${TIMESTAMP}`) as TestObject;
  bundle.body[1000] = (bundle.body[1000] as number) ^ 1;
  const objects: TestObjects = new Map(
    [plain, strong, pushedSince, damaged].flatMap((vault) => [...vault.objects]),
  );

  let seen: string[] = [];
  const server = await serveS3(objects, (request, response) => {
    const { method = "", url = "" } = request;
    const [, bucket = ""] = url.split("/");
    allowCors(response, bucket);
    if (method === "OPTIONS") {
      response.writeHead(204).end();
      return true;
    }
    if (url === "/-/seen") {
      response.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify(seen));
      seen = [];
      return true;
    }
    seen.push(`${method} ${url}`);
    if (!isSigned(request)) {
      sendError(response, 403, "SignatureDoesNotMatch", method);
      return true;
    }
    return misbehave(bucket, request, response, objects);
  });

  const at = (vault: TestVault, changes = {}) =>
    blob(vault, { endpoint: server.endpoint, secretAccessKey: SECRET, ...changes });
  return {
    job: {
      passphrase: PASSPHRASE,
      seen: `${server.endpoint}/-/seen`,
      blobs: {
        plain: await at(plain),
        strong: await at(strong),
        pushedSince: await at(pushedSince),
        damaged: await at(damaged),
        unpushed: await at(plain, { prefix: "unpushed/" }),
        nowhere: await at(plain, { endpoint: `http://127.0.0.1:${await closedPort()}` }),
        forbidden: await at(plain, { bucket: "forbidding-bucket" }),
        cut: await at(plain, { bucket: "cutting-bucket" }),
        redirected: await at(plain, { bucket: "redirecting-bucket" }),
        silent: await at(plain, { bucket: "silent-bucket" }),
        hidden: await at(plain, { bucket: "hiding-bucket" }),
        hiddenWithoutMinGen: await at(pushedSince, { bucket: "hiding-bucket" }),
      },
    },
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  };
}

function allowCors(response: ServerResponse, bucket: string): void {
  response.setHeader("access-control-allow-origin", "*");
  response.setHeader("access-control-allow-methods", "GET, HEAD");
  // A wildcard would not cover `authorization`.
  response.setHeader(
    "access-control-allow-headers",
    "authorization, x-amz-date, x-amz-content-sha256, x-amz-security-token",
  );
  if (bucket !== "hiding-bucket") response.setHeader("access-control-expose-headers", METADATA.join(", "));
}

/** By aws4, which shares no code with the reader. */
function isSigned({ method = "", url = "", headers }: IncomingMessage): boolean {
  const names = ["host", "x-amz-date", "x-amz-content-sha256"];
  const signed = Object.fromEntries(names.map((name) => [name, String(headers[name])]));
  const request = { method, path: url, service: "s3", region: "eu-test-1", headers: signed };
  const { headers: expected = {} } = sign(request, { accessKeyId: "AKIDTEST", secretAccessKey: SECRET });
  return headers.authorization === String(expected.Authorization).replaceAll(", ", ",");
}

/** True when the request has been answered, or never will be. */
function misbehave(
  bucket: string,
  request: IncomingMessage,
  response: ServerResponse,
  objects: TestObjects,
): boolean {
  const { method = "", url = "" } = request;
  const object = objects.get(decodeURIComponent(url.slice(bucket.length + 2)));
  switch (bucket) {
    case "silent-bucket":
      return true;
    case "forbidding-bucket":
      sendError(response, 403, "AccessDenied", method);
      return true;
    case "redirecting-bucket":
      response.writeHead(307, { location: url.replace(bucket, "test-bucket") }).end();
      return true;
    case "hiding-bucket":
      sendObject(response, object as TestObject);
      return true;
    case "cutting-bucket":
      if (url.endsWith("/manifest")) sendObject(response, object as TestObject);
      else sendHalf(response, object as TestObject);
      return true;
    default:
      if (method !== "HEAD" || !url.endsWith("/pushed-since/manifest")) return false;
      response.writeHead(200, { "x-amz-meta-gen": "4", "content-length": TIMESTAMP.length }).end();
      return true;
  }
}

function sendObject(response: ServerResponse, { body, metadata }: TestObject): void {
  for (const [name, value] of Object.entries(metadata)) response.setHeader(`x-amz-meta-${name}`, value);
  response.writeHead(200, { "content-length": body.length }).end(body);
}

function sendHalf(response: ServerResponse, { body }: TestObject): void {
  response.writeHead(200, { "content-length": body.length });
  response.write(body.subarray(0, body.length / 2), () => response.destroy());
}

/** A port that nothing listens on. Not a fixed one: browsers refuse many of those themselves. */
async function closedPort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, "close");
  return port;
}
