// The reader as packed for the registry, in every runtime it is for: each runs suite.mjs in a process of its own, and each
// of its cases is a test here.

import { execFile } from "node:child_process";
import { accessSync, constants, copyFileSync, existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { installPackedReader } from "../../scripts/packed.ts";
import { startProxy } from "./forward-proxy.ts";
import { type LoopbackVaults, serveVaults } from "./loopback-vaults.ts";
import { casesFor, type Trait } from "./suite.mjs";

const here = dirname(fileURLToPath(import.meta.url));
const app = mkdtempSync(join(tmpdir(), "vsync-runtimes-"));
const installed = join(app, "node_modules/@muthuishere/vsync-s3-client");
const noSkip = Boolean(process.env.CI || process.env.VSYNC_TEST_NO_SKIP);

interface Runtime {
  readonly name: string;
  /** What it says that it is. */
  readonly version: RegExp;
  readonly traits: readonly Trait[];
  /** Null where it is not installed. */
  readonly program: string | null;
  /** Starts it on a job. */
  readonly args: (job: string) => readonly string[];
}

const RUNTIMES: readonly Runtime[] = [
  ...[20, 22, 24, 26].map((major) => ({
    ...inProcess(`Node ${major}`, `node${major}/bin/node`),
    version: new RegExp(`^${major}\\.`),
  })),
  inProcess("Bun", ".bin/bun"),
  inProcess("Deno", ".bin/deno", [
    "run",
    "--quiet",
    "--no-remote",
    "--node-modules-dir=manual",
    "--allow-all",
  ]),
  // The newest that this workerd knows, and one from before `fetch` took a cache mode.
  inWorkerd("2026-04-01"),
  inWorkerd("2023-01-01"),
  inChromium(),
];

let vaults: LoopbackVaults;

beforeAll(async () => {
  installPackedReader(app);
  for (const file of ["suite.mjs", "in-process.mjs"]) copyFileSync(join(here, file), join(app, file));
  vaults = await serveVaults();
});

afterAll(async () => {
  await vaults?.[Symbol.asyncDispose]();
  rmSync(app, { recursive: true, force: true });
});

for (const runtime of RUNTIMES) describe(runtime.name, () => testIn(runtime));

// From 24.5 on Node uses a proxy where it is told to; the reader's own connections are no exception.
describe.each([24, 26])("Node %i with NODE_USE_ENV_PROXY=1", (major) => {
  const program = downloaded(`node${major}/bin/node`);

  test.skipIf(program === null && !noSkip)("asks for everything through HTTP_PROXY", async () => {
    await using proxy = await startProxy();
    const env = { NODE_USE_ENV_PROXY: "1", HTTP_PROXY: proxy.url };
    const config = vaults.job.blobs.plain ?? "";
    const inputs = JSON.stringify({ config, passphrase: vaults.job.passphrase });
    const source = `
      import { openWith } from "@muthuishere/vsync-s3-client";
      const vault = await openWith(${inputs});
      console.log(vault.generation(), await vault.remoteGeneration());`;
    expect(await run(String(program), ["--input-type=module", "--eval", source], env)).toBe("3 3\n");
    expect(proxy.asked).toEqual(["GET manifest", "GET v%3D20260102-030405", "HEAD manifest"]);
  });
});

function testIn({ name, version, traits, program, args }: Runtime): void {
  if (program === null) {
    const how = `${name} is not installed: run this by \`pnpm test:runtimes\`; Chromium comes from your system`;
    if (!noSkip) console.warn(`skipped: ${how}`);
    test.skipIf(!noSkip)(how, () => {
      throw new Error(how);
    });
    return;
  }

  let said: { runtime: string; results: Readonly<Record<string, string>> };

  beforeAll(async () => {
    said = JSON.parse(await run(program, args(JSON.stringify({ ...vaults.job, traits }))));
  });

  test("is the runtime it is taken for", () => {
    expect(said.runtime).toMatch(version);
  });

  test.each(casesFor(traits).map(({ name }) => name))("%s", (name) => {
    expect(said.results[name]).toBe("passed");
  });
}

function inProcess(name: string, binary: string, options: readonly string[] = []): Runtime {
  return {
    name,
    version: /^\d+\./,
    traits: ["node"],
    program: downloaded(binary),
    args: (job) => [...options, join(app, "in-process.mjs"), job],
  };
}

function inWorkerd(compatibilityDate: string): Runtime {
  return {
    name: `workerd (Cloudflare Workers) as of ${compatibilityDate}`,
    version: /^Cloudflare-Workers$/,
    traits: ["web"],
    program: downloaded("miniflare") && process.execPath,
    args: (job) => [join(here, "in-workerd.mjs"), installed, job, compatibilityDate],
  };
}

function inChromium(): Runtime {
  const chromium =
    process.env.VSYNC_TEST_CHROMIUM || onPath(["chromium", "chromium-browser", "google-chrome"]);
  return {
    name: "Chromium",
    version: /^\d+\./,
    traits: ["web", "browser"],
    program: chromium && downloaded("playwright-core") && process.execPath,
    args: (job) => [join(here, "in-chromium.mjs"), installed, job, String(chromium)],
  };
}

function downloaded(path: string): string | null {
  const program = join(here, "node_modules", path);
  return existsSync(program) ? program : null;
}

function onPath(names: readonly string[]): string | null {
  const folders = (process.env.PATH ?? "").split(delimiter);
  const candidates = names.flatMap((name) => folders.map((folder) => join(folder, name)));
  return candidates.find(isExecutable) ?? null;
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/** Standard output. A runtime that does not end by itself, though its suite is over, fails here. */
function run(
  program: string,
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<string> {
  const { PATH, HOME, TMPDIR } = process.env;
  const options = { cwd: app, env: { PATH, HOME, TMPDIR, ...env }, timeout: 60_000, maxBuffer: 2 ** 24 };
  return new Promise((resolve, reject) => {
    execFile(program, args, options, (error, stdout, stderr) => {
      if (error !== null) reject(new Error(`${program} ended with ${error.code ?? error.signal}: ${stderr}`));
      else resolve(stdout);
    });
  });
}
