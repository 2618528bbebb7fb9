// `pnpm quickstart`: the main job for real, in a temporary folder, each step with the command that a user would type.

import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import {
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath, pathToFileURL } from "node:url";
import { makeCertificate } from "../packages/s3-client/test/certificate.ts";
import { installPackedReader } from "./packed.ts";

const here = dirname(fileURLToPath(import.meta.url));
const project = dirname(here);
const vsyncMain = join(project, "packages/cli/dist/main.js");

const root = realpathSync(mkdtempSync(join(tmpdir(), "vsync-quickstart-")));
const shop = join(root, "shop");
const app = join(root, "app");
const vault = join(shop, "infra/vault/demo");

// Nothing of the person's own configuration is read or written, and no keychain is needed.
const environment = {
  ...withoutVsync(process.env),
  XDG_CONFIG_HOME: join(root, "config"),
  XDG_STATE_HOME: join(root, "state"),
  VSYNC_KEYSTORE: `file:${join(root, "keystore")}`,
};

let step = 0;
const steps = 9;

say(`A folder of secrets, a bucket, a running application. Everything happens in\n${root}`);

title("Build the command and the library");
run("pnpm", ["build"], project, { quiet: true });

title("A git repository");
mkdirSync(shop);
run("git", ["init", "--quiet"], shop);
run("git", ["remote", "add", "origin", "https://git.example/acme/shop.git"], shop);

title(
  "An environment `demo`; its bucket is a folder, its key a file (a keychain, when you do this yourself)",
);
vsync(["init", "demo", "--endpoint", pathToFileURL(root).href, "--bucket", "bucket"]);

title("Secrets: a .env file and a certificate");
writeEnv("postgres://shop:correct-horse@db.example/shop");
mkdirSync(join(vault, "tls"));
writeFileSync(
  join(vault, "tls/server.crt"),
  makeCertificate({ name: "shop.example", hosts: ["shop.example"] }).cert,
  {
    mode: 0o600,
  },
);
say(indent(tree(vault, "infra/vault/demo")));

title("Push: packed, encrypted here, and only then put into the bucket");
vsync(["push", "demo"]);
say(indent(tree(join(root, "bucket"), "bucket")));

title("The two strings an application needs, on two different ways");
mkdirSync(app);
vsync(["runtime-token", "demo", "--out", "../app/config"]);
vsync(["passphrase", "show", "demo", "--out", "../app/passphrase"]);
say(indent("config      where the bucket is and how to read it; no use without the passphrase"));
say(indent("passphrase  opens the vault; no use without the bucket"));

title("An application, in a folder and a process of its own");
say("    $ npm install @muthuishere/vsync-s3-client");
installPackedReader(app);
copyFileSync(join(here, "quickstart-app.mjs"), join(app, "app.mjs"));
let running = startApplication();
await running.says("vault open, generation 1");
await running.says(certificateLine());

title("A second push, which the running application notices");
writeEnv("postgres://shop:a-rotated-password@db.example/shop");
vsync(["push", "demo"]);
await running.says("generation 2 is in the bucket; stopping, to be started again");
await running.ends();

title("Started again, it has the new secrets");
running = startApplication();
await running.says("vault open, generation 2");
await running.says(certificateLine());
running.kill();

say(`
That was all of it. Look around:
  ${vault}   the vault, in the clear, ignored by git
  ${join(root, "bucket")}   what a bucket sees: ciphertext, and who pushed when
  ${join(app, "app.mjs")}   the application

Use the same files with the command you just saw (\`vsync\` was this build):
  cd ${shop}
  export XDG_CONFIG_HOME=${environment.XDG_CONFIG_HOME} XDG_STATE_HOME=${environment.XDG_STATE_HOME} VSYNC_KEYSTORE=${environment.VSYNC_KEYSTORE}
  alias vsync='node ${vsyncMain}'

With a real bucket, in your own repository (it asks for the secret key, and keeps the passphrase in your keychain):
  vsync init prod --endpoint https://s3.eu-central-1.amazonaws.com --region eu-central-1 --bucket my-secrets --access-key AKIA...
  vsync push prod

Clean up:
  rm -rf ${root}
`);

/** Prints the number and name of the next step. */
function title(text: string): void {
  step += 1;
  say(`\n[${step}/${steps}] ${text}`);
}

function say(text: string): void {
  process.stdout.write(`${text}\n`);
}

