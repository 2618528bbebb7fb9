// The README's examples: the TypeScript compiles against the package, the shell command makes what `open` reads.

import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, test } from "vitest";
import * as surface from "../src/index.ts";
import { folderEndpoint, makeVault, PASSPHRASE } from "./vault-fixture.ts";

const packageFolder = fileURLToPath(new URL("..", import.meta.url));
const project = dirname(dirname(packageFolder.replace(/\/$/, "")));
const readme = readFileSync(join(packageFolder, "README.md"), "utf8");

function blocks(language: string): readonly string[] {
  return [...readme.matchAll(new RegExp(`^\`\`\`${language}\\n(.*?)^\`\`\`$`, "gms"))].map(
    (match) => match[1] as string,
  );
}

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "vsync-readme-"));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

test("the TypeScript compiles, strictly", () => {
  mkdirSync(join(folder, "node_modules/@muthuishere"), { recursive: true });
  symlinkSync(packageFolder, join(folder, "node_modules/@muthuishere/vsync-s3-client"));
  symlinkSync(join(project, "node_modules/@types"), join(folder, "node_modules/@types"));
  writeFileSync(join(folder, "package.json"), '{"type":"module"}');
  const compilerOptions = { noUnusedLocals: false, isolatedDeclarations: false };
  writeFileSync(
    join(folder, "tsconfig.json"),
    JSON.stringify({ extends: join(project, "tsconfig.base.json"), compilerOptions, include: ["*.ts"] }),
  );
  const examples = blocks("ts");
  expect(examples.length).toBeGreaterThan(5);
  for (const [number, example] of examples.entries())
    writeFileSync(join(folder, `example-${number}.ts`), example);
  const { stdout, status } = spawnSync(join(project, "node_modules/.bin/tsc"), ["-p", folder], {
    encoding: "utf8",
  });
  expect({ stdout, status }).toEqual({ stdout: "", status: 0 });
});

test("VSYNC_CONFIG made by hand opens", async () => {
  const vault = await makeVault({ minGen: 1 });
  const [command = ""] = blocks("sh");
  const config = {
    v: 1,
    ...vault.config,
    endpoint: await folderEndpoint(vault.objects),
    secretAccessKey: "?>~é~",
  };
  writeFileSync(join(folder, "config.json"), JSON.stringify(config));
  const { stdout, status } = spawnSync("sh", ["-c", command], { cwd: folder, encoding: "utf8" });
  expect(status).toBe(0);
  const v = await surface.openWith({ config: stdout.trimEnd(), passphrase: PASSPHRASE });
  expect(v.getEnv("DATABASE_URL")).toBe("postgres://db");
});

test("the JSON is JSON, and the config has every field that is required", () => {
  const [config, ...others] = blocks("json").filter((block) => /^[[{]/.test(block));
  for (const other of others) JSON.parse(other);
  expect(Object.keys(JSON.parse(config as string))).toEqual(
    expect.arrayContaining([
      ..."v endpoint region bucket accessKeyId secretAccessKey prefix env salt iterations".split(" "),
    ]),
  );
});

test("every error that the package exports, and no other, is in the table with its code", () => {
  const rows = [...readme.matchAll(/^\| `(\w+Error)` \| `(VSYNC_\w+)` \|/gm)];
  const named = new Map(
    rows.filter(([, name]) => name !== "VSyncError").map(([, name, code]) => [name, code]),
  );
  const exported = Object.entries(surface).filter(([name]) => /.Error$/.test(name) && name !== "VSyncError");
  expect([...named.keys()].sort()).toEqual(exported.map(([name]) => name).sort());
  for (const [name, ErrorClass] of exported) {
    const error = new (ErrorClass as typeof surface.S3UnreachableError)("");
    expect([error.name, error.code]).toEqual([name, named.get(name)]);
    expect(error).toBeInstanceOf(surface.VSyncError);
  }
});
