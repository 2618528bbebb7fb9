// What can go wrong below HTTP's answers: silence at each stage, slowness, cuts, lengths that lie, TLS, proxies.

import { type ChildProcess, execFile, execFileSync, spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { TLSSocket } from "node:tls";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { afterEach, describe, expect, test, vi } from "vitest";
import { makeCertificate } from "../../s3-client/test/certificate.ts";
import { type ObjectStore, openStore, type StoreLocation, type StoreOptions } from "../src/index.ts";
import { failureOf } from "./contract.ts";
import { type FakeAnswer, type FakeS3, type FakeS3Options, startFakeS3 } from "./fake-s3.ts";

const text = (value: string): Uint8Array => new TextEncoder().encode(value);
const MANY = Number.POSITIVE_INFINITY;

/** Silence that a test waits for. Long enough for a loaded machine to answer in. */
const SHORT = { connectTimeoutMs: 700, silenceTimeoutMs: 700 };

let cleanups: (() => unknown)[] = [];

afterEach(async () => {
  for (const cleanup of cleanups.reverse()) await cleanup();
  cleanups = [];
});

async function start(options: FakeS3Options = {}): Promise<FakeS3> {
  const fake = await startFakeS3(options);
  cleanups.push(fake.close);
  return fake;
}

async function open(location: StoreLocation, options: StoreOptions = {}): Promise<ObjectStore> {
  const store = await openStore(location, { env: {}, ...options });
  cleanups.push(store.close);
  return store;
}

/** A TCP server that does to each connection what the test says. */
async function startRaw(onConnection: (socket: Socket) => void): Promise<StoreLocation> {
  const sockets = new Set<Socket>();
  const server: Server = createServer((socket) => {
    sockets.add(socket);
    socket.on("error", () => undefined);
    onConnection(socket);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  cleanups.push(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return locationAt(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
}

function locationAt(endpoint: string): StoreLocation {
  return { endpoint, region: "us-east-1", bucket: "bucket", accessKeyId: "id", secretAccessKey: "secret" };
}

/** How long `action` takes, and the error it ends in. */
async function timed(
  action: Promise<unknown>,
): Promise<{ error: Awaited<ReturnType<typeof failureOf>>; ms: number }> {
  const start = performance.now();
  const error = await failureOf(action);
  return { error, ms: performance.now() - start };
}

describe("silence", () => {
  test("before the answer ends a read, untried again, and a write with an unknown outcome", async () => {
    const fake = await start();
    const store = await open(fake.location, SHORT);
    fake.inject({ times: MANY, fault: { silence: "before" } });
    const read = await timed(store.get("key"));
    expect(read.error).toMatchObject({ code: "UNREACHABLE", landed: "no", retried: false });
    expect(read.ms).toBeGreaterThan(690);
    expect(read.ms).toBeLessThan(5000);
    expect(await failureOf(store.put("key", text("x")))).toMatchObject({
      code: "UNREACHABLE",
      landed: "unknown",
      retried: false,
    });
    expect(fake.requests).toHaveLength(2);
  });

  test("in the middle of a body, and a body that comes a byte at a time, end the same way", async () => {
    const fake = await start();
    const store = await open(fake.location, SHORT);
    await store.put("key", new Uint8Array(2000));
    for (const fault of [{ silence: "midway" as const }, { dripMs: 50 }]) {
      fake.inject({ fault });
      const { error, ms } = await timed(store.get("key"));
      expect(error).toMatchObject({ code: "UNREACHABLE" });
      expect(error.message).toContain("for 700 ms");
      expect(ms).toBeLessThan(10_000);
    }
    expect((await store.get("key"))?.size).toBe(2000);
  });

  test("is none while a slow body comes fast enough", async () => {
    const fake = await start();
    const store = await open(fake.location, { silenceTimeoutMs: 300 });
    await store.put("key", new Uint8Array(60));
    // Sixty bytes in more than the silence allowed: each byte is late, and all of them are less than a second's worth.
    fake.inject({ fault: { dripMs: 1 } });
    expect((await store.get("key"))?.size).toBe(60);
  });

  test("while the connection is made ends with a write that has certainly not landed", async () => {
    const child = await startFullBacklog();
    const store = await open(locationAt(`http://127.0.0.1:${child.port}`), {
      connectTimeoutMs: 500,
      silenceTimeoutMs: 60_000,
    });
    const { error, ms } = await timed(store.putIfAbsent("key", text("x")));
    expect(error).toMatchObject({ code: "UNREACHABLE", landed: "no" });
    expect(error.message).toContain("no connection in time");
    expect(ms).toBeLessThan(5000);
  });

  test("in the TLS handshake ends as well", async () => {
    const location = await startRaw(() => undefined);
    const store = await open(locationAt(location.endpoint.replace("http:", "https:")), SHORT);
    const { error, ms } = await timed(store.get("key"));
    expect(error).toMatchObject({ code: "UNREACHABLE" });
    expect(ms).toBeLessThan(5000);
  });

  test("of a server that takes an upload and stops reading ends too, with time for what is still on its way", async () => {
    const location = await startRaw((socket) => socket.once("data", () => socket.pause()));
    const store = await open(location, { silenceTimeoutMs: 100 });
    const { error, ms } = await timed(store.put("key", new Uint8Array(300 * 1024)));
    expect(error).toMatchObject({ code: "UNREACHABLE", landed: "unknown" });
    expect(ms).toBeGreaterThan(2000); // 300 KiB at 128 KiB a second
    expect(ms).toBeLessThan(20_000);
  });
});

describe("a cut", () => {
  test.each(["before", "midway"] as const)(
    "%s the answer is tried again, three times in all",
    async (cut) => {
      const fake = await start();
      const store = await open(fake.location);
      const body = new Uint8Array(100_000).fill(7);
      await store.put("key", body);
      fake.inject({ times: 2, fault: { cut } });
      expect((await store.get("key"))?.body).toEqual(body);
      expect(fake.requests).toHaveLength(4);
      fake.inject({ times: MANY, fault: { cut } });
      expect(await failureOf(store.get("key"))).toMatchObject({ code: "UNREACHABLE", retried: true });
      expect(fake.requests).toHaveLength(7);
    },
  );

  test("in the middle of the body says how far it came", async () => {
    const fake = await start();
    const store = await open(fake.location);
    await store.put("key", new Uint8Array(1000));
    fake.inject({ times: MANY, fault: { cut: "midway" } });
    expect((await failureOf(store.get("key"))).message).toContain("ended after 500 of 1000 bytes");
  });
});

describe("a length that is not the body's", () => {
  const declaring = (length: string) => ({
    change: (own: FakeAnswer): FakeAnswer => ({
      ...own,
      headers: { ...own.headers, "content-length": length },
    }),
  });

  test("too long: the answer is cut short, which is never passed on as an object", async () => {
    const location = await startRaw((socket) => {
      socket.once("data", () =>
        socket.end('HTTP/1.1 200 OK\r\netag: "a"\r\ncontent-length: 10\r\n\r\nshort'),
      );
    });
    const error = await failureOf((await open(location)).get("key"));
    expect(error).toMatchObject({ code: "UNREACHABLE", retried: true });
    expect(error.message).toContain("ended after 5 of 10 bytes");
  });

  test("too short: no byte more than declared is taken, and the next answer is not mixed up with the rest", async () => {
    const fake = await start();
    const store = await open(fake.location);
    await store.put("key", text("0123456789"));
    fake.inject({ fault: declaring("4") });
    expect((await store.get("key"))?.body).toEqual(text("0123"));
    expect((await store.get("key"))?.body).toEqual(text("0123456789"));
  });

  test("beyond maxBytes: refused by what it says, before any of it is taken", async () => {
    const fake = await start();
    const store = await open(fake.location);
    await store.put("key", text("0123456789"));
    fake.inject({ fault: declaring(String(2 ** 40)) });
    expect(await failureOf(store.get("key", { maxBytes: 100 }))).toMatchObject({ code: "TOO_LARGE" });
    fake.inject({ fault: declaring(String(2 ** 40)) });
    expect(await failureOf(store.get("key"))).toMatchObject({ code: "TOO_LARGE" });
  });

  test("not declared at all: maxBytes holds for what comes", async () => {
    const location = await startRaw((socket) => {
      socket.once("data", () => {
        socket.write('HTTP/1.1 200 OK\r\netag: "a"\r\ntransfer-encoding: chunked\r\n\r\n');
        const chunk = `10000\r\n${"x".repeat(0x10000)}\r\n`;
        const pour = (): void => {
          while (!socket.destroyed && socket.write(chunk));
        };
        socket.on("drain", pour);
        pour();
      });
    });
    expect(await failureOf((await open(location)).get("key", { maxBytes: 1_000_000 }))).toMatchObject({
      code: "TOO_LARGE",
    });
  });
});

describe("no server", () => {
  test("says so when nothing listens, and a write has not landed", async () => {
    const store = await open(locationAt("http://127.0.0.1:9"));
    const error = await failureOf(store.put("key", text("x")));
    expect(error).toMatchObject({ code: "UNREACHABLE", landed: "no", cause: { code: "ECONNREFUSED" } });
    expect(error.message).toContain("nothing listens there");
  });

  test("says so when its name is not known", async () => {
    const store = await open(locationAt("http://name.invalid"));
    const error = await failureOf(store.put("key", text("x")));
    expect(error).toMatchObject({ code: "UNREACHABLE", landed: "no", retried: error.retried });
    expect(error.message).toMatch(/DNS/);
  });

  test("says so when it speaks TLS where HTTP was expected, and the other way round", async () => {
    const tls = makeCertificate({ name: "test", hosts: ["127.0.0.1"] });
    const secure = await start({ tls });
    const plain = await start();
    const swap = (fake: FakeS3, from: string, to: string): StoreLocation => ({
      ...fake.location,
      endpoint: fake.endpoint.replace(from, to),
    });
    expect((await failureOf((await open(swap(secure, "https", "http"))).get("key"))).hint).toMatch(
      /https:\/\/|network/,
    );
    const error = await failureOf((await open(swap(plain, "http", "https"))).putIfAbsent("key", text("x")));
    expect(error).toMatchObject({ code: "UNREACHABLE", landed: "no" });
    expect(error.message).toContain("does not speak TLS");
  });
});

describe("an established connection", () => {
  // A load balancer that drops out of TLS, when the request has gone through: the error is named as if none had.
  test.each(["TLSv1.2", "TLSv1.3"] as const)(
    "that speaks no %s any more after the request may have brought it home",
    async (version) => {
      const { key, cert } = makeCertificate({ name: "self", hosts: ["127.0.0.1"] });
      vi.stubEnv("NODE_TLS_REJECT_UNAUTHORIZED", "0");
      cleanups.push(() => vi.unstubAllEnvs());
      const { endpoint, ...location } = await startRaw((raw) => {
        const secure = new TLSSocket(raw, { isServer: true, maxVersion: version, key, cert });
        secure.on("error", () => undefined);
        secure.on("data", (chunk) => {
          if (chunk.includes("the body")) raw.write("HTTP/1.1 502 Bad Gateway\r\ncontent-length: 0\r\n\r\n");
        });
      });
      const store = await open({ ...location, endpoint: endpoint.replace("http:", "https:") }, SHORT);
      expect(await failureOf(store.putIfAbsent("key", text("the body")))).toMatchObject({
        code: "UNREACHABLE",
        landed: "unknown",
      });
    },
  );

  test("an acknowledgement of what was not sent yet is none", async () => {
    const location = await startRaw((socket) => {
      socket.once("data", () => {
        socket.pause();
        socket.write('HTTP/1.1 200 OK\r\netag: "0"\r\ncontent-length: 0\r\n\r\n');
      });
    });
    const store = await open(location, SHORT);
    const error = await failureOf(store.put("key", new Uint8Array(64 * 1024 * 1024)));
    expect(error).toMatchObject({ code: "UNREACHABLE", landed: "unknown" });
  });

  test("is not made anew for a store that was closed", async () => {
    let connections = 0;
    const location = await startRaw((socket) => {
      connections++;
      socket.once("data", () => socket.resetAndDestroy());
    });
    const store = await open(location);
    const failure = failureOf(store.put("key", text("x")));
    await expect.poll(() => connections).toBe(1);
    await store.close();
    await failure;
    expect(connections).toBe(1);
  });
});

test("credentials that no request can carry are named, not the network", async () => {
  const store = await open({ ...locationAt("http://127.0.0.1:9"), accessKeyId: "id\n" });
  expect(await failureOf(store.get("key"))).toMatchObject({
    code: "REJECTED",
    hint: expect.stringContaining("line break"),
  });
});

describe("TLS", () => {
  const now = Date.now();
  const day = 86_400_000;
  const ca = makeCertificate({ name: "An authority of one's own", ca: true });
  const good = makeCertificate({ name: "server", hosts: ["127.0.0.1"], issuer: ca });

  test.each([
    [
      "self-signed",
      makeCertificate({ name: "self", hosts: ["127.0.0.1"] }),
      "self-signed",
      "NODE_EXTRA_CA_CERTS",
    ],
    ["signed by an unknown authority", good, "unknown authority", "NODE_EXTRA_CA_CERTS"],
    [
      "expired",
      makeCertificate({
        name: "old",
        hosts: ["127.0.0.1"],
        notBefore: new Date(now - 9 * day),
        notAfter: new Date(now - day),
      }),
      /expired|self-signed/,
      /clock|NODE_EXTRA_CA_CERTS/,
    ],
  ])("with a certificate that is %s sends nothing, and says what it is", async (_, tls, why, hint) => {
    const fake = await start({ tls });
    const error = await failureOf((await open(fake.location)).putIfAbsent("key", text("x")));
    expect(error).toMatchObject({ code: "UNREACHABLE", landed: "no", retried: false });
    expect(error.message).toMatch(why);
    expect(error.hint).toMatch(hint);
    expect(fake.requests).toEqual([]);
  });

  test.each([
    ["its own", good, "42 3"],
    [
      "one for another host",
      makeCertificate({ name: "other", hosts: ["example.com"], issuer: ca }),
      "for another host",
    ],
    [
      "an expired one",
      makeCertificate({
        name: "old",
        hosts: ["127.0.0.1"],
        issuer: ca,
        notBefore: new Date(now - 9 * day),
        notAfter: new Date(now - day),
      }),
      "has expired",
    ],
  ])("with an authority in NODE_EXTRA_CA_CERTS accepts %s, or says why not", async (_, tls, outcome) => {
    const fake = await start({ tls });
    const folder = mkdtempSync(join(tmpdir(), "vsync-ca-"));
    cleanups.push(() => rmSync(folder, { recursive: true }));
    writeFileSync(join(folder, "ca.pem"), ca.cert);
    const { stdout } = await runProcess(fake, { NODE_EXTRA_CA_CERTS: join(folder, "ca.pem") });
    expect(stdout).toContain(outcome);
  });
});

describe("a proxy in the environment", () => {
  test("is not used, and is named when the server cannot be reached without it", async () => {
    let connections = 0;
    const proxy = await startRaw(() => connections++);
    const env = { HTTP_PROXY: proxy.endpoint, https_proxy: proxy.endpoint };
    const http = await failureOf((await open(locationAt("http://127.0.0.1:9"), { env })).get("key"));
    expect(http.hint).toContain("HTTP_PROXY is set, but vsync connects directly");
    const https = await failureOf((await open(locationAt("https://127.0.0.1:9"), { env })).get("key"));
    expect(https.hint).toContain("https_proxy is set");
    expect(connections).toBe(0);
    const fake = await start();
    expect(await (await open(fake.location, { env })).get("key")).toBeNull();
  });
});

describe("in a process of its own", () => {
  test("nothing is said on stderr, and nothing keeps the process from ending, even unclosed", async () => {
    const fake = await start();
    const { stdout, stderr } = await runProcess(fake, {});
    expect({ stdout, stderr }).toEqual({ stdout: "42 3\n", stderr: "" });
  });

  test("what the environment and ~/.aws say to AWS tools changes nothing", async () => {
    const home = mkdtempSync(join(tmpdir(), "vsync-home-"));
    cleanups.push(() => rmSync(home, { recursive: true }));
    // Whoever opens this waits for ever.
    execFileSync("mkfifo", [join(home, "fifo")]);
    const fake = await start({ profile: "ceph16" });
    const { stdout } = await runProcess(fake, {
      AWS_CONFIG_FILE: join(home, "fifo"),
      AWS_SHARED_CREDENTIALS_FILE: join(home, "fifo"),
      AWS_REGION: "xx-nowhere-2",
      AWS_ENDPOINT_URL: "http://127.0.0.1:9",
      AWS_ENDPOINT_URL_S3: "http://127.0.0.1:9",
      AWS_USE_DUALSTACK_ENDPOINT: "true",
      AWS_REQUEST_CHECKSUM_CALCULATION: "WHEN_SUPPORTED",
      AWS_SDK_UA_APP_ID: "somebody-else",
      AWS_MAX_ATTEMPTS: "9",
      AWS_ACCESS_KEY_ID: "SOMEBODYELSE",
      AWS_SECRET_ACCESS_KEY: "else",
      AWS_SESSION_TOKEN: "else",
    });
    expect(stdout).toBe("42 3\n");
    expect(fake.requests).toHaveLength(3);
    for (const { headers } of fake.requests) {
      expect(headers.authorization).toContain("/us-east-1/s3/");
      expect(Object.keys(headers).filter((name) => name.includes("checksum"))).toEqual([]);
      expect(JSON.stringify(headers)).not.toMatch(/somebody-else|SOMEBODYELSE|xx-nowhere/i);
    }
  });
});

test("an upload that is refused at once is not sent", async () => {
  let received = 0;
  const location = await startRaw((socket) => {
    socket.on("data", (data) => {
      if (received === 0) socket.write("HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\n\r\n");
      received += data.length;
    });
  });
  const body = new Uint8Array(40 * 1024 * 1024);
  expect(await failureOf((await open(location)).put("key", body))).toMatchObject({
    code: "ACCESS_DENIED",
    landed: "no",
  });
  expect(received).toBeLessThan(body.length / 2);
});

/** A store in another process: puts, gets and heads, and prints what came of it. */
function runProcess(fake: FakeS3, env: Record<string, string>): Promise<{ stdout: string; stderr: string }> {
  const program = fileURLToPath(new URL("./s3-process.ts", import.meta.url));
  return promisify(execFile)(process.execPath, ["--import", "tsx", program, JSON.stringify(fake.location)], {
    env: { PATH: process.env.PATH, HOME: process.env.HOME, ...env },
    timeout: 60_000,
  });
}

/** A port that lets nobody in: its process is stopped, and the kernel's queue of connections for it is full. */
async function startFullBacklog(): Promise<{ port: number }> {
  const program = `require("node:net").createServer().listen({port:0,host:"127.0.0.1",backlog:1},function(){console.log(this.address().port)})`;
  const child: ChildProcess = spawn(process.execPath, ["-e", program], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  cleanups.push(() => child.kill("SIGKILL"));
  const port = Number(
    await new Promise((resolve) => createInterface({ input: child.stdout! }).once("line", resolve)),
  );
  child.kill("SIGSTOP");
  for (;;) {
    const socket = connect(port, "127.0.0.1");
    cleanups.push(() => socket.destroy());
    const connected = await Promise.race([
      new Promise<boolean>((resolve) => socket.once("connect", () => resolve(true))),
      new Promise<boolean>((resolve) => setTimeout(resolve, 300, false)),
    ]);
    if (!connected) return { port };
  }
}