function indent(text: string): string {
  return text.replace(/\s+$/, "").replace(/^/gm, "      ");
}

interface Shown {
  /** The command line as a user would type it; the real one unless given. */
  readonly shown?: string;
  /** Says nothing unless it fails. */
  readonly quiet?: boolean;
}

/** Runs a command to its end, shows it and what it says, and gives back its standard output. Ends the quickstart when it fails. */
function run(
  command: string,
  args: readonly string[],
  cwd: string,
  { shown, quiet = false }: Shown = {},
): string {
  say(`    $ ${shown ?? [command, ...args].join(" ")}`);
  const result = spawnSync(command, args, {
    cwd,
    env: environment,
    encoding: "utf8",
    // npm and pnpm are .cmd files on Windows, which only a shell starts.
    shell: process.platform === "win32" && command !== process.execPath,
  });
  const failed = result.error !== undefined || result.status !== 0;
  const output = failed || !quiet ? `${result.stdout ?? ""}${result.stderr ?? ""}` : "";
  if (output.trim() !== "") say(indent(output));
  if (failed) stop(`${command}: ${result.error?.message ?? `exit status ${result.status}`}`);
  return result.stdout;
}

function vsync(args: readonly string[], shown: Shown = {}): string {
  return run(process.execPath, [vsyncMain, ...args], shop, { shown: `vsync ${args.join(" ")}`, ...shown });
}

function stop(why: string): never {
  say(`\nThe quickstart stops here: ${why}. What there is lies in ${root}`);
  process.exit(1);
}

function writeEnv(databaseUrl: string): void {
  const lines = [
    "# what the shop needs",
    `DATABASE_URL=${databaseUrl}`,
    "STRIPE_KEY=sk_test_not_a_real_key",
    'GREETING="one line\nand another"',
  ];
  writeFileSync(join(vault, ".env.demo"), `${lines.join("\n")}\n`, { mode: 0o600 });
}

interface Application {
  /** Waits until it has printed this line. */
  says(line: string): Promise<void>;
  /** Waits until it has ended by itself. */
  ends(): Promise<void>;
  kill(): void;
}

/** The last line that the application prints of what it has read. */
function certificateLine(): string {
  return `  tls/server.crt: ${statSync(join(vault, "tls/server.crt")).size} bytes`;
}

/** Starts the application with its two inputs and nothing else of vsync's, and shows what it prints. */
function startApplication(): Application {
  say("    $ VSYNC_CONFIG_FILE=./config VSYNC_PASSPHRASE_FILE=./passphrase node app.mjs");
  const inputs = { VSYNC_CONFIG_FILE: "./config", VSYNC_PASSPHRASE_FILE: "./passphrase" };
  const env = { ...withoutVsync(process.env), ...inputs };
  const child = spawn(process.execPath, ["app.mjs"], { cwd: app, env, stdio: ["ignore", "pipe", "inherit"] });
  const lines = createInterface({ input: child.stdout });
  const seen: string[] = [];
  lines.on("line", (line) => {
    seen.push(line);
    say(indent(line));
  });
  const ended = once(child, "close").then(([status]) => `ended with status ${status}`);

  /** Waits for one of these, and stops the quickstart unless it comes in time and is the one that is wanted. */
  async function expectFirst(wanted: string, outcomes: readonly Promise<string>[]): Promise<void> {
    const timer = setTimeout(() => stop("the application has said nothing for 30 seconds"), 30_000);
    const first = await Promise.race(outcomes);
    clearTimeout(timer);
    if (first !== wanted) stop(`the application ${first}`);
  }

  return {
    says(line) {
      const said = new Promise<string>((done) => {
        const look = (): unknown => seen.includes(line) && done("said it");
        lines.on("line", look);
        look();
      });
      return expectFirst("said it", [said, ended]);
    },
    ends: () => expectFirst("ended with status 0", [ended]),
    kill: () => child.kill(),
  };
}

function withoutVsync(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(env).filter(([name]) => !name.startsWith("VSYNC_")));
}

/** The files below a folder, with their sizes. */
function tree(folder: string, name: string): string {
  const files = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) =>
    entry.isFile(),
  );
  return files
    .map((entry) => join(entry.parentPath ?? entry.path, entry.name))
    .sort()
    .map((path) => `${name}${path.slice(folder.length)}  (${readFileSync(path).length} bytes)`)
    .join("\n");
}
