// Both packages as packed for the registry, installed by each package manager into an empty project, and used there.

import { mkdirSync, mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { EXIT_CODES } from "../../packages/cli/src/exit-codes.ts";
import { pack } from "../../scripts/packed.ts";
import { bareEnvironment, makeMachine, run } from "../machine.ts";

const here = dirname(fileURLToPath(import.meta.url));
const scratch = realpathSync(mkdtempSync(join(tmpdir(), "vsync-managers-")));
const tarballs = {
  "@muthuishere/vsync": "",
  "@muthuishere/vsync-s3-client": "",
};
/** The one that is set up here; yarn has another of its own. */
let registry: string;

interface Manager {
  readonly name: string;
  /** Node runs it, unless it is a program of its own. */
  readonly program: string;
  readonly args: readonly string[];
  readonly files?: Readonly<Record<string, string>>;
}

const MANAGERS: readonly Manager[] = [
  { name: "npm", program: "npm/bin/npm-cli.js", args: ["install", "--no-audit", "--no-fund"] },
  {
    name: "pnpm",
    program: ".bin/pnpm",
    args: ["install"],
    files: { "pnpm-workspace.yaml": "packages: []\npmOnFail: ignore\nstrictDepBuilds: true\n" },
  },
  {
    name: "yarn 4, with node_modules",
    program: "@yarnpkg/cli-dist/bin/yarn.js",
    args: ["install"],
    files: {
      ".yarnrc.yml": "nodeLinker: node-modules\nenableTelemetry: false\nenableScripts: false\n",
      "yarn.lock": "",
    },
  },
  { name: "yarn 1", program: "yarn/bin/yarn.js", args: ["install", "--ignore-scripts"] },
  { name: "bun", program: ".bin/bun", args: ["install"] },
];

beforeAll(async () => {
  tarballs["@muthuishere/vsync"] = pack("cli", join(scratch, "cli"));
  tarballs["@muthuishere/vsync-s3-client"] = pack("s3-client", join(scratch, "s3-client"));
  const npm = join(here, "node_modules/npm/bin/npm-cli.js");
  const asked = await run(process.execPath, [npm, "config", "get", "registry"], {
    cwd: scratch,
    env: process.env,
  });
  registry = asked.stdout.trim();
});

afterAll(() => rmSync(scratch, { recursive: true, force: true }));

describe.each(MANAGERS)("installed by $name", ({ name, program, args, files = {} }) => {
  const project = join(scratch, name.replace(/\W+/g, "-"));

  beforeAll(async () => {
    mkdirSync(project);
    const dependencies = Object.fromEntries(
      Object.entries(tarballs).map(([of, tarball]) => [of, pathToFileURL(tarball).href]),
    );
    const manifest = { name: "app", version: "1.0.0", private: true, type: "module", dependencies };
    for (const [file, text] of Object.entries({ ...files, "package.json": JSON.stringify(manifest) })) {
      writeFileSync(join(project, file), text);
    }
    const installer = join(here, "node_modules", program);
    const [command, ...first] = program.endsWith(".js") ? [process.execPath, installer] : [installer];
    const env = {
      ...process.env,
      YARN_NPM_REGISTRY_SERVER: registry,
      YARN_REGISTRY: registry,
      // An install that is not asked for by a lockfile is what this is about.
      YARN_ENABLE_IMMUTABLE_INSTALLS: "false",
    };
    await run(command as string, [...first, ...args], { cwd: project, env });
  });

  test("the command keeps a vault, and the reader opens it", async () => {
    const machine = await makeMachine(join(scratch, `machine-of-${project.slice(scratch.length + 1)}`));
    const vsync = join(project, "node_modules/.bin/vsync");
    const command = (...args: string[]) => run(vsync, args, { cwd: machine.repository, env: machine.env });
    const bucket = ["--endpoint", pathToFileURL(machine.home).href, "--bucket", "bucket"];
    await command("init", "demo", "--iterations", "100000", ...bucket);
    writeFileSync(join(machine.vault, ".env.demo"), `INSTALLED_BY='${name}'\n`);
    await command("push", "demo");
    const config = (await command("runtime-token", "demo")).stdout.trim();
    await command("passphrase", "show", "demo", "--out", join(machine.home, "passphrase"));

    writeFileSync(
      join(project, "app.js"),
      'import { open } from "@muthuishere/vsync-s3-client";\nconst vault = await open();\nconsole.log(vault.getEnv("INSTALLED_BY"));\n',
    );
    const env = {
      ...bareEnvironment(),
      VSYNC_CONFIG: config,
      VSYNC_PASSPHRASE_FILE: join(machine.home, "passphrase"),
    };
    const { stdout } = await run(process.execPath, ["app.js"], { cwd: project, env });
    expect(stdout).toBe(`${name}\n`);
  });

  test("what the command has of the system's keychain is there, though no install script ran", () => {
    const main = realpathSync(join(project, "node_modules/@muthuishere/vsync/dist/main.js"));
    const { AsyncEntry } = createRequire(main)("@napi-rs/keyring");
    expect(AsyncEntry).toBeTypeOf("function");
  });

  test("the reader brings nothing along", () => {
    const manifest = join(project, "node_modules/@muthuishere/vsync-s3-client/package.json");
    const { dependencies, optionalDependencies, peerDependencies, scripts, version } = JSON.parse(
      readFileSync(manifest, "utf8"),
    );
    expect(version).toMatch(/^\d+\.\d+\.\d+/);
    expect({ dependencies, optionalDependencies, peerDependencies, scripts }).toEqual({
      scripts: expect.not.objectContaining({ install: expect.anything(), postinstall: expect.anything() }),
    });
  });
});

test("installed without optional dependencies, the command says what is missing", async () => {
  const project = join(scratch, "without-binding");
  mkdirSync(project);
  writeFileSync(join(project, "package.json"), '{ "name": "app", "private": true }');
  const npm = join(here, "node_modules/npm/bin/npm-cli.js");
  const install = ["install", "--omit=optional", "--no-audit", "--no-fund", tarballs["@muthuishere/vsync"]];
  await run(process.execPath, [npm, ...install], { cwd: project, env: process.env });
  const machine = await makeMachine(join(scratch, "machine-without-binding"));
  const { VSYNC_KEYSTORE, ...env } = machine.env;
  const bucket = ["--endpoint", pathToFileURL(machine.home).href, "--bucket", "bucket"];
  const init = ["init", "demo", "--iterations", "100000", "--json", ...bucket];
  const { stdout } = await run(join(project, "node_modules/.bin/vsync"), init, {
    cwd: machine.repository,
    env,
    status: EXIT_CODES.LOCAL_IO.status,
  });
  expect(JSON.parse(stdout).error).toMatchObject({
    message: expect.stringMatching(/^what asks the keychain cannot be loaded/),
    hint: expect.stringContaining("with its optional dependencies"),
  });
});
