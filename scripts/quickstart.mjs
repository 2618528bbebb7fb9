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
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath, pathToFileURL } from "node:url";
import { installPackedReader } from "./packed-reader.mjs";
import { selfSignedCertificate } from "./self-signed-certificate.mjs";

const here = dirname(fileURLToPath(import.meta.url));
const project = dirname(here);
const vsyncMain = join(project, "packages/cli/dist/main.js");
const windows = process.platform === "win32";

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
run("pnpm", ["build"], { cwd: project, shown: "pnpm build", quiet: true });

title("A git repository");
mkdirSync(shop);
run("git", ["init", "--quiet"], { cwd: shop });
run("git", ["remote", "add", "origin", "https://git.example/acme/shop.git"], { cwd: shop });

title(
  "An environment `demo`; its bucket is a folder, its key a file (a keychain, when you do this yourself)",
);
vsync(["init", "demo", "--endpoint", pathToFileURL(root).href, "--bucket", "bucket"]);

title("Secrets: a .env file and a certificate");
writeEnv("postgres://shop:correct-horse@db.example/shop");
mkdirSync(join(vault, "tls"));
writeFileSync(join(vault, "tls/server.crt"), selfSignedCertificate(["shop.example"]).certificate, {
  mode: 0o600,
});
say(indent(tree(vault, "infra/vault/demo")));

title("Push: packed, encrypted here, and only then put into the bucket");
vsync(["push", "demo"]);
say(indent(tree(join(root, "bucket"), "bucket")));

title("The two strings an application needs, on two different ways");
mkdirSync(app);
const token = vsync(["runtime-token", "demo"], {
  shown: "(umask 077; vsync runtime-token demo > ../app/config)",
  quiet: true,
});
writeFileSync(join(app, "config"), token, { mode: 0o600 });
vsync(["passphrase", "show", "demo", "--out", "../app/passphrase"]);
say(indent("config      where the bucket is and how to read it; no use without the passphrase"));
say(indent("passphrase  opens the vault; no use without the bucket"));

title("An application, in a folder and a process of its own");
say("    $ npm install @muthuishere/vsync-s3-client");
installPackedReader(app);
copyFileSync(join(here, "quickstart-app.mjs"), join(app, "app.mjs"));
let running = startApplication();
await running.says(/bytes$/);

title("A second push, which the running application notices");
writeEnv("postgres://shop:a-rotated-password@db.example/shop");
vsync(["push", "demo"]);
await running.ends();

title("Started again, it has the new secrets");
running = startApplication();
await running.says(/bytes$/);
running.stop();

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
function title(text) {
  step += 1;
  say(`\n[${step}/${steps}] ${text}`);
}

function say(text) {
  process.stdout.write(`${text}\n`);
}

function indent(text) {
  return text.replace(/\s+$/, "").replace(/^/gm, "      ");
}

/** Runs a command to its end, shows it and what it says, and gives back its standard output. Ends the quickstart when it fails. */
function run(command, args, { cwd, shown = [command, ...args].join(" "), quiet = false, env = environment }) {
  say(`    $ ${shown}`);
  // npm and pnpm are .cmd files on Windows, which only a shell starts.
  const result = spawnSync(command, args, {
    cwd,
    env,
    encoding: "utf8",
    shell: windows && command !== process.execPath,
  });
  const failed = result.error !== undefined || result.status !== 0;
  const output = [failed || !quiet ? result.stdout : "", failed || !quiet ? result.stderr : ""].join("");
  if (output.trim() !== "") say(indent(output));
  if (failed) {
    say(
      `\nThe quickstart stops here: ${result.error?.message ?? `exit status ${result.status}`}. What there is lies in ${root}`,
    );
    process.exit(1);
  }
  return result.stdout;
}

function vsync(args, { shown = `vsync ${args.join(" ")}`, quiet = false } = {}) {
  return run(process.execPath, [vsyncMain, ...args], { cwd: shop, shown, quiet });
}

function writeEnv(databaseUrl) {
  const lines = [
    "# what the shop needs",
    `DATABASE_URL=${databaseUrl}`,
    "STRIPE_KEY=sk_test_not_a_real_key",
    'GREETING="one line\nand another"',
  ];
  writeFileSync(join(vault, ".env.demo"), `${lines.join("\n")}\n`, { mode: 0o600 });
}

/** Starts the application with its two inputs and nothing else of vsync's, and shows what it prints. */
function startApplication() {
  say("    $ VSYNC_CONFIG_FILE=./config VSYNC_PASSPHRASE_FILE=./passphrase node app.mjs");
  const child = spawn(process.execPath, ["app.mjs"], {
    cwd: app,
    env: {
      ...withoutVsync(process.env),
      VSYNC_CONFIG_FILE: "./config",
      VSYNC_PASSPHRASE_FILE: "./passphrase",
    },
    stdio: ["ignore", "pipe", "inherit"],
  });
  const ended = once(child, "close");
  const lines = createInterface({ input: child.stdout });
  lines.on("line", (line) => say(indent(line)));
  const fail = (why) => {
    child.kill();
    say(`\nThe quickstart stops here: the application ${why}. What there is lies in ${root}`);
    process.exit(1);
  };
  const within = (promise, what) => {
    const timer = setTimeout(() => fail(`did not ${what} within 30 seconds`), 30_000);
    return promise.finally(() => clearTimeout(timer));
  };
  return {
    says: async (pattern) => {
      const said = new Promise((done) => lines.on("line", (line) => pattern.test(line) && done("said")));
      const first = await within(Promise.race([said, ended]), "answer");
      if (first !== "said") fail(`ended with status ${first[0]}`);
    },
    ends: async () => {
      const [status] = await within(ended, "notice the second push");
      if (status !== 0) fail(`ended with status ${status}`);
    },
    stop: () => child.kill(),
  };
}

function withoutVsync(env) {
  return Object.fromEntries(Object.entries(env).filter(([name]) => !name.startsWith("VSYNC_")));
}

/** The files below a folder, with their sizes. */
function tree(folder, name) {
  const files = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) =>
    entry.isFile(),
  );
  return files
    .map((entry) => join(entry.parentPath ?? entry.path, entry.name))
    .sort()
    .map((path) => `${name}${path.slice(folder.length)}  (${readFileSync(path).length} bytes)`)
    .join("\n");
}
