// The build for what has no `node:` modules, and a caller's own fetch: the same vaults, the same errors.

import { gzipSync } from "node:zlib";
import { beforeAll, describe, expect, test } from "vitest";
import * as sources from "../src/index.ts";
import { type BuiltReader, buildReader, runModule } from "./built-reader.ts";
import { onRequest, serveRaw } from "./raw-server.ts";
import { serveS3 } from "./s3-loopback.ts";
import { blob, makeRotatedVault, makeVault, PASSPHRASE, PREFIX, type TestObject } from "./vault-fixture.ts";

const nodeBootstrap: typeof import("../src/bootstrap-node.ts") = await import("../src/bootstrap-web.ts");
const nodeTransport: typeof import("../src/transport-node.ts") = await import("../src/transport-web.ts");

let built: BuiltReader;
let web: typeof sources;
beforeAll(async () => {
  built = await buildReader();
  web = await import(built.web);
});

const unreachable = { name: "S3UnreachableError", code: "VSYNC_S3_UNREACHABLE" };
const corrupt = { name: "BundleCorruptError", code: "VSYNC_BUNDLE_CORRUPT" };

/** As a browser hands over an answer of another origin: only what the bucket's CORS rules expose. */
function crossOrigin(exposed: readonly string[]): typeof fetch {
  return async (input, init) => {
    const response = await fetch(input, init);
    const headers = new Headers();
    for (const name of ["content-length", ...exposed.map((each) => `x-amz-meta-${each}`)]) {
      const value = response.headers.get(name);
      if (value !== null) headers.set(name, value);
    }
    const filtered = new Response(response.body, { status: response.status, headers });
    return Object.defineProperty(filtered, "type", { value: "cors" });
  };
}

const ALL = ["gen", "rotated-at", "sha256", "write-id", "grace", "seal"];

test("both runtimes' halves have one interface", () => {
  expect([Object.keys(nodeBootstrap).sort(), Object.keys(nodeTransport).sort()]).toEqual([
    ["environmentValue", "readInputs"],
    ["openFolder", "openTransport"],
  ]);
});

test("the web build reads what the other reads, by two GETs and a HEAD", async () => {
  const vault = await makeVault({ minGen: 1 });
  await using server = await serveS3(vault.objects);
  const config = await blob(vault, { endpoint: server.endpoint, sessionToken: "token" });
  const v = await web.openWith({ config, passphrase: PASSPHRASE, defaults: { PORT: "1" } });
  expect([v.getEnv("DATABASE_URL"), v.getEnv("PORT"), v.generation()]).toEqual(["postgres://db", "1", 3]);
  expect(new TextDecoder().decode(v.getAsContent("größe.txt"))).toBe("ü");
  expect(await v.hasNewVersion()).toBe(false);
  expect(server.seen.map(({ method, path }) => `${method} ${path}`)).toEqual([
    "GET /test-bucket/app/prod/manifest",
    "GET /test-bucket/app/prod/v%3D20260102-030405",
    "HEAD /test-bucket/app/prod/manifest",
  ]);
  for (const { headers } of server.seen) {
    expect(headers.authorization).toMatch(
      /SignedHeaders=host;x-amz-content-sha256;x-amz-date;x-amz-security-token,/,
    );
  }
});

