// Failures before there is a whole answer, from servers that misbehave for real.

import { writeFileSync } from "node:fs";
import { createServer as createTlsServer } from "node:https";
import type { Socket } from "node:net";
import { join } from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import { openWith } from "../src/index.ts";
import { type BuiltReader, buildReader, runModule } from "./built-reader.ts";
import { makeCertificate } from "./certificate.ts";
import { onRequest, serveRaw, watch } from "./raw-server.ts";
import { blob, makeVault, PASSPHRASE, PREFIX, type TestObject } from "./vault-fixture.ts";

const vault = await makeVault();
const manifest = vault.objects.get(`${PREFIX}manifest`) as TestObject;
const bundle = [...vault.objects].find(([key]) => key.includes("v="))?.[1] as TestObject;

async function failureAt(endpoint: string): Promise<Error & { code: string }> {
  const opening = openWith({ config: await blob(vault, { endpoint }), passphrase: PASSPHRASE });
  return opening.then(
    () => expect.unreachable(),
    (error) => error,
  );
}

async function failureWith(converse: (socket: Socket) => void) {
  await using server = await serveRaw(converse);
  const error = await failureAt(`http://127.0.0.1:${server.port}`);
  await server.idle();
  return error;
}

function expectUnreachable(error: Error & { code: string }, message: RegExp, causes?: string): void {
  expect(error).toMatchObject({ name: "S3UnreachableError", code: "VSYNC_S3_UNREACHABLE" });
  expect(error.message).toMatch(message);
  // The cause says what the system said, and neither host nor address.
  if (causes !== undefined) expect((error.cause as Error).message).toBe(causes);
  expect(`${error.message} ${(error.cause as Error | undefined)?.message}`).not.toMatch(
    /127\.0\.0\.1|invalid/,
  );
}

test("a name that does not resolve", async () => {
  // RFC 6761: .invalid never does. Without any resolver the answer is another code, but DNS all the same.
  const error = await failureAt("https://bucket.invalid");
  expectUnreachable(error, /\(DNS\)/);
  expect((error.cause as Error).message).toMatch(/^(ENOTFOUND|EAI_AGAIN)$/);
});

test("nobody listens", async () => {
  const server = await serveRaw();
  const { port } = server;
  await server[Symbol.asyncDispose]();
  expectUnreachable(await failureAt(`http://127.0.0.1:${port}`), /connection refused/, "ECONNREFUSED");
  // A name with several addresses: Node tries them all and reports the failures together.
  expectUnreachable(await failureAt(`http://localhost:${port}`), /connection refused/, "ECONNREFUSED");
});

test("where a proxy is set that is not used, the error says so", async () => {
  const names = ["HTTPS_PROXY", "NODE_USE_ENV_PROXY"] as const;
  const before = names.map((name) => process.env[name]);
  try {
    process.env.HTTPS_PROXY = "http://user:secret@proxy.example:3128";
    const { message } = await failureAt("http://127.0.0.1:1");
    expect(message).toMatch(/; HTTPS_PROXY is set, but a proxy is used only where Node itself uses one/);
    expect(message).not.toMatch(/proxy\.example|secret/);
    process.env.NODE_USE_ENV_PROXY = "1";
    expect((await failureAt("http://127.0.0.1:1")).message).not.toContain("HTTPS_PROXY");
  } finally {
    for (const [i, name] of names.entries()) {
      if (before[i] === undefined) delete process.env[name];
      else process.env[name] = before[i];
    }
  }
});

test("the connection is closed at once", async () => {
  expectUnreachable(await failureWith((socket) => socket.end()), /cut before the answer/, "ECONNRESET");
});

test("the connection is reset on request", async () => {
  const error = await failureWith((socket) => onRequest(socket, () => socket.resetAndDestroy()));
  expectUnreachable(error, /cut before the answer/, "ECONNRESET");
});

test("what answers is not HTTP", async () => {
  const error = await failureWith((socket) => onRequest(socket, () => socket.end("SSH-2.0-OpenSSH_9.7\r\n")));
  expectUnreachable(error, /not HTTP \(HPE_\w+\); is the endpoint meant to be https/);
});

