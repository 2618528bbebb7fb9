// What the published files are made of: the reader, nothing of the writer, no package of anybody else's.

import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "tsdown";
import { beforeAll, expect, test } from "vitest";
import builds from "../tsdown.config.ts";

const packageFolder = fileURLToPath(new URL("..", import.meta.url));

interface Built {
  readonly code: string;
  /** The sources that something is taken from, as `envelope/src/key.ts`. */
  readonly sources: ReadonlySet<string>;
  /** Modules that an import of the package loads from elsewhere. */
  readonly atFirst: readonly string[];
  readonly files: number;
  /** Modules that are loaded from elsewhere, now or later. */
  readonly atAll: readonly string[];
}

const built: Record<string, Built> = {};

beforeAll(async () => {
  const outDir = mkdtempSync(join(tmpdir(), "vsync-bundle-"));
  for (const options of builds) {
    const bundles = await build({
      ...options,
      cwd: packageFolder,
      outDir,
      write: false,
      dts: false,
      config: false,
      logLevel: "silent",
    });
    const chunks = bundles.flatMap((bundle) => bundle.chunks).filter((chunk) => chunk.type === "chunk");
    const code = chunks.map((chunk) => chunk.code).join("\n");
    const modules = chunks.flatMap((chunk) => Object.entries(chunk.modules));
    const specifiers = [...code.matchAll(/\b(?:from|import)\s*\(?"(?!\.\/)([^"]+)"/g)].map(
      (match) => match[1] as string,
    );
    built[options.platform === "node" ? "node" : "web"] = {
      code,
      sources: new Set(
        modules
          .filter(([, { renderedLength }]) => renderedLength > 0)
          .map(([id]) => id.replace(/^.*\/packages\//, "").replace(/^.*\/node_modules\//, "npm:")),
      ),
      atFirst: chunks.flatMap((chunk) => chunk.imports).sort(),
      files: chunks.length,
      atAll: [...new Set(specifiers)].sort(),
    };
  }
  rmSync(outDir, { recursive: true, force: true });
});

const of = (platform: string): Built => built[platform] as Built;

test.each(["node", "web"])("nothing of the writer is in the %s build", (platform) => {
  const { sources, code } = of(platform);
  expect([...sources].filter((source) => /zip-writer|sls1|audit|crypto-oracle/.test(source))).toEqual([]);
  for (const source of sources) {
    expect(source).toMatch(
      /^(envelope\/src\/|s3-client\/src\/|store\/src\/(folder-object|sigv4)\.ts|npm:fflate\/)/,
    );
  }
  const ofTheWriter = [
    "deflateRaw",
    "deflateSync",
    "createCipheriv",
    "encryptAesGcm",
    "encodeConfigBlob",
    "sealManifest",
    "packArchive",
    "encodeFolderHeader",
    "generatePassphrase",
    "setEnvValue",
    "randomBytes",
    "aws-sdk",
    "smithy",
    "PUT",
    "DELETE",
  ];
  expect(ofTheWriter.filter((name) => new RegExp(`\\b${name}\\b`).test(code))).toEqual([]);
});

test("the web build stands by itself: no `node:` module, no global of Node's", () => {
  expect(of("web").atAll).toEqual([]);
  expect(of("web").code).not.toMatch(/\bnode:|\bBuffer\b|\brequire\(/);
});

test("the Node build needs nothing but Node, and loads HTTP and files only when they are needed", () => {
  expect(of("node").atFirst).toEqual(["node:crypto", "node:zlib"]);
  expect(of("node").atAll).toEqual([
    "node:crypto",
    "node:fs/promises",
    "node:http",
    "node:https",
    "node:url",
    "node:zlib",
  ]);
  expect([...of("node").sources].filter((source) => source.startsWith("npm:"))).toEqual([]);
});

test.each(["node", "web"])(
  "the %s build is ASCII: one other character doubles what V8 keeps and scans",
  (platform) => {
    // biome-ignore lint/suspicious/noControlCharactersInRegex: all of ASCII
    expect(of(platform).code.match(/[^\x00-\x7f]/g)).toBeNull();
  },
);

test.each(["node", "web"])("the %s build is one file: each more costs a boot a millisecond", (platform) => {
  expect(of(platform).files).toBe(1);
});

test("the package has no dependency, and takes less than 300 KiB with its types", () => {
  const manifest = JSON.parse(readFileSync(join(packageFolder, "package.json"), "utf8"));
  expect(manifest.dependencies).toBeUndefined();
  expect(manifest.peerDependencies).toBeUndefined();
  expect(manifest.optionalDependencies).toBeUndefined();
  const dist = join(packageFolder, "dist");
  // Without a build there is nothing to weigh; `pnpm test` builds first.
  const sizes = existsSync(dist)
    ? readdirSync(dist, { recursive: true, withFileTypes: true })
        .filter((entry) => entry.isFile())
        .map((entry) => statSync(join(entry.parentPath, entry.name)).size)
    : Object.values(built).map(({ code }) => Buffer.byteLength(code));
  expect(sizes.reduce((sum, size) => sum + size)).toBeLessThan(300 * 1024);
});
