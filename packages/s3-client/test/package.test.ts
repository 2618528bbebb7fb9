// The package as the registry gets it: packed, installed by npm into an application, judged by the tools that know what
// goes wrong with packages.

import { spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { publint } from "publint";
import { formatMessage } from "publint/utils";
import { build } from "tsdown";
import { afterAll, beforeAll, expect, test } from "vitest";
import { installPackedReader } from "../../../scripts/packed.ts";

const projectFolder = fileURLToPath(new URL("../../..", import.meta.url));
const app = mkdtempSync(join(tmpdir(), "vsync-package-"));
const installed = join(app, "node_modules/@muthuishere/vsync-s3-client");
let tarball: string;

beforeAll(() => {
  installPackedReader(app);
  tarball = join(app, ".package", readdirSync(join(app, ".package"))[0] as string);
});

afterAll(() => rmSync(app, { recursive: true, force: true }));

test("publint finds nothing, not even a suggestion", async () => {
  const bytes = readFileSync(tarball);
  const { messages, pkg } = await publint({
    pack: { tarball: bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length) },
    strict: true,
  });
  expect(messages.map((message) => formatMessage(message, pkg))).toEqual([]);
});

test("its types are found, and are right, wherever an ES module can be imported", () => {
  const attw = spawnSync(
    process.execPath,
    [
      join(projectFolder, "node_modules/@arethetypeswrong/cli/dist/index.js"),
      tarball,
      "--profile",
      "esm-only",
      "--no-color",
    ],
    { encoding: "utf8" },
  );
  expect(attw.stdout + attw.stderr).toMatch(/node16 \(from ESM\) .*ESM/);
  expect(attw.status).toBe(0);
});

const APPLICATION = `
import { getEnv, open, openWith, S3UnreachableError, type EnvSource, type Vault, VSyncError } from "@muthuishere/vsync-s3-client";

export async function start(signal: AbortSignal): Promise<string | null> {
  try {
    await using vault: Vault = await open({ defaults: { PORT: "8080" }, signal, timeoutMs: 5_000 });
    const source: EnvSource = vault.envSource("PORT");
    const bytes: Uint8Array = vault.getAsContent("tls/server.crt");
    return vault.getEnv(source) ?? String(bytes.length);
  } catch (error) {
    if (error instanceof S3UnreachableError) return error.code;
    throw error instanceof VSyncError ? error.cause : error;
  }
}

export const other: Promise<Vault> = openWith({ config: "", passphrase: "", fetch });
export const one: Promise<string | null> = getEnv("DATABASE_URL");
`;

test.each([
  ["nodenext", "nodenext"],
  ["esnext", "bundler"],
])(
  "an application without @types/node compiles against it, its types checked too: %s, %s",
  (module, moduleResolution) => {
    writeFileSync(join(app, "app.ts"), APPLICATION);
    const compilerOptions = {
      ...{ module, moduleResolution, target: "es2022", types: [], noEmit: true },
      ...{ strict: true, exactOptionalPropertyTypes: true, skipLibCheck: false },
    };
    writeFileSync(join(app, "tsconfig.json"), JSON.stringify({ compilerOptions, files: ["app.ts"] }));
    const tsc = join(projectFolder, "node_modules/typescript/bin/tsc");
    const { stdout, status } = spawnSync(process.execPath, [tsc, "-p", app], { encoding: "utf8" });
    expect([stdout, status]).toEqual(["", 0]);
  },
);

test("the whole installed tree takes 300 KiB at the most, in blocks of the disk", () => {
  const files = readdirSync(join(app, "node_modules"), { recursive: true, encoding: "utf8" });
  const stats = files.map((name) => statSync(join(app, "node_modules", name)));
  const bytes = stats.reduce(
    (sum, { blocks, size }) => sum + (blocks === undefined ? size : blocks * 512),
    0,
  );
  expect(bytes).toBeLessThanOrEqual(300 * 1024);
});

test("what is packed is the two builds, the types, and what tells about them", () => {
  const files = readdirSync(installed, { recursive: true, withFileTypes: true }).filter((entry) =>
    entry.isFile(),
  );
  const names = files.map((entry) => join(entry.parentPath, entry.name).slice(installed.length + 1)).sort();
  expect(names).toEqual([
    "LICENSE",
    "README.md",
    "dist/node/index.d.ts",
    "dist/node/index.js",
    "dist/web/THIRD-PARTY-LICENSES.txt",
    "dist/web/index.js",
    "package.json",
  ]);
  const { dependencies, peerDependencies, scripts, exports } = JSON.parse(
    readFileSync(join(installed, "package.json"), "utf8"),
  );
  expect([dependencies, peerDependencies, scripts?.install, scripts?.postinstall]).toEqual([
    undefined,
    undefined,
    undefined,
    undefined,
  ]);
  expect(JSON.stringify(exports)).not.toMatch(/src\/|vsync-source/);
});

test.each(["node", "browser"] as const)("a bundler for %s leaves out what is not used", async (platform) => {
  const all = await bundled(platform, 'export { open } from "@muthuishere/vsync-s3-client";');
  expect(all).toMatch(/pbkdf2|PBKDF2/);
  expect(all).toMatch(/AWS4-HMAC-SHA256/);
  const error = await bundled(
    platform,
    'export { WrongPassphraseError } from "@muthuishere/vsync-s3-client";',
  );
  expect(error).toMatch(/VSYNC_WRONG_PASSPHRASE/);
  expect(error).not.toMatch(/pbkdf2|PBKDF2|AWS4-HMAC-SHA256|createDecipheriv/);
  expect(error.length).toBeLessThan(all.length / 5);
  const nothing = await bundled(platform, 'import "@muthuishere/vsync-s3-client";');
  expect(nothing.replace(/^\/\/.*$|export \{\s*\};/gm, "").trim()).toBe("");
});

async function bundled(platform: "node" | "browser", source: string): Promise<string> {
  writeFileSync(join(app, "entry.js"), source);
  const bundles = await build({
    cwd: app,
    entry: { entry: "entry.js" },
    platform,
    format: "esm",
    outDir: join(app, "bundled"),
    write: false,
    dts: false,
    config: false,
    logLevel: "silent",
    deps: { alwaysBundle: [/^@muthuishere\//] },
  });
  const chunks = bundles.flatMap((bundle) => bundle.chunks).filter((chunk) => chunk.type === "chunk");
  return chunks.map((chunk) => chunk.code).join("\n");
}
