// Two people, a bucket, and one machine whose every byte can be put back: where commands are killed.

import { spawn } from "node:child_process";
import { once } from "node:events";
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { gunzipSync } from "node:zlib";
import { type Machine, makeMachine } from "../../../../test/machine.ts";
import { type FakeObject, type FakeS3, startFakeS3 } from "../../../store/test/fake-s3.ts";

export const PREFIX = "acme_shop/demo/";
/** Whatever a shell would have set; the share's is the same for every share here. */
export const SHARE_PASSPHRASE = "six-words-that-nobody-ever-said";

// In memory where that can be had: nobody pulls the plug here.
const TEMPORARY = existsSync("/dev/shm") ? "/dev/shm" : tmpdir();

export interface Ended {
  readonly status: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Where Bob keeps his passphrases, if not in files. What it has on disk is below his HOME. */
export interface Keychain {
  readonly variables: Readonly<Record<string, string>>;
  /** By account, whatever state it is in. */
  read(): Readonly<Record<string, string>>;
  /** Around a change of what it has on disk. */
  end(): void;
  begin(): void;
  close(): Promise<void>;
}

/** Everything as it was. */
export interface Moment {
  readonly folder: string;
  readonly objects: readonly (readonly [string, FakeObject])[];
  readonly nowMs: number;
}

export interface World {
  readonly folder: string;
  readonly s3: FakeS3;
  /** Publishes; nothing is ever killed on her machine. */
  readonly ann: Machine;
  /** Whose commands are killed. */
  readonly bob: Machine;
  readonly keychain: Keychain | null;
  now(): number;
  /** Bob's machine before he had anything of this vault. */
  readonly stranger: Moment;
  /** In step with the second version. */
  readonly teammate: Moment;
  /** Keeps bucket and machines as they are now. From then on the clock stands, until another moment is gone back to. */
  remember(name: string): Moment;
  rewind(moment: Moment): void;
  close(): Promise<void>;
}

/** Ann has published two versions and handed Bob a share; he has pulled. `openKeychain` has the world's folder and Bob's HOME. */
export async function makeWorld(
  openKeychain?: (folder: string, home: string) => Promise<Keychain>,
): Promise<World> {
  const folder = mkdtempSync(join(TEMPORARY, "vsync-crash-"));
  const people = join(folder, "people");
  // Where commands are cut short the clock of bucket and Bob stands, and every run gives the same names.
  let nowMs: number | null = null;
  const now = (): number => nowMs ?? Date.now();
  const s3 = await startFakeS3({ now });
  const [ann, bob] = [await makeMachine(join(people, "ann")), await makeMachine(join(people, "bob"))];
  for (const { repository, env } of [ann, bob]) {
    rmSync(join(repository, ".git/hooks"), { recursive: true });
    Object.assign(env, {
      AWS_ACCESS_KEY_ID: s3.credentials.accessKeyId,
      AWS_SECRET_ACCESS_KEY: s3.credentials.secretAccessKey,
      VSYNC_SHARE_PASSPHRASE: SHARE_PASSPHRASE,
    });
  }
  const keychain = (await openKeychain?.(folder, bob.home)) ?? null;
  if (keychain !== null) {
    delete bob.env.VSYNC_KEYSTORE;
    Object.assign(bob.env, keychain.variables);
  }
  const remember = (name: string): Moment => {
    const moment = { folder: join(folder, name), objects: [...s3.objects], nowMs: Date.now() };
    rmSync(moment.folder, { recursive: true, force: true });
    // The folders themselves are kept: the state names them by inode, and a copy must not get that of one that is gone.
    renameSync(people, moment.folder);
    copy(moment.folder, people);
    return moment;
  };
  await ann.vsync([
    "init",
    "demo",
    "--endpoint",
    s3.endpoint,
    "--bucket",
    s3.bucket,
    "--iterations",
    "100000",
  ]);
  await publish(ann, { ".env.demo": "A=1\n", "tls/key": "an old key\n" });
  await publish(ann, { ".env.demo": "A=2\n" });
  const share = await handShare({ ann, folder }, "first.share");
  const stranger = remember("stranger");
  await bob.vsync(["share", "import", share]);
  await bob.vsync(["pull", "demo"]);
  const teammate = remember("teammate");
  return {
    folder,
    s3,
    ann,
    bob,
    keychain,
    stranger,
    teammate,
    now,
    remember,
    rewind(moment) {
      keychain?.end();
      rmSync(people, { recursive: true, force: true });
      copy(moment.folder, people);
      keychain?.begin();
      s3.objects.clear();
      for (const [key, object] of moment.objects) s3.objects.set(key, object);
      nowMs = moment === stranger || moment === teammate ? null : moment.nowMs;
    },
    async close() {
      await s3.close();
      await keychain?.close();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

function copy(from: string, to: string): void {
  cpSync(from, to, { recursive: true, preserveTimestamps: true, verbatimSymlinks: true });
}

export function edit({ vault }: Machine, files: Readonly<Record<string, string | null>>): void {
  for (const [name, text] of Object.entries(files)) {
    const path = join(vault, name);
    mkdirSync(dirname(path), { recursive: true });
    if (text === null) rmSync(path);
    else writeFileSync(path, text, { mode: 0o600 });
  }
}

export async function publish(
  machine: Machine,
  files: Readonly<Record<string, string | null>>,
): Promise<string> {
  edit(machine, files);
  const { stdout } = await machine.vsync(["push", "demo", "--json"]);
  return JSON.parse(stdout).timestamp;
}

/** A share of Ann's, as it is now. */
export async function handShare(
  { ann, folder }: Pick<World, "ann" | "folder">,
  name: string,
): Promise<string> {
  const file = join(folder, name);
  const passphrase = join(folder, "share-passphrase");
  writeFileSync(passphrase, SHARE_PASSPHRASE, { mode: 0o600 });
  await ann.vsync(["share", "export", "demo", "--out", file, "--passphrase-file", passphrase]);
  return file;
}

/** Loaded into Bob's processes. */
const CLOCK = `
  globalThis.Date = class extends Date {
    constructor(...args) { super(...(args.length === 0 ? [NOW] : args)); }
    static now() { return NOW; }
  };`;

/** Starts Bob's command, with `before` in front of node's own name (strace and its options, say). */
export function start(
  { bob, now }: World,
  args: readonly string[],
  { before = [], node = [] }: { before?: readonly string[]; node?: readonly string[] } = {},
): { readonly kill: (signal?: NodeJS.Signals) => void; readonly ended: Promise<Ended> } {
  const clock = [
    "--import",
    `data:text/javascript,${encodeURIComponent(CLOCK.replaceAll("NOW", String(now())))}`,
  ];
  const [program, ...rest] = [...before, process.execPath, ...clock, ...node, bob.main, ...args, "--json"];
  const child = spawn(program as string, rest, {
    cwd: bob.repository,
    env: { ...bob.env, UV_THREADPOOL_SIZE: "1" },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let stdout = "";
  let stderr = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    stdout += text;
  });
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    stderr += text;
  });
  const ended = once(child, "close").then(([status, signal]) => ({ status, signal, stdout, stderr }));
  return { kill: (signal = "SIGKILL") => void child.kill(signal), ended };
}

/** What is on Bob's machine, each thing by itself. */
export interface Observed {
  /** By name; null: there is no vault folder. */
  readonly vault: Readonly<Record<string, string>> | null;
  /** Its JSON; null: none. */
  readonly config: string | null;
  /** By account. */
  readonly keys: Readonly<Record<string, string>>;
  /** `.vsync` and `.gitignore`. */
  readonly repository: Readonly<Record<string, string | null>>;
  /** Files that are neither of those, by path below the machine's folder; temporary ones are among them. */
  readonly others: readonly string[];
}

/** Throws when a file that should be whole is not. */
export function observe({ bob, keychain }: World): Observed {
  const config = join(bob.home, ".config/vsync/config/acme_shop/env_demo");
  const keystore = join(bob.home, "keystore");
  const state = join(bob.home, ".local/state/vsync");
  for (const name of existsSync(state) ? walk(state) : []) {
    if (name.endsWith(".json")) JSON.parse(readFileSync(join(state, name), "utf8"));
  }
  const keys = existsSync(keystore) ? readdirSync(keystore).filter((name) => !name.startsWith(".")) : [];
  const readKey = (name: string) =>
    [decodeURIComponent(name), readFileSync(join(keystore, name), "utf8")] as const;
  const machine = dirname(bob.home);
  const known = [
    bob.vault,
    config,
    join(bob.repository, ".git"),
    ...(keychain === null ? [] : [join(bob.home, ".local/share/keyrings"), join(bob.home, ".cache")]),
    ...keys.map((name) => join(keystore, name)),
  ];
  const others = walk(machine).filter(
    (name) =>
      !known.some((path) => join(machine, name) === path || join(machine, name).startsWith(`${path}/`)),
  );
  const text = (path: string): string | null => (existsSync(path) ? readFileSync(path, "utf8") : null);
  return {
    vault: readTree(bob.vault),
    config: existsSync(config) ? gunzipSync(readFileSync(config)).toString() : null,
    keys: keychain?.read() ?? Object.fromEntries(keys.map(readKey)),
    repository: {
      ".vsync": text(join(bob.repository, ".vsync")),
      ".gitignore": text(join(bob.repository, ".gitignore")),
    },
    others,
  };
}

/** Files below a folder with what they hold; null when there is none. */
export function readTree(folder: string): Record<string, string> | null {
  if (!existsSync(folder)) return null;
  return Object.fromEntries(walk(folder).map((name) => [name, readFileSync(join(folder, name), "utf8")]));
}

function walk(folder: string): string[] {
  const entries = readdirSync(folder, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => !entry.isDirectory());
  return files
    .map(({ parentPath, path, name }) => join(parentPath ?? path, name).slice(folder.length + 1))
    .sort();
}
