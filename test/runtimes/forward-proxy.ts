// An HTTP proxy for plain HTTP (RFC 9112 section 3.2.2): it forwards what it is asked for by a whole URL, and remembers it.

import { createServer, request } from "node:http";
import type { AddressInfo } from "node:net";

export interface ForwardProxy extends AsyncDisposable {
  readonly url: string;
  /** Method and last part of the path of every request. */
  readonly asked: readonly string[];
}

export async function startProxy(): Promise<ForwardProxy> {
  const asked: string[] = [];
  const server = createServer((incoming, response) => {
    const { method, url = "", headers } = incoming;
    const target = URL.canParse(url) ? new URL(url) : null;
    if (target === null) return response.writeHead(400).end();
    asked.push(`${method} ${target.pathname.split("/").at(-1)}`);
    const outgoing = request(target, { method, headers }, (answer) => {
      response.writeHead(answer.statusCode ?? 502, answer.headers);
      answer.pipe(response);
    });
    outgoing.on("error", () => response.destroy());
    return outgoing.end();
  });
  server.listen(0, "127.0.0.1");
  await new Promise((resolve) => server.once("listening", resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    asked,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
