// What a release says is in the packages is what is in them: no less, and nothing that only built them.

import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, test } from "vitest";
import { run } from "../machine.ts";

const project = dirname(dirname(dirname(fileURLToPath(import.meta.url))));
const folder = mkdtempSync(join(tmpdir(), "vsync-sbom-"));

interface Listed {
  readonly group?: string;
  readonly name: string;
  readonly purl: string;
  readonly licenses: readonly { readonly license: { readonly id: string } }[];
  readonly externalReferences: unknown;
}

beforeAll(async () => {
  await run("pnpm", ["exec", "tsx", "scripts/sbom.ts", folder], { cwd: project, env: process.env });
});

afterAll(() => rmSync(folder, { recursive: true, force: true }));

const listed = (file: string): Listed[] => JSON.parse(readFileSync(join(folder, file), "utf8")).components;
const names = (file: string): string[] =>
  listed(file)
    .map(({ group, name }) => (group ? `${group}/${name}` : name))
    .sort();

test("the reader has fflate in its build for the web, and nothing else of anybody's", () => {
  expect(names("vsync-s3-client.cdx.json")).toEqual(["fflate"]);
});

test("the command has what its bundle names, and the keychain binding", () => {
  const licences = readFileSync(join(project, "packages/cli/dist/THIRD-PARTY-LICENSES.txt"), "utf8");
  const bundled = [...licences.matchAll(/^(\S+) \d+\.\d+\.\d+\S* \(.+\)$/gm)].map(([, name]) => name);
  expect(bundled).toContain("@aws-sdk/credential-provider-ini");
  const binding = names("vsync.cdx.json").filter((name) => name.startsWith("@napi-rs/keyring"));
  expect(binding).toContain("@napi-rs/keyring");
  expect(names("vsync.cdx.json")).toEqual([...bundled, ...binding].sort());
});

test("each part has its address, licence and digest", () => {
  for (const part of [...listed("vsync.cdx.json"), ...listed("vsync-s3-client.cdx.json")]) {
    expect(part.purl).toMatch(/^pkg:npm\//);
    expect(part.licenses[0]?.license.id).toBeTypeOf("string");
    expect(JSON.stringify(part.externalReferences)).toMatch(/"alg":"SHA-512","content":"[0-9a-f]{128}"/);
  }
});
