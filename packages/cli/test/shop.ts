// Two people's machines, a repository and its environments prod and dev, as the examples of `--help` suppose them; and
// small stand-ins for the programs that these pipe into.

import {
  chmodSync,
  cpSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { hostname, tmpdir, userInfo } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { bareEnvironment } from "../../../test/machine.ts";
import { nodeHost } from "../src/host.ts";
import { type Answer, type Shown, typeLine } from "./terminal-session.ts";

const MAIN = fileURLToPath(new URL("../dist/main.js", import.meta.url));

/** A home each; the laptop is a second one of alice's. */
export type Person = "alice" | "bob" | "laptop";

export interface Shop {
  /** Everything is below it. */
  readonly folder: string;
  home(person: Person): string;
  /** Runs a line in the person's clone. */
  type(person: Person, line: string, options?: LineOptions): Promise<Shown>;
  /** Text as it would be on any machine, at any time. */
  normalise(text: string): string;
  /** Keeps everything as it is now; the function brings it back. */
  snapshot(): () => void;
  remove(): void;
}

export interface LineOptions {
  readonly env?: Readonly<Record<string, string>>;
  readonly answers?: readonly Answer[];
  readonly onWritten?: (written: string) => void;
}

/** Homes with an empty clone of the repository each. */
export async function openShop(people: readonly Person[] = ["alice", "bob"]): Promise<Shop> {
  const outside = realpathSync(mkdtempSync(join(tmpdir(), "vsync-shop-")));
  const folder = join(outside, "home");
  const bin = join(outside, "bin");
  writeStandIns(bin);
  const home = (person: Person): string => join(folder, person);
  const environment = (person: Person): Record<string, string> => {
    const env = { ...bareEnvironment(), LANG: "C.UTF-8", TERM: "xterm-256color", USER: person };
    return {
      ...(env as Record<string, string>),
      PATH: `${bin}:${process.env.PATH}`,
      HOME: home(person),
      VSYNC_KEYSTORE: `file:${join(home(person), "keystore")}`,
    };
  };
  const shop: Shop = {
    folder,
    home,
    type: (person, line, { env, ...options } = {}) =>
      typeLine(line, {
        cwd: join(home(person), "shop"),
        env: { ...environment(person), ...env },
        ...options,
      }),
    normalise: (text) => normalise(text, folder),
    snapshot() {
      // The folders themselves are kept: the state names them by inode, and a copy must not get that of one that is gone.
      const kept = join(outside, `kept-${Math.random()}`);
      renameSync(folder, kept);
      const putBack = (): void => {
        rmSync(folder, { recursive: true, force: true });
        cpSync(kept, folder, { recursive: true, preserveTimestamps: true, verbatimSymlinks: true });
      };
      putBack();
      return putBack;
    },
    remove: () => rmSync(outside, { recursive: true, force: true }),
  };
  for (const person of people) {
    mkdirSync(join(home(person), "shop"), { recursive: true });
    await must(shop, person, "git init --quiet && git remote add origin https://git.example/acme/shop.git");
    await must(shop, person, `git config user.email ${person}@acme.example`);
  }
  return shop;
}

/** A shop where alice has prod and dev, three versions of prod, a backup, a profile, and has sent bob a share. */
export async function openFurnishedShop(): Promise<Shop> {
  const shop = await openShop();
  const alice = (line: string): Promise<Shown> => must(shop, "alice", line);
  write(shop, "alice", "shop/.env.example", "DATABASE_URL=\nSESSION_KEY=\n");
  write(shop, "alice", "shop/.env.staging", "DATABASE_URL=postgres://staging.example/shop\n");
  write(shop, "alice", "shop/migrate.sh", '#!/bin/sh\necho "migrating $DATABASE_URL"\n', 0o755);
  await alice('vsync profile add work --endpoint "file://$HOME/buckets" --bucket work');
  await alice("mkdir -p ~/.config/fish/completions");
  for (const env of ["prod", "dev"]) {
    await alice(
      `vsync init ${env} --endpoint "file://$HOME/buckets" --bucket shop --iterations 100000 --prefix shop`,
    );
    write(shop, "alice", `shop/infra/vault/${env}/.env.${env}`, scalars(env, "one"));
    await alice(`vsync push ${env} --note "first secrets"`);
  }
  for (const password of ["two", "three"]) {
    write(shop, "alice", "shop/infra/vault/prod/.env.prod", scalars("prod", password));
    await alice(`vsync push prod --note "password ${password}"`);
  }
  write(shop, "alice", "shop/infra/vault/prod/notes.txt", "not to be lost\n");
  await alice("vsync pull prod --backup");
  const { passphrase } = JSON.parse(
    (await alice("vsync share export prod --out ../prod.share --json 2>/dev/null")).screen,
  );
  cpSync(join(shop.home("alice"), "prod.share"), join(shop.home("bob"), "prod.share"));
  rmSync(join(shop.home("alice"), "prod.share"));
  write(shop, "bob", "words", `${passphrase}\n`);
  write(shop, "alice", "shop/infra/vault/dev/.env.dev", scalars("dev", "changed"));
  return shop;
}

export function scalars(env: string, password: string): string {
  return `DATABASE_URL=postgres://shop:${password}@${env}.example/shop\nSESSION_KEY=0123456789abcdef-${env}\n`;
}

export function write(shop: Shop, person: Person, name: string, text: string, mode = 0o600): void {
  const path = join(shop.home(person), name);
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, text);
  chmodSync(path, mode);
}