describe.each(["the web build", "the Node build with a fetch"])("%s", (which) => {
  const openWith: typeof sources.openWith = (options) =>
    which === "the web build"
      ? web.openWith(options)
      : sources.openWith({ fetch: globalThis.fetch, ...options });

  test("uses the fetch that it is given, for polling too", async () => {
    const vault = await makeVault();
    await using server = await serveS3(vault.objects);
    const asked: unknown[] = [];
    const counting: typeof fetch = (input, init) => {
      asked.push([init?.method, init?.redirect]);
      return fetch(input, init);
    };
    const config = await blob(vault, { endpoint: server.endpoint });
    const v = await openWith({ config, passphrase: PASSPHRASE, fetch: counting });
    await v.remoteGeneration();
    expect(asked).toEqual([
      ["GET", "manual"],
      ["GET", "manual"],
      ["HEAD", "manual"],
    ]);
  });

  test("follows no redirect", async () => {
    const vault = await makeVault();
    await using other = await serveS3(vault.objects);
    await using server = await serveS3(vault.objects, (request, response) => {
      response.writeHead(307, { location: `${other.endpoint}${request.url}` }).end();
      return true;
    });
    const config = await blob(vault, { endpoint: server.endpoint });
    await expect(openWith({ config, passphrase: PASSPHRASE })).rejects.toMatchObject({
      ...unreachable,
      message: expect.stringMatching(/redirects are not followed/),
    });
    expect(other.accepted()).toBe(0);
  });

  test("takes a redirect that a browser hides for what it is", async () => {
    const opaque = Object.defineProperties(new Response(null), {
      status: { value: 0 },
      type: { value: "opaqueredirect" },
    });
    const opening = openWith({
      config: await blob(await makeVault()),
      passphrase: PASSPHRASE,
      fetch: async () => opaque,
    });
    await expect(opening).rejects.toMatchObject({
      ...unreachable,
      message: expect.stringMatching(/answered a redirect: redirects are not followed/),
    });
  });

  test("fails as unreachable when fetch does, and names the other cause that looks like it in browsers", async () => {
    const failing: typeof fetch = async () => {
      throw new TypeError("Failed to fetch https://secret-host.example");
    };
    const opening = openWith({
      config: await blob(await makeVault()),
      passphrase: PASSPHRASE,
      fetch: failing,
    });
    const error = await opening.catch((reason) => reason);
    expect(error).toMatchObject({ ...unreachable, message: expect.stringMatching(/missing CORS rule/) });
    expect(error.cause).toBeUndefined();
  });

  test("knows a refused connection", async () => {
    const config = await blob(await makeVault(), { endpoint: "http://127.0.0.1:1" });
    // Port 1 is one that fetch blocks; what it says then has no code.
    await expect(openWith({ config, passphrase: PASSPHRASE })).rejects.toMatchObject(unreachable);
    const server = await serveRaw();
    await server[Symbol.asyncDispose]();
    const free = await blob(await makeVault(), { endpoint: `http://127.0.0.1:${server.port}` });
    await expect(openWith({ config: free, passphrase: PASSPHRASE })).rejects.toMatchObject({
      ...unreachable,
      message: expect.stringMatching(/connection refused/),
    });
  });

  test("is bounded by its deadline, and closes the connection", async () => {
    await using server = await serveRaw();
    const config = await blob(await makeVault(), { endpoint: `http://127.0.0.1:${server.port}` });
    const opening = openWith({ config, passphrase: PASSPHRASE, timeoutMs: 1000 });
    await expect(opening).rejects.toMatchObject({
      ...unreachable,
      message: expect.stringMatching(/after 1000 ms while fetching the manifest/),
    });
    await server.idle();
  });

  test("ends the bundle's download when the passphrase turns out to be wrong", async () => {
    const vault = await makeVault();
    let ended: Promise<void> | undefined;
    await using server = await serveS3(vault.objects, (request, response) => {
      if (request.url?.endsWith("manifest")) return false;
      ended = new Promise((resolve) => response.once("close", resolve));
      response.writeHead(200, { "content-length": 1000 }).write("RQE1");
      return true;
    });
    // So many that the bundle is on its way before the key is known.
    const config = await blob(vault, { endpoint: server.endpoint, iterations: 1_000_000 });
    const opening = openWith({ config, passphrase: "another passphrase", timeoutMs: 50_000 });
    await expect(opening).rejects.toMatchObject({ name: "WrongPassphraseError" });
    expect(ended).toBeDefined();
    await ended;
  });

  test("refuses a manifest of a gigabyte unread, and an endless one at its first byte too many", async () => {
    const vault = await makeVault();
    for (const head of ["content-length: 1073741824", "transfer-encoding: chunked"]) {
      await using server = await serveRaw((socket) =>
        onRequest(socket, () => {
          socket.write(`HTTP/1.1 200 OK\r\n${head}\r\n\r\n`);
          const chunk = head.startsWith("t") ? `1000\r\n${"x".repeat(0x1000)}\r\n` : "x".repeat(0x1000);
          const more = () => {
            while (!socket.destroyed && socket.write(chunk));
            if (!socket.destroyed) socket.once("drain", more);
          };
          more();
        }),
      );
      const config = await blob(vault, { endpoint: `http://127.0.0.1:${server.port}` });
      await expect(openWith({ config, passphrase: PASSPHRASE })).rejects.toMatchObject(corrupt);
      // Not server.idle(): undici connects anew by itself, without asking for anything.
      const socket = await server.connection();
      if (!socket.closed) await new Promise((resolve) => socket.once("close", resolve));
    }
  });

  test.each([
    ["a stream of bytes", "bytes", true],
    ["a stream of bytes without a declared length", "bytes", false],
    ["a stream of chunks", undefined, true],
    ["a stream of chunks without a declared length", undefined, false],
  ] as const)("reads a body whole that comes in pieces: %s", async (_what, type, declares) => {
    const vault = await makeVault();
    await using server = await serveS3(vault.objects);
    const piecemeal: typeof fetch = async (input, init) => {
      const response = await fetch(input, init);
      const whole = new Uint8Array(await response.arrayBuffer());
      let at = 0;
      const source = {
        type,
        pull(controller: ReadableByteStreamController | ReadableStreamDefaultController<Uint8Array>) {
          // Without an answer to a reader that has brought its own buffer: such a one would wait for ever.
          if (at >= whole.length) return controller.close();
          controller.enqueue(whole.slice(at, at + 7));
          at += 7;
        },
      } as ConstructorParameters<typeof ReadableStream>[0];
      const headers = new Headers(response.headers);
      if (!declares) headers.delete("content-length");
      const body = new ReadableStream(source) as ReadableStream<Uint8Array>;
      return new Response(body, { status: response.status, headers });
    };
    const config = await blob(vault, { endpoint: server.endpoint });
    const v = await openWith({ config, passphrase: PASSPHRASE, fetch: piecemeal });
    expect(v.getEnv("DATABASE_URL")).toBe("postgres://db");
  });

  test("takes a body shorter than declared for a transfer that was cut", async () => {
    const short: typeof fetch = async () => new Response("2026", { headers: { "content-length": "15" } });
    const opening = openWith({ config: await blob(await makeVault()), passphrase: PASSPHRASE, fetch: short });
    await expect(opening).rejects.toMatchObject({
      ...unreachable,
      message: expect.stringMatching(/declared 15 bytes and sent 4/),
    });
    const long: typeof fetch = async () =>
      new Response("20260102-030405x", { headers: { "content-length": "15" } });
    const other = openWith({ config: await blob(await makeVault()), passphrase: PASSPHRASE, fetch: long });
    await expect(other).rejects.toMatchObject({
      ...unreachable,
      message: expect.stringMatching(/declared 15 bytes and sent 16/),
    });
  });

  test("refuses what was compressed on the way, though fetch undoes it", async () => {
    const vault = await makeVault();
    const zipped = gzipSync("20260102-030405");
    await using server = await serveS3(vault.objects, (_request, response) => {
      response.writeHead(200, { "content-encoding": "gzip", "content-length": zipped.length }).end(zipped);
      return true;
    });
    const config = await blob(vault, { endpoint: server.endpoint });
    await expect(openWith({ config, passphrase: PASSPHRASE })).rejects.toMatchObject({
      ...unreachable,
      message: expect.stringMatching(/compresses or re-encodes/),
    });
  });
});

