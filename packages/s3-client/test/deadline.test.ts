// timeoutMs and signal bound the whole of an opening, wherever it stands still, and nothing stays behind.

import { spawn } from "node:child_process";
import { getEventListeners, once } from "node:events";
import { connect } from "node:net";
import { beforeAll, beforeEach, describe, expect, test, vi } from "vitest";
import { OpenVault } from "../src/handle.ts";
import { type OpenWithOptions, openWith } from "../src/index.ts";
import { type BuiltReader, buildReader, runModule } from "./built-reader.ts";
import { onRequest, type RawServer, serveRaw } from "./raw-server.ts";
import { serveS3 } from "./s3-loopback.ts";
import {
  blob,
  folderEndpoint,
  makeRotatedVault,
  makeVault,
  PASSPHRASE,
  PREFIX,
  type TestObject,
} from "./vault-fixture.ts";

const vault = await makeVault();
const manifest = vault.objects.get(`${PREFIX}manifest`) as TestObject;
const manifestHead = `HTTP/1.1 200 OK\r\ncontent-length: 15\r\n${Object.entries(manifest.metadata)
  .map(([name, value]) => `x-amz-meta-${name}: ${value}\r\n`)
  .join("")}\r\n`;

const unreachable = { name: "S3UnreachableError", code: "VSYNC_S3_UNREACHABLE" };

let reader: BuiltReader;
beforeAll(async () => {
  reader = await buildReader();
});

/** Servers that stop at some point, and the stage that the message has to name. */
const stills: readonly (readonly [
  what: string,
  server: () => Promise<RawServer>,
  scheme: string,
  stage: string,
])[] = [
  ["at the TLS handshake", () => serveRaw(), "https", "fetching the manifest"],
  ["instead of an answer", () => serveRaw(), "http", "fetching the manifest"],
  [
    "in the middle of the headers",
    () => serveRaw((socket) => onRequest(socket, () => socket.write("HTTP/1.1 200 OK\r\nconte"))),
    "http",
    "fetching the manifest",
  ],
  [
    "in the middle of the manifest",
    () => serveRaw((socket) => onRequest(socket, () => socket.write(`${manifestHead}2026`))),
    "http",
    "fetching the manifest",
  ],
  [
    "one byte at a time",
    () =>
      serveRaw((socket) =>
        onRequest(socket, () => {
          socket.write("HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n");
          const drip = setInterval(() => socket.write("x"), 20);
          socket.on("close", () => clearInterval(drip));
        }),
      ),
    "http",
    "fetching the manifest",
  ],
  [
    "instead of the bundle",
    () =>
      serveRaw((socket) =>
        onRequest(socket, (head) => {
          if (head.includes("/manifest")) socket.write(`${manifestHead}${Buffer.from(manifest.body)}`);
        }),
      ),
    "http",
    "fetching the bundle",
  ],
  [
    "in the middle of the bundle",
    () =>
      serveRaw((socket) =>
        onRequest(socket, (head) => {
          if (head.includes("/manifest")) socket.write(`${manifestHead}${Buffer.from(manifest.body)}`);
          else socket.write("HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\nRQE1");
        }),
      ),
    "http",
    "fetching the bundle",
  ],
];

describe.each(stills)("a server that is silent %s", (_what, serve, scheme, stage) => {
  test("time runs out, and the connection is closed", async () => {
    await using server = await serve();
    const config = await blob(vault, { endpoint: `${scheme}://127.0.0.1:${server.port}` });
    const opening = openWith({ config, passphrase: PASSPHRASE, timeoutMs: 1000 });
    await expect(opening).rejects.toMatchObject({
      ...unreachable,
      message: expect.stringMatching(new RegExp(`after 1000 ms while ${stage}; .*timeoutMs`)),
    });
    await server.idle();
  });

  test("the caller's signal ends it at once, and the connection is closed", async () => {
    await using server = await serve();
    const config = await blob(vault, { endpoint: `${scheme}://127.0.0.1:${server.port}` });
    const controller = new AbortController();
    const { signal } = controller;
    const opening = openWith({ config, passphrase: PASSPHRASE, signal, timeoutMs: 50_000 });
    await server.connection();
    const reason = new Error("shutting down");
    controller.abort(reason);
    await expect(opening).rejects.toMatchObject({ ...unreachable, cause: reason });
    await server.idle();
    expect(getEventListeners(signal, "abort")).toHaveLength(0);
  });

  test("the process exits by itself", async () => {
    await using server = await serve();
    const config = await blob(vault, { endpoint: `${scheme}://127.0.0.1:${server.port}` });
    expect(await openInChild({ config, timeoutMs: 400 })).toBe("S3UnreachableError");
    await server.idle();
  });
});