test("headers without an end", async () => {
  const error = await failureWith((socket) =>
    onRequest(socket, () => socket.write(`HTTP/1.1 200 OK\r\n${"x-filler: 0123456789\r\n".repeat(2000)}`)),
  );
  expectUnreachable(error, /HPE_HEADER_OVERFLOW/);
});

test("a protocol that nobody asked for", async () => {
  const error = await failureWith((socket) =>
    onRequest(socket, () =>
      socket.write("HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n"),
    ),
  );
  expectUnreachable(error, /HTTP 101/);
});

describe("a body that is not what was declared", () => {
  const headers = (length: number) =>
    `${Object.entries(manifest.metadata)
      .map(([name, value]) => `x-amz-meta-${name}: ${value}\r\n`)
      .join("")}content-length: ${length}\r\n`;

  test("shorter: the transfer was cut", async () => {
    const error = await failureWith((socket) =>
      onRequest(socket, () => socket.end(`HTTP/1.1 200 OK\r\n${headers(15)}\r\n2026010`)),
    );
    expectUnreachable(error, /cut before the answer/, "ECONNRESET");
  });

  test("reset in the middle of the bundle", async () => {
    const error = await failureWith((socket) =>
      onRequest(socket, (head) => {
        if (head.includes("/manifest")) {
          socket.write(`HTTP/1.1 200 OK\r\n${headers(15)}\r\n`);
          socket.write(manifest.body);
          return;
        }
        socket.write(`HTTP/1.1 200 OK\r\ncontent-length: ${bundle.body.length}\r\n\r\n`);
        socket.write(bundle.body.subarray(0, 100), () => socket.resetAndDestroy());
      }),
    );
    expectUnreachable(error, /cut before the answer/, "ECONNRESET");
  });

  test("longer: the bytes past the declared end are no part of it, nor of the next answer", async () => {
    const error = await failureWith((socket) =>
      onRequest(socket, (head) => {
        if (!head.includes("/manifest")) return socket.destroy();
        socket.write(`HTTP/1.1 200 OK\r\n${headers(15)}\r\n${Buffer.from(manifest.body)}and something more`);
      }),
    );
    expectUnreachable(error, /cut before the answer|not HTTP/);
  });

  test("chunks that break off", async () => {
    const error = await failureWith((socket) =>
      onRequest(socket, () =>
        socket.end("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\n20260\r\n"),
      ),
    );
    expectUnreachable(error, /cut before the answer/, "ECONNRESET");
  });

  test("both a length and chunks", async () => {
    const error = await failureWith((socket) =>
      onRequest(socket, () =>
        socket.write(
          "HTTP/1.1 200 OK\r\ncontent-length: 15\r\ntransfer-encoding: chunked\r\n\r\n5\r\n20260\r\n0\r\n\r\n",
        ),
      ),
    );
    expectUnreachable(error, /not HTTP/);
  });
});

test("in chunks and without a length a vault is read all the same", async () => {
  const answer = (object: TestObject) => {
    const lines = Object.entries(object.metadata).map(([name, value]) => `X-Amz-Meta-${name}: ${value}\r\n`);
    const body = Buffer.from(object.body).toString("latin1");
    const chunks = body.match(/.{1,7}/gs) ?? [];
    const chunked = chunks.map((chunk) => `${chunk.length.toString(16)}\r\n${chunk}\r\n`).join("");
    return `HTTP/1.1 200 OK\r\n${lines.join("")}Transfer-Encoding: chunked\r\n\r\n${chunked}0\r\n\r\n`;
  };
  await using server = await serveRaw((socket) =>
    onRequest(socket, (head) => {
      socket.write(answer(head.includes("/manifest") ? manifest : bundle), "latin1");
    }),
  );
  const config = await blob(vault, { endpoint: `http://127.0.0.1:${server.port}` });
  await using v = await openWith({ config, passphrase: PASSPHRASE });
  expect(v.getEnv("DATABASE_URL")).toBe("postgres://db");
});

