// Arranges, for real, what each scenario of `error-taxonomy` says, and lets the reader run into it.

import { execFile } from "node:child_process";
import { type AddressInfo, createServer } from "node:net";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import {
  bundleDigest,
  DEFAULT_ITERATIONS,
  deriveKeys,
  encryptEnvelope,
  sealManifest,
  utf8,
} from "@vsync/envelope";
import type { Vector } from "../../../envelope/test/conformance/corpus.ts";
import { openWith } from "../../src/index.ts";
import { type Answer, sendError, serveS3 } from "../s3-loopback.ts";
import { blobFor, type Objects, type Stored, TIMEOUT_MS } from "./buckets.ts";

const PACKAGE = fileURLToPath(new URL("../..", import.meta.url));

const PREFIX = "acme_shop/prod/";
const VERSION = "20260102-030405";
/** Where a vector brings none. */
const RUNNERS_PASSPHRASE = "a passphrase of the runner";
const RUNNERS_SALT = "a salt of the runner";

/** Nothing is judged before the bundle's own bytes are. */
const UNSEALED: Stored = { body: utf8(VERSION), metadata: {} };

const OPEN_WITHOUT_INPUTS = `
  const { open } = await import("./src/index.ts");
  await open().catch((error) => console.log(error.name));
`;

/** Throws what the reader throws. */
export async function provoke({ inputs, bin }: Vector): Promise<void> {
  const {
    scenario,
    passphrase = RUNNERS_PASSPHRASE,
    salt = RUNNERS_SALT,
    iterations = DEFAULT_ITERATIONS,
  } = inputs;
  const text = bin === null ? "" : Buffer.from(bin).toString();

  async function openAt(endpoint: string): Promise<void> {
    const kdf = { salt: String(salt), iterations: Number(iterations) };
    await openAndClose(await blobFor(endpoint, { prefix: PREFIX, env: "prod", ...kdf }));
  }

  async function openAndClose(config: string): Promise<void> {
    const vault = await openWith({ config, passphrase: String(passphrase), timeoutMs: TIMEOUT_MS });
    await vault.close();
  }

  async function openServed(bundle: Uint8Array | null, manifest = UNSEALED, answer?: Answer): Promise<void> {
    const objects: Objects = new Map([[`${PREFIX}manifest`, manifest]]);
    if (bundle !== null) objects.set(`${PREFIX}v=${VERSION}`, { body: bundle, metadata: {} });
    await using server = await serveS3(objects, answer);
    await openAt(server.endpoint);
  }

  /** Sealed, the passphrase is right: then a tag that fails is damage, as every other thing that can be wrong. */
  async function openSealed(bundle: Uint8Array): Promise<void> {
    const keys = await deriveKeys(String(passphrase), String(salt), Number(iterations));
    const sha256 = await bundleDigest(bundle);
    const fields = { timestamp: VERSION, generation: 1, sha256, writeId: "0".repeat(32) };
    await openServed(bundle, await sealManifest(keys, PREFIX, fields));
  }

  // A corpus may bring a blob for a scenario that others arrange with a bundle.
  if (text.startsWith("vsync-cfg-")) return openAndClose(text);
  switch (scenario) {
    case "inputs-unset":
      return openWithoutInputs();
    case "config-version":
      return openAndClose(bin === null ? "vsync-cfg-v1:AAAA=" : text);
    case "connection-refused":
      return openAt(await closedPort());
    case "forbidden":
      return openServed(null, UNSEALED, (_request, response) => {
        sendError(response, 403, "AccessDenied");
        return true;
      });
    case "manifest-404":
      return openServed(null, UNSEALED, (_request, response) => {
        sendError(response, 404, "NoSuchKey");
        return true;
      });
    case "bundle-404":
      return openServed(null);
    case "wrong-passphrase":
      return openServed(bin ?? (await bundleOfAnother(String(salt))));
    case "bundle-corrupt":
      return openSealed(bin ?? utf8("no envelope, but as long as one is at least"));
    case "spec-version":
      return openServed(bin ?? utf8(`RQE2${"x".repeat(60)}`));
    default:
      throw new TypeError(`a scenario that this runner does not know: ${JSON.stringify(scenario)}`);
  }
}

async function openWithoutInputs(): Promise<void> {
  const node = [
    "--conditions=vsync-source",
    "--import",
    "tsx",
    "--input-type=module",
    "--eval",
    OPEN_WITHOUT_INPUTS,
  ];
  const { stdout } = await promisify(execFile)(process.execPath, node, { cwd: PACKAGE, env: {} });
  const name = stdout.trim();
  if (name !== "") throw Object.assign(new Error("open() in a process without variables"), { name });
}

/** Of a port that was free a moment ago. */
async function closedPort(): Promise<string> {
  const server = createServer();
  server.listen(0, "127.0.0.1");
  await new Promise((resolve) => server.once("listening", resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return `http://127.0.0.1:${port}`;
}

async function bundleOfAnother(salt: string): Promise<Uint8Array> {
  const { master } = await deriveKeys("another passphrase altogether", salt, DEFAULT_ITERATIONS);
  return encryptEnvelope(master, [utf8(`RQEM0001${VERSION}`)]);
}
