// What the other products' SDKs ask their servers for, answered from memory over plain HTTP, each answer a given time late.

import { createServer, type IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";
import { setTimeout as wait } from "node:timers/promises";
import type { LatencyServer } from "./latency-server.ts";

export async function startSecretsServer(scalars: Readonly<Record<string, string>>): Promise<LatencyServer> {
  const state = { delay: 0 };
  const server = createServer(async (request, response) => {
    request.resume();
    await wait(state.delay);
    const body = JSON.stringify(answer(request, scalars));
    response.writeHead(200, {
      "content-type": contentType(request),
      "content-length": Buffer.byteLength(body),
    });
    response.end(body);
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

function answer({ url = "", headers }: IncomingMessage, scalars: Readonly<Record<string, string>>): unknown {
  if (headers["x-amz-target"] === "secretsmanager.GetSecretValue") {
    return { ARN: "arn:aws:secretsmanager:shop", Name: "shop", SecretString: JSON.stringify(scalars) };
  }
  if (url.startsWith("/api/v1/auth/universal-auth/login")) {
    return { accessToken: "bench", expiresIn: 7200, accessTokenMaxTTL: 7200, tokenType: "Bearer" };
  }
  if (url.startsWith("/api/v3/secrets/raw")) {
    const secrets = Object.entries(scalars).map(([secretKey, secretValue], i) => ({
      id: `id-${i}`,
      workspace: "shop",
      environment: "demo",
      version: 1,
      type: "shared",
      secretKey,
      secretValue,
      secretComment: "",
      tags: [],
    }));
    return { secrets, imports: [] };
  }
  if (url.startsWith("/v3/configs/config/secrets/download")) return scalars;
  throw new Error(`the server for comparisons does not know ${url}`);
}

function contentType({ headers }: IncomingMessage): string {
  return headers["x-amz-target"] === undefined ? "application/json" : "application/x-amz-json-1.1";
}
