// HTTP on Node, Bun and Deno: node:http or node:https, whichever the endpoint needs. The first touch of the global
// `fetch` costs some 40 ms there, more than a tenth of the key derivation.

import type { Agent, AgentOptions, IncomingMessage } from "node:http";
import { connectionFailed } from "./network-failure.ts";
import {
  bodyLimit,
  collectBody,
  declaredLength,
  type S3Answer,
  type S3Request,
  type Transport,
} from "./transport.ts";
import { openTransport as openFetch } from "./transport-web.ts";

export { openFolder } from "./folder-node.ts";

/** `fetch`, when given, is used instead. */
export async function openTransport(endpoint: URL, fetch?: typeof globalThis.fetch): Promise<Transport> {
  if (fetch !== undefined) return openFetch(endpoint, fetch);
  const http = await (endpoint.protocol === "https:" ? import("node:https") : loadHttp());
  const agent = new http.Agent(agentOptions(http.globalAgent));
  const connection = {
    agent,
    protocol: endpoint.protocol,
    // URLs write IPv6 addresses in brackets, sockets do not.
    hostname: endpoint.hostname.replace(/^\[|\]$/g, ""),
    port: endpoint.port,
  };

  function send({ method, path, headers, maxBytes, signal }: S3Request): Promise<S3Answer> {
    return new Promise((resolve, reject) => {
      const options = { ...connection, method, path, headers: { ...headers, host: endpoint.host }, signal };
      const outgoing = http.request(options);
      outgoing.on("response", (incoming) => {
        readAnswer(incoming, maxBytes).then(resolve, (error) => reject(connectionFailed(error)));
      });
      // Without a listener such a request would never come to an end.
      outgoing.on("upgrade", (_incoming, socket) => {
        socket.destroy();
        resolve({ status: 101, headers: new Map(), body: null, filtered: false });
      });
      outgoing.on("error", (error) => reject(connectionFailed(error)));
      outgoing.end();
    });
  }

  return { send, close: () => agent.destroy() };
}

/**
 * node:http as `require` has it. Imported, it would give all its exports their values, and with one of them load the
 * WebSocket client of Node 22.5 and later: some 20 ms. Releases without `getBuiltinModule` have no such export.
 */
async function loadHttp(): Promise<typeof import("node:http")> {
  return process.getBuiltinModule?.("node:http") ?? import("node:http");
}

async function readAnswer(incoming: IncomingMessage, maxBytes: number): Promise<S3Answer> {
  const status = incoming.statusCode ?? 0;
  const headers = new Map<string, string>();
  for (const [name, value] of Object.entries(incoming.headers)) {
    if (typeof value === "string") headers.set(name, value);
  }
  const declared = declaredLength(headers.get("content-length"));
  const body = await collectBody(incoming, declared, bodyLimit(status, maxBytes));
  return { status, headers, body, filtered: false };
}

/** A proxy is used where Node itself uses one: from 24.5 on, with NODE_USE_ENV_PROXY=1. */
function agentOptions(globalAgent: Agent): AgentOptions {
  const { proxyEnv } = (globalAgent as { options?: { proxyEnv?: unknown } }).options ?? {};
  return { keepAlive: true, ...(proxyEnv !== undefined && { proxyEnv }) };
}