test("a path that the runtime's URLs would rewrite is not asked for", async () => {
  const asked: string[] = [];
  const config = await blob(await makeVault(), { bucket: ".." });
  const recording: typeof fetch = async (input) => {
    asked.push(String(input));
    return new Response();
  };
  await expect(web.openWith({ config, passphrase: PASSPHRASE, fetch: recording })).rejects.toMatchObject(
    unreachable,
  );
  expect(asked).toEqual([]);
});

test("a folder bucket is nothing for a runtime without files", async () => {
  const config = await blob(await makeVault(), { endpoint: "file:///tmp" });
  await expect(web.openWith({ config, passphrase: PASSPHRASE })).rejects.toMatchObject({
    ...unreachable,
    message: expect.stringMatching(/folder.*no files/),
  });
});

describe("in a browser, what the bucket's CORS rules hide", () => {
  async function openExposing(exposed: readonly string[], metadata?: Record<string, string>) {
    const vault = await makeVault();
    if (metadata !== undefined) (vault.objects.get(`${PREFIX}manifest`) as TestObject).metadata = metadata;
    await using server = await serveS3(vault.objects);
    const config = await blob(vault, { endpoint: server.endpoint });
    const v = await web.openWith({ config, passphrase: PASSPHRASE, fetch: crossOrigin(exposed) });
    return [v.getEnv("DATABASE_URL"), await v.remoteGeneration()];
  }

  test("nothing: open", async () => {
    expect(await openExposing(ALL)).toEqual(["postgres://db", 3]);
  });

  test.each([
    [[]],
    [["gen", "sha256", "write-id"]],
    [["seal"]],
    [["gen", "seal"]],
    [["gen", "sha256", "seal"]],
  ])("all but %j: corrupt with the hint, and never taken for unsealed", async (exposed) => {
    await expect(openExposing(exposed)).rejects.toMatchObject({
      ...corrupt,
      message: expect.stringMatching(/CORS rules expose x-amz-meta-gen.*ExposeHeaders/),
    });
  });

  test("a manifest of a writer that does not seal is read all the same", async () => {
    expect(await openExposing(ALL, { gen: "3" })).toEqual(["postgres://db", 3]);
  });

  test("a hidden generation cannot be polled", async () => {
    const vault = await makeVault();
    await using server = await serveS3(vault.objects);
    const config = await blob(vault, { endpoint: server.endpoint });
    let exposed = ALL;
    const v = await web.openWith({
      config,
      passphrase: PASSPHRASE,
      fetch: (input, init) => crossOrigin(exposed)(input, init),
    });
    exposed = ["seal"];
    await expect(v.remoteGeneration()).rejects.toMatchObject({
      ...unreachable,
      message: expect.stringMatching(/ExposeHeaders/),
    });
  });
});

