// Arranges, for real, what each scenario of `error-taxonomy` says, and lets the reader run into it.

import { execFile } from "node:child_process";
import { type AddressInfo, createServer } from "node:net";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { DEFAULT_ITERATIONS, deriveMaster, encodeConfigBlob, encryptEnvelope, utf8 } from "@vsync/envelope";
import type { Vector } from "../../../envelope/test/conformance/corpus.ts";
import { openWith } from "../../src/index.ts";
import { type Answer, sendError, serveS3 } from "../s3-loopback.ts";
import { PASSPHRASE, PREFIX, SALT, type TestObjects, TIMESTAMP } from "../vault-fixture.ts";

const PACKAGE = fileURLToPath(new URL("../..", import.meta.url));

const OPEN_WITHOUT_INPUTS = `
  const { open } = await import("./src/index.ts");
  await open().catch((error) => console.log(error.name));
`;

/** Throws what the reader throws. Not sealed and without `minGen`: nothing is judged before the bundle's own bytes. */
export async function provoke({ inputs, bin }: Vector): Promise<void> {
  const { scenario, passphrase = PASSPHRASE, salt = SALT, iterations = DEFAULT_ITERATIONS } = inputs;
  const text = bin === null ? "" : Buffer.from(bin).toString();

  async function openAt(endpoint: string): Promise<void> {
    const location = { endpoint, region: "eu-test-1", bucket: "test-bucket", prefix: PREFIX, env: "prod" };
    const credentials = { accessKeyId: "AKIDTEST", secretAccessKey: "secret" };
    const kdf = { salt: String(salt), iterations: Number(iterations) };
    await openAndClose(await encodeConfigBlob({ ...location, ...credentials, ...kdf }));
  }

  async function openAndClose(config: string): Promise<void> {
    const vault = await openWith({ config, passphrase: String(passphrase) });
    await vault.close();
  }

  async function openServed(bundle: Uint8Array | null, answer?: Answer): Promise<void> {
    const objects: TestObjects = new Map();
    objects.set(`${PREFIX}manifest`, { body: utf8(TIMESTAMP), metadata: {} });
    if (bundle !== null) objects.set(`${PREFIX}v=${TIMESTAMP}`, { body: bundle, metadata: {} });
    await using server = await serveS3(objects, answer);
    await openAt(server.endpoint);
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
      return openServed(null, (_request, response) => {
        sendError(response, 403, "AccessDenied");
        return true;
      });
    case "manifest-404":
      return openServed(null, (_request, response) => {
        sendError(response, 404, "NoSuchKey");
        return true;
      });
    case "bundle-404":
      return openServed(null);
    case "wrong-passphrase":
      return openServed(bin ?? (await bundleOfAnother(String(salt))));
    case "bundle-corrupt":
      return openServed(bin ?? utf8("no envelope, but as long as one"));
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
  const master = await deriveMaster("another passphrase altogether", salt, DEFAULT_ITERATIONS);
  return encryptEnvelope(master, [utf8(`RQEM0001${TIMESTAMP}`)]);
}
