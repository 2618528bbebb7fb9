// Runs `bundle-open` through `vsync pull`: a writer's machine with nothing on it but a config, a passphrase and a
// folder bucket that holds what the vector says.

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PassThrough } from "node:stream";
import { pathToFileURL } from "node:url";
import { decodeConfigBlob } from "@vsync/envelope";
import { openStore } from "@vsync/store";
import type { Fields, Vector } from "../../../envelope/test/conformance/corpus.ts";
import {
  bytesOf,
  type Check,
  comparePairs,
  type Implementation,
  metadataOf,
  pairsOf,
  textOf,
} from "../../../envelope/test/conformance/judge.ts";
import { toCliError } from "../../src/cli-error.ts";
import { pull } from "../../src/commands/pull.ts";
import { type EnvConfig, saveEnvConfig } from "../../src/config/env-config.ts";
import type { Context } from "../../src/context.ts";
import { type Host, nodeHost } from "../../src/host.ts";
import { createTerminal } from "../../src/terminal.ts";

const REPOSITORY = "shop";
const ENV = "prod";
const VAULT = "vault";
const BUCKET = "bucket";

export const writer: Implementation = { name: "writer", checks: { "bundle-open": pullBundle() } };

/** The writer's code for each error of the formats; ROLLBACK is how it says that `minGen` is not met. */
const CODES: Readonly<Record<string, readonly string[]>> = {
  ConfigMissingError: ["NOT_CONFIGURED"],
  ConfigUnsupportedVersionError: ["UNSUPPORTED_VERSION"],
  WrongPassphraseError: ["WRONG_PASSPHRASE"],
  BundleCorruptError: ["CORRUPT", "ROLLBACK"],
  UnsupportedSpecVersionError: ["UNSUPPORTED_VERSION"],
};

function pullBundle(): Check {
  return async (vector) => {
    const folder = mkdtempSync(join(tmpdir(), "vsync-writer-"));
    const vault = join(folder, VAULT);
    const codes = codesFor(vector);
    try {
      const { generation } = await pullInto(folder, vector);
      if (codes.length > 0) return `expected ${codes.join(" or ")}, got no error`;
      const { contents_sha256, generation: expected } = vector.expected;
      comparePairs(digestsIn(vault), pairsOf(contents_sha256), "contents");
      assert.equal(generation, expected);
      return null;
    } catch (error) {
      if (error instanceof assert.AssertionError) return error.message;
      const { code, message } = toCliError(error);
      if (!codes.includes(code))
        return `expected ${codes.join(" or ") || "no error"}, got ${code}: ${message}`;
      return existsSync(vault) ? `${code}, and yet there is something in the vault folder` : null;
    } finally {
      rmSync(folder, { recursive: true });
    }
  };
}

/** None when the pull succeeds. Grace is for readers: a writer under the old passphrase is told of the rotation. */
function codesFor({ inputs, expected }: Vector): readonly string[] {
  const metadata = metadataOf(inputs.manifest as Fields);
  const byGrace = metadata.grace !== undefined && expected.generation !== Number(metadata.gen);
  if (expected.error === null) return byGrace ? ["WRONG_PASSPHRASE"] : [];
  return [...(CODES[expected.error] ?? []), ...(byGrace ? ["WRONG_PASSPHRASE"] : [])];
}

async function pullInto(folder: string, vector: Vector): Promise<{ generation: number }> {
  const { inputs } = vector;
  const { salt, iterations, prefix, minGen } = await decodeConfigBlob(textOf(inputs, "config"));
  const s3 = {
    endpoint: pathToFileURL(folder).href,
    bucket: BUCKET,
    region: "eu-test-1",
    accessKeyId: "AKIDTEST",
    secretAccessKey: "secret",
    useSsl: false,
  };
  const config: EnvConfig = {
    version: 1,
    s3,
    encryption: { salt, iterations },
    prefix,
    files: { vaultFolder: VAULT },
    audit: { enabled: false },
    ...(minGen !== undefined && { minGen }),
  };
  await fillBucket(config, vector);
  const context = contextIn(folder, textOf(inputs, "passphrase"));
  saveEnvConfig(context.host, REPOSITORY, ENV, config);
  return await pull(context, { env: ENV });
}

async function fillBucket({ s3, prefix }: EnvConfig, vector: Vector): Promise<void> {
  const manifest = vector.inputs.manifest as Fields;
  const body = textOf(manifest, "body");
  const store = await openStore(s3, { createBucket: true });
  await store.put(`${prefix}manifest`, Buffer.from(body), { metadata: metadataOf(manifest) });
  const version = body.trim();
  if (/^\d{8}-\d{6}$/.test(version)) await store.put(`${prefix}v=${version}`, bytesOf(vector));
  await store.close();
}

function contextIn(folder: string, passphrase: string): Context {
  writeFileSync(join(folder, ".vsync"), `repo=${REPOSITORY}\n`);
  const home = join(folder, "home");
  mkdirSync(home);
  const stdin = Object.assign(new PassThrough(), { isTTY: false }).end();
  const host: Host = {
    ...nodeHost(),
    env: { PATH: process.env.PATH, HOME: home, VSYNC_PASSPHRASE: passphrase },
    cwd: folder,
    homedir: home,
    stdin,
  };
  const flags = { json: false, quiet: true, noInput: true, yes: false, dryRun: false };
  const nowhere = new PassThrough().resume();
  const terminal = createTerminal({ stdin, stdout: nowhere, stderr: nowhere }, host.env, flags);
  return { host, terminal, flags, ownSignals: () => undefined };
}

function digestsIn(folder: string): Map<string, string> {
  const entries = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) =>
    entry.isFile(),
  );
  return new Map(
    entries.map((entry) => {
      const path = join(entry.parentPath, entry.name);
      const name = path.slice(folder.length + 1).replaceAll("\\", "/");
      return [name, createHash("sha256").update(readFileSync(path)).digest("hex")];
    }),
  );
}