test("the web build warns of a grace period, on stderr where there is one", async () => {
  const { vault } = await makeRotatedVault("99991231-235959");
  await using server = await serveS3(vault.objects);
  const { stdout, stderr } = await runModule(
    `const { openWith } = await import(${JSON.stringify(built.web)});
     const options = JSON.parse(process.env.OPTIONS);
     console.log((await openWith(options)).generation());`,
    {
      env: {
        OPTIONS: JSON.stringify({
          config: await blob(vault, { endpoint: server.endpoint }),
          passphrase: PASSPHRASE,
        }),
      },
    },
  );
  expect(stdout).toBe("6\n");
  expect(stderr).toMatch(/^vsync: the passphrase was rotated; .* until 9999-12-31 23:59:59 UTC.*\n$/);
});

describe("a runtime that refuses the derivation", () => {
  // As Cloudflare Workers do above 100,000 iterations.
  const inWorkers = `
    const { deriveBits } = crypto.subtle;
    crypto.subtle.deriveBits = function (algorithm, ...rest) {
      if (algorithm.name === "PBKDF2" && algorithm.iterations > 100000) {
        throw new DOMException("Pbkdf2 failed: iteration counts above 100000 are not supported", "NotSupportedError");
      }
      return deriveBits.call(this, algorithm, ...rest);
    };`;
  const onNode = `
    import crypto from "node:crypto";
    import { syncBuiltinESMExports } from "node:module";
    const { pbkdf2 } = crypto;
    crypto.pbkdf2 = (password, salt, iterations, ...rest) => {
      if (iterations > 100000) throw new RangeError("unsupported");
      return pbkdf2(password, salt, iterations, ...rest);
    };
    syncBuiltinESMExports();`;

  async function openIn(build: string, before: string, iterations: number): Promise<unknown> {
    const vault = await makeVault();
    await using server = await serveS3(vault.objects);
    const config = await blob(vault, { endpoint: server.endpoint, iterations });
    const { stdout, code } = await runModule(
      `${before}
       const { openWith, VSyncError } = await import(${JSON.stringify(build)});
       const options = ${JSON.stringify({ config, passphrase: PASSPHRASE })};
       const told = (error) => [error instanceof VSyncError, error.code, error.message, error.cause?.message];
       console.log(JSON.stringify(await openWith(options).then((v) => v.generation(), told)));`,
    );
    expect(code).toBe(0);
    await server.idle();
    return JSON.parse(stdout);
  }

  test.each([
    ["Web Crypto", () => built.web, inWorkers, "NotSupportedError"],
    ["node:crypto", () => built.node, onNode, "RangeError"],
  ])("by %s: an error that says what to do", async (_what, build, before, cause) => {
    expect(await openIn(build(), before, 600_000)).toEqual([
      true,
      "VSYNC_KEY_DERIVATION_REFUSED",
      expect.stringMatching(/600000 iterations.*`vsync init --iterations 100000`/),
      cause,
    ]);
    expect(await openIn(build(), before, 100_000)).toBe(3);
  });
});

describe("open() of the web build", () => {
  async function openIn(env: Readonly<Record<string, string>>, before = ""): Promise<string> {
    const { stdout } = await runModule(
      `const print = process.stdout.write.bind(process.stdout);
       ${before}
       const { open } = await import(${JSON.stringify(built.web)});
       const text = (error) => [error.name, error.code, error.message].join("|");
       print(await open().then((v) => [v.getEnv("DATABASE_URL"), v.envSource("HERE")].join(), text));`,
      { env },
    );
    return stdout;
  }

  test("reads the two variables where there is a process.env", async () => {
    const vault = await makeVault();
    await using server = await serveS3(vault.objects);
    const VSYNC_CONFIG = await blob(vault, { endpoint: server.endpoint });
    expect(await openIn({ VSYNC_CONFIG, VSYNC_PASSPHRASE: PASSPHRASE, HERE: "1" })).toBe("postgres://db,env");
  });

  test("has no files, and says so", async () => {
    expect(await openIn({ VSYNC_CONFIG: "x", VSYNC_CONFIG_FILE: "/run/secrets/config" })).toMatch(
      /^ConfigMissingError\|VSYNC_CONFIG_MISSING\|VSYNC_CONFIG_FILE is set, and this runtime has no files/,
    );
  });

  test("leads to openWith where there is no environment", async () => {
    for (const before of ["delete globalThis.process;", "globalThis.process = {};"]) {
      expect(await openIn({ VSYNC_CONFIG: "x", VSYNC_PASSPHRASE: "x" }, before)).toMatch(
        /^ConfigMissingError\|VSYNC_CONFIG_MISSING\|VSYNC_CONFIG is not set here; .*openWith/,
      );
    }
  });
});