describe("TLS", () => {
  const authority = makeCertificate({ name: "vsync test CA", ca: true });
  const good = makeCertificate({ name: "good", hosts: ["127.0.0.1"], issuer: authority });

  async function serveTls({ cert, key }: { cert: string; key: string }) {
    const server = createTlsServer({ cert, key }, (request, response) => {
      const object = vault.objects.get(decodeURIComponent(request.url ?? "").replace("/test-bucket/", ""));
      if (object === undefined) return response.writeHead(404).end();
      for (const [name, value] of Object.entries(object.metadata))
        response.setHeader(`x-amz-meta-${name}`, value);
      response.end(object.body);
    });
    server.on("tlsClientError", () => {});
    return watch(server, () => {});
  }

  const yesterday = new Date(Date.now() - 86_400_000);
  const lastWeek = new Date(Date.now() - 7 * 86_400_000);
  const tomorrow = new Date(Date.now() + 86_400_000);
  const nextWeek = new Date(Date.now() + 7 * 86_400_000);
  const ours = { issuer: authority, hosts: ["127.0.0.1"] };

  test.each([
    [
      "self-signed",
      { name: "self", hosts: ["127.0.0.1"] },
      "DEPTH_ZERO_SELF_SIGNED_CERT",
      /self-signed.*NODE_EXTRA_CA_CERTS/,
    ],
    [
      "of an unknown CA",
      { name: "good", ...ours },
      "UNABLE_TO_VERIFY_LEAF_SIGNATURE",
      /does not know.*NODE_EXTRA_CA_CERTS/,
    ],
  ])("a certificate that is %s", async (_what, options, cause, message) => {
    await using server = await serveTls(makeCertificate(options));
    expectUnreachable(await failureAt(`https://127.0.0.1:${server.port}`), message, cause);
  });

  describe("with a CA of one's own in NODE_EXTRA_CA_CERTS", () => {
    let reader: BuiltReader;
    let extra: string;
    beforeAll(async () => {
      reader = await buildReader();
      extra = join(reader.folder, "ca.pem");
      writeFileSync(extra, authority.cert);
    });

    async function openInChild(port: number): Promise<string> {
      const config = await blob(vault, { endpoint: `https://127.0.0.1:${port}` });
      const { stdout, code } = await runModule(
        `const { openWith } = await import(${JSON.stringify(reader.node)});
         const { config, passphrase } = JSON.parse(process.env.INPUTS);
         const text = (error) => [error.name, error.message, error.cause?.message].join("|");
         process.stdout.write(await openWith({ config, passphrase }).then((v) => v.getEnv("DATABASE_URL"), text));`,
        { env: { NODE_EXTRA_CA_CERTS: extra, INPUTS: JSON.stringify({ config, passphrase: PASSPHRASE }) } },
      );
      expect(code).toBe(0);
      return stdout;
    }

    test("its certificate is good", async () => {
      await using server = await serveTls(good);
      expect(await openInChild(server.port)).toBe("postgres://db");
    });

    test.each([
      ["expired", { notBefore: lastWeek, notAfter: yesterday }, "CERT_HAS_EXPIRED", /has expired; .*clock/],
      [
        "not valid yet",
        { notBefore: tomorrow, notAfter: nextWeek },
        "CERT_NOT_YET_VALID",
        /not valid yet.*clock/,
      ],
      ["for another name", { hosts: ["example.com"] }, "ERR_TLS_CERT_ALTNAME_INVALID", /for another name/],
    ])("one that is %s is not", async (_what, options, cause, message) => {
      await using server = await serveTls(makeCertificate({ name: "bad", ...ours, ...options }));
      const said = await openInChild(server.port);
      expect(said).toMatch(/^S3UnreachableError\|/);
      expect(said).toMatch(message);
      expect(said.split("|").at(-1)).toBe(cause);
    });
  });

  test("https where plain HTTP is spoken, and the reverse", async () => {
    await using plain = await serveRaw((socket) => socket.end("HTTP/1.1 400 Bad Request\r\n\r\n"));
    const error = await failureAt(`https://127.0.0.1:${plain.port}`);
    expectUnreachable(error, /meant to be http:\/\//);
    await using tls = await serveTls(good);
    expectUnreachable(await failureAt(`http://127.0.0.1:${tls.port}`), /meant to be https:|cut before/);
  });
});