/** In a process of its own, which has to come to its end without being told; the test's own time limit is the judge. */
async function openInChild(options: Partial<OpenWithOptions>, before = ""): Promise<string> {
  const source = `${before}
    const { openWith } = await import(${JSON.stringify(reader.node)});
    const options = ${JSON.stringify({ passphrase: PASSPHRASE, ...options })};
    process.stdout.write(await openWith(options).then((v) => v.getEnv("DATABASE_URL"), (error) => error.name));`;
  const { stdout, code } = await runModule(source);
  expect(code).toBe(0);
  return stdout;
}

test("silence of the name server: time runs out", async () => {
  const before = `
    import dns from "node:dns";
    import { syncBuiltinESMExports } from "node:module";
    dns.lookup = () => {};
    syncBuiltinESMExports();`;
  const config = await blob(vault, { endpoint: "http://bucket.example" });
  expect(await openInChild({ config, timeoutMs: 400 }, before)).toBe("S3UnreachableError");
});

test("silence at connect: time runs out", async () => {
  // A stopped process accepts nothing; when its queue is full the system answers no further SYN.
  const child = spawn(process.execPath, [
    "-e",
    `const server = require("node:net").createServer().listen({ port: 0, host: "127.0.0.1", backlog: 1 }, () => {
       process.stdout.write(String(server.address().port), () => process.kill(process.pid, "SIGSTOP"));
     });`,
  ]);
  const port = Number(String(await once(child.stdout, "data")));
  const fillers = Array.from({ length: 8 }, () => connect(port, "127.0.0.1").on("error", () => {}));
  try {
    await Promise.race(fillers.map((filler) => once(filler, "connect")));
    const config = await blob(vault, { endpoint: `http://127.0.0.1:${port}` });
    const opening = openWith({ config, passphrase: PASSPHRASE, timeoutMs: 400 });
    await expect(opening).rejects.toMatchObject({
      ...unreachable,
      message: expect.stringContaining("time ran out"),
    });
    expect(await openInChild({ config, timeoutMs: 400 })).toBe("S3UnreachableError");
  } finally {
    for (const filler of fillers) filler.destroy();
    child.kill("SIGKILL");
  }
});

test("a key derivation longer than the time given", async () => {
  // The deadline is the only timer that a test holds in its hand: HTTP has its own.
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
  try {
    let bundleAsked = () => {};
    const waiting = new Promise<void>((resolve) => {
      bundleAsked = resolve;
    });
    await using server = await serveS3(vault.objects, ({ url = "" }) => {
      if (url.endsWith("/manifest")) return false;
      bundleAsked();
      return true;
    });
    const slow = { ...vault, config: { ...vault.config, iterations: 3_000_000 } };
    const config = await blob(slow, { endpoint: server.endpoint });
    const opening = openWith({ config, passphrase: PASSPHRASE, timeoutMs: 1000 });
    opening.catch(() => {});
    await waiting;
    vi.advanceTimersByTime(1000);
    await expect(opening).rejects.toMatchObject({
      ...unreachable,
      message: expect.stringMatching(/after 1000 ms while deriving the key; .*timeoutMs/),
    });
    await server.idle();
  } finally {
    vi.useRealTimers();
  }
});

