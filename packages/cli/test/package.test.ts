// The command's package as the registry gets it: what is in it, what it brings along, and whose work that is.

import { execFileSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { publint } from "publint";
import { formatMessage } from "publint/utils";
import { afterAll, beforeAll, expect, test } from "vitest";
import { pack } from "../../../scripts/packed.ts";

const folder = mkdtempSync(join(tmpdir(), "vsync-package-"));
const packageFolder = fileURLToPath(new URL("..", import.meta.url));
const providers = readdirSync(join(packageFolder, "../../docs/providers"));
let tarball: string;

beforeAll(() => {
  tarball = pack("cli", folder);
});

afterAll(() => rmSync(folder, { recursive: true, force: true }));

const unpacked = (file: string): string =>
  execFileSync("tar", ["-xzOf", tarball, `package/${file}`], { encoding: "utf8", maxBuffer: 2 ** 26 });

test("publint finds nothing, not even a suggestion", async () => {
  const bytes = readFileSync(tarball);
  const { messages, pkg } = await publint({
    pack: { tarball: bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length) },
    strict: true,
  });
  expect(messages.map((message) => formatMessage(message, pkg))).toEqual([]);
});

test("what is packed is the command, the documents it shows, and what tells about them", () => {
  const names = execFileSync("tar", ["-tzf", tarball], { encoding: "utf8" }).trim().split("\n");
  // The bundler names chunks after what is in them, and their contents' digest.
  const others = names.filter((name) => !/^package\/dist\/[A-Za-z0-9_.-]+-[A-Za-z0-9_-]{8}\.js$/.test(name));
  expect(others.sort()).toEqual(
    [
      "LICENSE",
      "README.md",
      "dist/THIRD-PARTY-LICENSES.txt",
      ...providers.map((name) => `dist/docs/${name}`),
      "dist/main.js",
      "package.json",
    ].map((name) => `package/${name}`),
  );
  expect(names.length).toBeGreaterThan(others.length);
});

test("its manifest has one dependency, nothing that runs at an install, and no path into the sources", () => {
  const manifest = JSON.parse(unpacked("package.json"));
  expect(Object.keys(manifest.dependencies)).toEqual(["@napi-rs/keyring"]);
  expect(Object.keys(manifest.scripts ?? {}).filter((name) => /install|prepare/.test(name))).toEqual([]);
  expect(JSON.stringify({ ...manifest, devDependencies: {} })).not.toMatch(/src\/|vsync-/);
  expect(manifest.bin).toEqual({ vsync: "./dist/main.js" });
});

test("all that is bundled or brought along may be passed on", () => {
  const bundled = unpacked("dist/THIRD-PARTY-LICENSES.txt").match(/^\S+ \d+\.\d+\.\d+\S* \(.+\)$/gm) ?? [];
  expect(bundled.length).toBeGreaterThan(30);
  const listed = execFileSync("pnpm", ["licenses", "list", "--prod", "--json"], {
    cwd: packageFolder,
    encoding: "utf8",
  });
  const licences = [
    ...bundled.map((line) => /\((.+)\)$/.exec(line)?.[1]),
    ...Object.keys(JSON.parse(listed)),
  ];
  expect([...new Set(licences)].sort()).toEqual(["Apache-2.0", "BSD-3-Clause", "ISC", "MIT"]);
});
