// The shop whose applications are in examples/: its vault in a real bucket, and its applications as somebody has them who copied
// a folder and installed what it asks for.

import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { cpSync, mkdirSync, mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { pack } from "../../scripts/packed.ts";
import { bareEnvironment, type Machine, makeMachine } from "../machine.ts";
import type { TestS3 } from "../s3-server.ts";

const here = dirname(fileURLToPath(import.meta.url));
export const EXAMPLES: string = join(here, "../../examples");
// Below this folder's node_modules, where Node and bundlers find the rest.
const apps = join(here, "dist");

export interface Shop {
  readonly folder: string;
  readonly machine: Machine;
  readonly token: string;
  readonly config: string;
  readonly passphrase: string;
  /** The two inputs, as files. */
  readonly files: { readonly VSYNC_CONFIG_FILE: string; readonly VSYNC_PASSPHRASE_FILE: string };
  /** A copy of an example, with the reader in its node_modules. */
  place(example: string): string;
  [Symbol.dispose](): void;
}

/** The vault of examples/README.md. */
export async function openShop({ location, prefix }: TestS3): Promise<Shop> {
  const folder = realpathSync(mkdtempSync(join(tmpdir(), "vsync-examples-")));
  mkdirSync(apps, { recursive: true });
  const below = mkdtempSync(join(apps, "shop-"));
  const machine = await makeMachine(join(folder, "machine"));
  const { endpoint, region, bucket, accessKeyId, secretAccessKey } = location;
  const place = ["--endpoint", endpoint, "--region", region, "--bucket", bucket, "--prefix", prefix];
  const key = ["--access-key", accessKeyId, "--secret-key-file", "-"];
  await machine.vsync(["init", "prod", "--iterations", "100000", ...place, ...key], {
    input: secretAccessKey,
  });
  const token = "a token that only the vault knows";
  await machine.vsync(["set", "prod", "ORDERS_TOKEN", "-"], { input: token });
  await machine.vsync(["push", "prod"]);
  const files = {
    VSYNC_CONFIG_FILE: join(folder, "vsync-config"),
    VSYNC_PASSPHRASE_FILE: join(folder, "vsync-passphrase"),
  };
  const { stdout } = await machine.vsync(["runtime-token", "prod"]);
  writeFileSync(files.VSYNC_CONFIG_FILE, stdout, { mode: 0o600 });
  await machine.vsync(["passphrase", "show", "prod", "--out", files.VSYNC_PASSPHRASE_FILE]);
  return {
    folder,
    machine,
    token,
    config: stdout.trim(),
    passphrase: readFileSync(files.VSYNC_PASSPHRASE_FILE, "utf8").trim(),
    files,
    place: (example) => placeApplication(example, below),
    [Symbol.dispose]() {
      for (const gone of [folder, below]) rmSync(gone, { recursive: true, force: true });
    },
  };
}

function placeApplication(name: string, folder: string): string {
  const app = join(folder, name);
  cpSync(join(EXAMPLES, name), app, { recursive: true });
  const reader = join(app, "node_modules/@muthuishere/vsync-s3-client");
  mkdirSync(reader, { recursive: true });
  const tarball = pack("s3-client", join(app, ".package"));
  execFileSync("tar", ["-xzf", tarball, "--strip-components=1", "-C", reader]);
  return app;
}

export interface Running {
  readonly address: string;
  /** Asks it to end, and waits until it has; the exit status. */
  stop(): Promise<number | null>;
}

/** Starts a server and waits for the line that names its port. */
export async function start(
  command: string,
  args: readonly string[],
  options: { readonly cwd: string; readonly env: NodeJS.ProcessEnv },
  port: RegExp,
): Promise<Running> {
  const child = spawn(command, args, {
    cwd: options.cwd,
    env: { ...bareEnvironment(), ...options.env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const closed = once(child, "close");
  const found = await new Promise<string>((resolve, reject) => {
    let said = "";
    const listen = (text: string): void => {
      said += text;
      const [, number] = port.exec(said) ?? [];
      if (number !== undefined) resolve(number);
    };
    child.stdout.setEncoding("utf8").on("data", listen);
    child.stderr.setEncoding("utf8").on("data", listen);
    child.once("error", reject);
    void closed.then(() => reject(new Error(`it ended before it listened:\n${said}`)));
  });
  return {
    address: `http://127.0.0.1:${found}`,
    async stop() {
      child.kill("SIGTERM");
      const [status] = (await closed) as [number | null];
      return status;
    },
  };
}