test("cancelled while the key is derived: at once, and the process exits by itself when it is", async () => {
  const { stdout, code } = await runModule(
    `import crypto from "node:crypto";
     import { syncBuiltinESMExports } from "node:module";
     const controller = new AbortController();
     const { pbkdf2 } = crypto;
     crypto.pbkdf2 = (...args) => {
       const done = args.pop();
       pbkdf2(...args, (...result) => { console.log("derived"); done(...result); });
       controller.abort();
     };
     syncBuiltinESMExports();
     const { openWith } = await import(${JSON.stringify(reader.node)});
     const opening = openWith({ ...JSON.parse(process.env.OPTIONS), signal: controller.signal });
     await opening.catch((error) => console.log(error.name));`,
    { env: { OPTIONS: JSON.stringify({ config: await blob(vault), passphrase: PASSPHRASE }) } },
  );
  expect(stdout).toBe("S3UnreachableError\nderived\n");
  expect(code).toBe(0);
});

test("an opening that succeeds leaves nothing behind either: the process exits by itself", async () => {
  await using server = await serveS3(vault.objects);
  const config = await blob(vault, { endpoint: server.endpoint });
  expect(await openInChild({ config })).toBe("postgres://db");
  await server.idle();
});

test("a signal that is aborted already: nothing is begun", async () => {
  await using server = await serveS3(vault.objects);
  const config = await blob(vault, { endpoint: server.endpoint });
  const reason = new Error("never mind");
  const opening = openWith({ config, passphrase: PASSPHRASE, signal: AbortSignal.abort(reason) });
  await expect(opening).rejects.toMatchObject({ ...unreachable, cause: reason });
  expect(server.accepted()).toBe(0);
});

test("cancelled while the inputs are read: the derivation is not begun", async () => {
  const { stdout } = await runModule(
    `import crypto from "node:crypto";
     import { syncBuiltinESMExports } from "node:module";
     crypto.pbkdf2 = () => console.log("begun");
     syncBuiltinESMExports();
     const { openWith } = await import(${JSON.stringify(reader.node)});
     const controller = new AbortController();
     const opening = openWith({ ...JSON.parse(process.env.OPTIONS), signal: controller.signal });
     controller.abort();
     await opening.catch((error) => console.log(error.name));`,
    { env: { OPTIONS: JSON.stringify({ config: await blob(vault), passphrase: PASSPHRASE }) } },
  );
  expect(stdout).toBe("S3UnreachableError\n");
});

test("a signal that outlives the opening is let go of, and no longer means anything to the vault", async () => {
  const controller = new AbortController();
  const config = await blob(vault, { endpoint: await folderEndpoint(vault.objects) });
  await using v = await openWith({ config, passphrase: PASSPHRASE, signal: controller.signal });
  expect(getEventListeners(controller.signal, "abort")).toHaveLength(0);
  controller.abort();
  expect(await v.remoteGeneration()).toBe(3);
});

test.each([0, -1, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 31])(
  "timeoutMs %s is the caller's bug",
  async (timeoutMs) => {
    const opening = openWith({ config: await blob(vault), passphrase: PASSPHRASE, timeoutMs });
    await expect(opening).rejects.toBeInstanceOf(RangeError);
  },
);

describe("cancelled when everything has been read and decrypted", () => {
  beforeEach(() => {
    const warnings = vi.spyOn(console, "warn").mockImplementation(() => {});
    return () => warnings.mockRestore();
  });

  test("the vault that nobody gets is closed", async () => {
    const { vault: rotated } = await makeRotatedVault("99991231-235959");
    await using server = await serveS3(rotated.objects);
    const config = await blob(rotated, { endpoint: server.endpoint });
    const controller = new AbortController();
    // The grace warning is the last thing before the handle is made.
    vi.mocked(console.warn).mockImplementation(() => controller.abort());
    const close = vi.spyOn(OpenVault.prototype, "close");
    await expect(
      openWith({ config, passphrase: PASSPHRASE, signal: controller.signal }),
    ).rejects.toMatchObject(unreachable);
    await vi.waitFor(() => expect(close).toHaveBeenCalledOnce());
    close.mockRestore();
  });
});