export function read(shop: Shop, person: Person, name: string): string {
  return readFileSync(join(shop.home(person), name), "utf8");
}

/** For what comes before that which a test is about. */
export async function must(shop: Shop, person: Person, line: string, options?: LineOptions): Promise<Shown> {
  const shown = await shop.type(person, line, options);
  if (shown.status !== 0) throw new Error(`${line}: status ${shown.status}\n${shown.screen}`);
  return shown;
}

/** Each takes what the real one would and fails when it is not there. */
function writeStandIns(bin: string): void {
  const scripts = {
    vsync: `exec "${process.execPath}" "${MAIN}" "$@"`,
    psql: 'case "$1" in postgres://*) echo "psql (17.0)";; *) exit 1;; esac',
    npm: 'test -n "$DATABASE_URL" && echo "> shop@1.0.0 $1"',
    openssl: "echo 5ca1ab1e5ca1ab1e5ca1ab1e5ca1ab1e",
    kubectl: "grep -q '^kind: Secret' && echo 'secret/vsync created'",
    gh: 'case "$1 $2" in "secret list") echo "[]";; "secret set") test "$3 $5" != "B a/refuses-b" && test -n "$(cat)";; *) exit 1;; esac',
  };
  mkdirSync(bin);
  for (const [name, script] of Object.entries(scripts)) {
    writeFileSync(join(bin, name), `#!/bin/sh\n${script}\n`);
    chmodSync(join(bin, name), 0o755);
  }
}

function normalise(text: string, folder: string): string {
  const plain = text
    .replaceAll(folder, "/home")
    .replaceAll(`${userInfo().username}@${hostname()}`, "me@laptop")
    .replaceAll(hostname(), "laptop");
  const address = nodeHost().localIp();
  return (address === "" ? plain : plain.replaceAll(address, "192.0.2.2"))
    .replace(/\b20\d{6}-\d{6}\b/g, "YYYYMMDD-HHmmss")
    .replace(/\b20\d\d-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d+)?Z?/g, "YYYY-MM-DD HH:MM:SS")
    .replace(/\b\d+ (second|minute)s?\b/g, "N seconds")
    .replace(/\b\d+ bytes\b/g, "N bytes")
    .replace(/\b\d+(\.\d+)? [KM]iB\b/g, "N KiB")
    .replace(/"(size|bytes)": \d+/g, '"$1": N')
    .replace(/\bYYYYMMDD-HHmmss-[0-9a-f]{8}\b/g, "YYYYMMDD-HHmmss-xxxxxxxx")
    .replace(/\b[0-9a-f]{64}\b/g, "(sha256)")
    .replace(/vsync-cfg-v1:[\w-]+/g, "vsync-cfg-v1:...")
    .replace(/\b[a-z]+(-[a-z]+){5}\b/g, "six-words-for-the-share-file")
    .replace(/[A-Za-z0-9+/]{43}=/g, "(passphrase)")
    .replaceAll(`${process.platform} ${process.arch}`, "linux x64")
    .replace(/\b(vsync|Node(?:\.js)?|git(?: version)?) v?\d+\.[\w.]*/g, "$1 N")
    .replace(/▪+/g, "▪▪▪▪▪▪▪▪")
    .replace(/(?<=\S) {2,}/g, "  ");
}
