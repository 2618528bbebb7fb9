// remoteGeneration and hasNewVersion: one HEAD each, a hint, and never a change of the handle.

import { expect, test } from "vitest";
import { openWith } from "../src/index.ts";
import { onRequest, serveRaw } from "./raw-server.ts";
import { serveS3 } from "./s3-loopback.ts";
import {
  blob,
  folderEndpoint,
  makeVault,
  PASSPHRASE,
  PREFIX,
  type TestObject,
  writeObjects,
} from "./vault-fixture.ts";

test("each call is exactly one HEAD of the manifest, on a connection that it closes", async () => {
  const vault = await makeVault();
  await using server = await serveS3(vault.objects);
  const config = await blob(vault, { endpoint: server.endpoint });
  await using v = await openWith({ config, passphrase: PASSPHRASE });
  await server.idle();
  for (const ask of [() => v.remoteGeneration(), () => v.hasNewVersion()]) {
    server.seen.length = 0;
    await ask();
    expect(server.seen.map(({ method, path }) => `${method} ${path}`)).toEqual([
      "HEAD /test-bucket/app/prod/manifest",
    ]);
    await server.idle();
  }
});

test("a push is seen, and nothing of the open vault changes", async () => {
  const vault = await makeVault();
  await using server = await serveS3(vault.objects);
  const config = await blob(vault, { endpoint: server.endpoint });
  await using v = await openWith({ config, passphrase: PASSPHRASE });
  expect([await v.remoteGeneration(), await v.hasNewVersion()]).toEqual([3, false]);
  const next = await makeVault({
    generation: 4,
    timestamp: "20260102-030406",
    files: { ".env.prod": "NEW=1\n" },
  });
  for (const [key, object] of next.objects) vault.objects.set(key, object);
  expect([await v.remoteGeneration(), await v.hasNewVersion()]).toEqual([4, true]);
  expect(v.generation()).toBe(3);
  expect([v.getEnv("DATABASE_URL"), v.getEnv("NEW")]).toEqual(["postgres://db", null]);
});

test("a generation that has gone down is no news", async () => {
  const vault = await makeVault();
  const endpoint = await folderEndpoint(vault.objects);
  await using v = await openWith({ config: await blob(vault, { endpoint }), passphrase: PASSPHRASE });
  const older = await makeVault({ generation: 2 });
  await writeObjects(endpoint, older.objects);
  expect([await v.remoteGeneration(), await v.hasNewVersion()]).toEqual([2, false]);
});

test("failures come through, and the vault stays open", async () => {
  const vault = await makeVault();
  const server = await serveS3(vault.objects);
  const config = await blob(vault, { endpoint: server.endpoint });
  await using v = await openWith({ config, passphrase: PASSPHRASE, timeoutMs: 5000 });
  vault.objects.delete(`${PREFIX}manifest`);
  await expect(v.hasNewVersion()).rejects.toMatchObject({ code: "VSYNC_MANIFEST_NOT_FOUND" });
  await server[Symbol.asyncDispose]();
  await expect(v.hasNewVersion()).rejects.toMatchObject({ code: "VSYNC_S3_UNREACHABLE" });
  expect(v.getEnv("DATABASE_URL")).toBe("postgres://db");
});

/** Serves the vault, and to a HEAD nothing. */
async function serveSilentHead() {
  const vault = await makeVault();
  const server = await serveRaw((socket) =>
    onRequest(socket, (head) => {
      if (head.startsWith("HEAD")) return socket.emit("asked");
      const object = vault.objects.get(
        head.includes("manifest") ? `${PREFIX}manifest` : `${PREFIX}v=${vault.timestamp}`,
      );
      const { metadata, body } = object as TestObject;
      const lines = Object.entries(metadata).map(([name, value]) => `x-amz-meta-${name}: ${value}\r\n`);
      socket.write(`HTTP/1.1 200 OK\r\n${lines.join("")}content-length: ${body.length}\r\n\r\n`);
      return socket.write(body);
    }),
  );
  const config = await blob(vault, { endpoint: `http://127.0.0.1:${server.port}` });
  return { server, config };
}

test("polling is bounded by the time given at open", async () => {
  const { server, config } = await serveSilentHead();
  await using _server = server;
  await using v = await openWith({ config, passphrase: PASSPHRASE, timeoutMs: 1500 });
  await expect(v.remoteGeneration()).rejects.toMatchObject({
    code: "VSYNC_S3_UNREACHABLE",
    message: expect.stringMatching(/after 1500 ms while asking for the manifest's generation/),
  });
  await server.idle();
});

test("close ends a poll under way, and its connection", async () => {
  const { server, config } = await serveSilentHead();
  await using _server = server;
  const v = await openWith({ config, passphrase: PASSPHRASE, timeoutMs: 50_000 });
  await server.connection();
  const poll = v.remoteGeneration();
  poll.catch(() => {});
  const socket = await server.connection();
  await new Promise((resolve) => socket.once("asked", resolve));
  await v.close();
  await expect(poll).rejects.toMatchObject({
    code: "VSYNC_S3_UNREACHABLE",
    cause: { name: "VSyncError", code: "VSYNC_CLOSED" },
  });
  await server.idle();
});
