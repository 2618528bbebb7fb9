// A small S3 server on loopback: serves a map of objects, counts what it is asked, checks signatures, and lets a test
// answer in its place.

import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import type { TestObjects } from "./vault-fixture.ts";

export interface Seen {
  readonly method: string;
  readonly path: string;
  readonly headers: IncomingMessage["headers"];
}

export interface LoopbackServer extends AsyncDisposable {
  readonly endpoint: string;
  readonly seen: Seen[];
  /** How many connections were made. */
  accepted(): number;
  /** Resolves when no connection is open any more: never, while a client keeps one. */
  idle(): Promise<void>;
}

/** Answers a request itself and returns true, or leaves it to the server. */
export type Answer = (request: IncomingMessage, response: ServerResponse, nth: number) => boolean;

export async function serveS3(
  objects: TestObjects,
  answer: Answer = () => false,
  bucket = "test-bucket",
): Promise<LoopbackServer> {
  const seen: Seen[] = [];
  const server = createServer((request, response) => {
    const { method = "", url = "", headers } = request;
    seen.push({ method, path: url, headers });
    if (answer(request, response, seen.length)) return;
    const [, asked, ...rest] = url.split("/");
    if (asked !== bucket) return sendError(response, 404, "NoSuchBucket", method);
    const object = objects.get(decodeURIComponent(rest.join("/")));
    if (object === undefined) return sendError(response, 404, "NoSuchKey", method);
    response.writeHead(200, {
      "content-length": object.body.length,
      etag: '"e"',
      ...Object.fromEntries(Object.entries(object.metadata).map(([k, v]) => [`x-amz-meta-${k}`, v])),
    });
    response.end(method === "HEAD" ? undefined : object.body);
  });
  let accepted = 0;
  const open = new Set<Socket>();
  let wake: () => void = () => {};
  server.keepAliveTimeout = 0;
  server.on("connection", (socket: Socket) => {
    accepted++;
    open.add(socket);
    socket.on("close", () => {
      open.delete(socket);
      wake();
    });
  });
  server.listen(0, "127.0.0.1");
  await new Promise((resolve) => server.once("listening", resolve));
  return {
    endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    seen,
    accepted: () => accepted,
    idle: async () => {
      while (open.size > 0) {
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
    },
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

export function sendError(response: ServerResponse, status: number, code: string, method = "GET"): void {
  const body = `<?xml version="1.0"?><Error><Code>${code}</Code><Message>a message of the server</Message></Error>`;
  response.writeHead(status, { "content-type": "application/xml", "content-length": body.length });
  response.end(method === "HEAD" ? undefined : body);
}
