// `pnpm build:executable`: vsync as one file that needs no Node, for the platform this runs on (docs/adr/0009). Leaves it in
// scripts/executable/dist, beside the licences of everything in it.

import { execFileSync } from "node:child_process";
import {
  appendFileSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { basename, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "tsdown";
import { bundledLicences } from "../bundled-licences.ts";

const here = dirname(fileURLToPath(import.meta.url));
const cli = join(here, "../../packages/cli");
const documents = join(here, "../../docs/providers");
const work = mkdtempSync(join(tmpdir(), "vsync-executable-"));
const target = join(here, "dist");
const executable = join(target, process.platform === "win32" ? "vsync.exe" : "vsync");
const licences = join(target, "THIRD-PARTY-LICENSES.txt");

const node = nodeThatBuilds();
rmSync(target, { recursive: true, force: true });
mkdirSync(target);

await build({
  cwd: cli,
  config: false,
  logLevel: "warn",
  entry: { main: "src/main.ts" },
  format: "esm",
  platform: "node",
  target: "node26",
  fixedExtension: false,
  dts: false,
  outDir: work,
  deps: { alwaysBundle: [/.*/], onlyBundle: false },
  inputOptions: { resolve: { conditionNames: ["vsync-executable", "node", "import", "default"] } },
  // Inside the file there is nothing that a second chunk could be loaded from.
  outputOptions: { codeSplitting: false },
  plugins: [bundledLicences()],
});

const binding = keychainBinding();
writeFileSync(join(work, "documents.json"), JSON.stringify(readDocuments()));
writeFileSync(
  join(work, "sea.json"),
  JSON.stringify({
    main: join(work, "main.js"),
    mainFormat: "module",
    executable: node.program,
    output: executable,
    disableExperimentalSEAWarning: true,
    // Half the time of a start.
    useCodeCache: true,
    // NODE_OPTIONS is meant for somebody else's Node.
    execArgvExtension: "none",
    assets: { "keyring.node": binding, "documents.json": join(work, "documents.json") },
  }),
);
execFileSync(node.program, ["--build-sea", join(work, "sea.json")], {
  stdio: ["ignore", "ignore", "inherit"],
});
// What was injected ends the signature that Node came with, and macOS starts nothing that is not signed.
if (process.platform === "darwin") execFileSync("codesign", ["--force", "--sign", "-", executable]);

writeFileSync(licences, readFileSync(join(work, "THIRD-PARTY-LICENSES.txt")));
const rule = `\n${"-".repeat(80)}\n\n`;
appendFileSync(licences, `${rule}@napi-rs/keyring (MIT)\n\n${readFileSync(bindingLicence(), "utf8")}`);
appendFileSync(licences, `${rule}Node.js, and what is in it\n\n${readFileSync(node.licence, "utf8")}`);
rmSync(work, { recursive: true });

const megabytes = (statSync(executable).size / 1e6).toFixed(0);
process.stdout.write(`${executable}: ${megabytes} MB, vsync ${run("--version")}\n`);

interface Node {
  readonly program: string;
  readonly licence: string;
}

/** The Node that runs this where it knows how, else the one that package.json here pins. */
function nodeThatBuilds(): Node {
  const running = realpathSync(process.execPath);
  const [major = 0] = process.versions.node.split(".").map(Number);
  // A directory for programs on Unix, the installation itself on Windows.
  const home = process.platform === "win32" ? dirname(running) : dirname(dirname(running));
  if (major >= 26) return { program: running, licence: join(home, "LICENSE") };
  const pinned = join(here, "node_modules/node26");
  try {
    return { program: realpathSync(join(pinned, "bin/node")), licence: join(pinned, "LICENSE") };
  } catch {
    throw new Error(
      `Node 26 or later builds the executable on ${process.platform} ${process.arch}: run it with that`,
    );
  }
}

/** Asks the package itself which of its binaries this platform loads. */
function keychainBinding(): string {
  const require = createRequire(createRequire(join(cli, "package.json")).resolve("@napi-rs/keyring"));
  const suffix = { linux: "-gnu", win32: "-msvc" }[process.platform as string] ?? "";
  return require.resolve(`@napi-rs/keyring-${process.platform}-${process.arch}${suffix}`);
}

function bindingLicence(): string {
  return join(dirname(createRequire(join(cli, "package.json")).resolve("@napi-rs/keyring")), "LICENSE");
}

function readDocuments(): Record<string, string> {
  const files = readdirSync(documents)
    .filter((file) => file.endsWith(".md"))
    .sort();
  return Object.fromEntries(
    files.map((file) => [basename(file, ".md"), readFileSync(join(documents, file), "utf8")]),
  );
}

function run(...args: string[]): string {
  return execFileSync(executable, args, { encoding: "utf8", env: {} }).trim();
}
