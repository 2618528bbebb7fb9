// An S3 server reduced to what a reader asks of it: GET and HEAD over plain HTTP, each answer a given time late.

import { readFile } from "node:fs/promises";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";

export interface LatencyServer {
  /** `http://127.0.0.1:port` */
  readonly endpoint: string;
  /** How long each answer waits from now on, in milliseconds. */
  delay: number;
  close(): void;
}

/** Serves the objects of a folder bucket (docs/formats.md section 10) whose keys need no escapes. */
export async function startLatencyServer(folder: string): Promise<LatencyServer> {
  const state = { delay: 0 };
  const server: Server = createServer(async (request, response) => {
    await wait(state.delay);
    const [, , ...key] = new URL(request.url ?? "/", "http://server").pathname.split("/");
    const file = await readFile(
      join(folder, ...key.map((part) => encodeURIComponent(decodeURIComponent(part)))),
    ).catch(() => null);
    if (file === null) {
      response.writeHead(404).end();
      return;
    }
    const line = file.indexOf(0x0a);
    const { metadata, size } = JSON.parse(file.toString("utf8", 0, line)) as {
      metadata: Record<string, string>;
      size: number;
    };
    const fields = Object.entries(metadata).map(([name, value]) => [`x-amz-meta-${name}`, value]);
    response.writeHead(200, { ...Object.fromEntries(fields), "content-length": size, etag: '"0"' });
    response.end(request.method === "HEAD" ? undefined : file.subarray(line + 1));
  });
  server.listen(0, "127.0.0.1");
  await new Promise((listening) => server.once("listening", listening));
  const { port } = server.address() as AddressInfo;
  return Object.assign(state, {
    endpoint: `http://127.0.0.1:${port}`,
    close: () => {
      server.close();
      server.closeAllConnections();
    },
  });
}
