// Secrets are marked, and looked for wherever they have no business: after every command, well ended or not, in what it says, in
// argv and environment of every child, in temporary and state files, in the bucket and in what the server was sent.

import { randomBytes } from "node:crypto";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type FakeS3, startFakeS3 } from "../packages/store/test/fake-s3.ts";
import { type Finished, type Machine, makeMachine, run } from "./machine.ts";
import { hasPrograms } from "./programs.ts";

const RUNS = hasPrograms("secrets on their way", ["strace"], "apt-get install strace");
const mark = (): string => `canary${randomBytes(12).toString("hex")}`;
const VALUE = mark();
const CONTENT = mark();
const SHARE_WORDS = mark();
const FOREIGN_PASSPHRASE = mark();

let folder: string;
let server: FakeS3;
let machine: Machine;
let temporary: string;
const canaries = new Map([
  ["a value of the vault", VALUE],
  ["a file of the vault", CONTENT],
  ["the share's words", SHARE_WORDS],
  ["a passphrase in a variable", FOREIGN_PASSPHRASE],
]);

/** Runs the command as users with a careless umask do, and every execve and open in it on record. */
async function traced(
  args: readonly string[],
  { env = {}, ...options }: { status?: number; input?: string; env?: Record<string, string> } = {},
): Promise<Finished & { calls: string }> {
  const trace = join(folder, "trace");
  const script = `umask 000; exec strace -f -v -s 100000 -e trace=execve,openat -o "${trace}" "$@"`;
  const finished = await run("sh", ["-c", script, "sh", process.execPath, machine.main, ...args], {
    cwd: machine.repository,
    env: { ...machine.env, TMPDIR: temporary, ...env },
    ...options,
  });
  return { ...finished, calls: readFileSync(trace, "utf8") };
}

/** Where text like this is found: as it is, or in base64. */
function findIn(where: string, text: string | Buffer): string[] {
  const bytes = Buffer.from(text);
  return [...canaries].flatMap(([what, canary]) => {
    const forms = [canary, Buffer.from(canary).toString("base64").replace(/=+$/, "")];
    return forms.some((form) => bytes.includes(form)) ? [`${what} in ${where}`] : [];
  });
}

function findOnDisk(root: string, allowed: (path: string) => boolean): string[] {
  if (!existsSync(root)) return [];
  return readdirSync(root, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .filter((path) => !allowed(path))
    .flatMap((path) => findIn(path, readFileSync(path)));
}

const COMMANDS: readonly (readonly [
  string[],
  { status?: number; input?: string; env?: Record<string, string> }?,
])[] = [
  [["push", "demo"]],
  [["push", "demo", "--json"]],
  [["status", "--remote", "--json"]],
  [["versions", "demo"]],
  [["audit", "demo", "--verify"]],
  [["diff", "demo", "--remote"]],
  [["pull", "demo", "--backup"]],
  [["restore", "demo", "previous"], { status: 1 }],
  [["runtime-token", "demo"]],
  [["share", "export", "demo", "--out", "demo.share", "--passphrase-file", "-"], { input: SHARE_WORDS }],
  [
    ["share", "import", "demo.share", "--passphrase-file", "-", "--json"],
    { input: `${SHARE_WORDS}x`, status: 7 },
  ],
  [["doctor", "demo"], { status: 0 }],
  [["pull", "demo"], { status: 7, env: { VSYNC_PASSPHRASE: FOREIGN_PASSPHRASE } }],
  [["push", "demo", "--json", "--force"], { status: 7, env: { VSYNC_PASSPHRASE: FOREIGN_PASSPHRASE } }],
  [["rotate-passphrase", "demo", "--grace", "1h"]],
];

describe.skipIf(!RUNS)("a marked secret", () => {
  beforeAll(async () => {
    folder = realpathSync(mkdtempSync(join(tmpdir(), "vsync-canary-")));
    temporary = join(folder, "tmp");
    mkdirSync(temporary);
    server = await startFakeS3();
    machine = await makeMachine(join(folder, "machine"));
    const { endpoint, region, bucket, credentials } = server;
    canaries.set("the bucket's secret key", credentials.secretAccessKey);
    const place = [
      "--endpoint",
      endpoint,
      "--region",
      region,
      "--bucket",
      bucket,
      "--access-key",
      credentials.accessKeyId,
    ];
    await machine.vsync(["init", "demo", "--iterations", "100000", ...place, "--secret-key-file", "-"], {
      input: credentials.secretAccessKey,
    });
    const [keyFile = ""] = readdirSync(join(machine.home, "keystore"));
    canaries.set("the passphrase", readFileSync(join(machine.home, "keystore", keyFile), "utf8").trim());
    mkdirSync(machine.vault, { recursive: true });
    writeFileSync(join(machine.vault, ".env.demo"), `TOKEN=${VALUE}\n`);
    writeFileSync(join(machine.vault, "server.key"), CONTENT);
  });

  afterAll(async () => {
    await server?.close();
    if (folder !== undefined) rmSync(folder, { recursive: true, force: true });
  });

  test.each(COMMANDS.map(([args, options = {}]) => ({ command: args.join(" "), args, options })))(
    "is nowhere after: $command",
    async ({ args, options }) => {
      const { stdout, stderr, calls } = await traced(args, options);
      const execs = calls.split("\n").filter((line) => line.includes("execve("));
      const children = execs.slice(1); // the first one is the command itself, with the environment that it was given
      expect([
        ...findIn("stdout", stdout),
        ...findIn("stderr", stderr),
        ...findIn("argv", execs[0]?.replace(/\[[^\]]*\](?=\) = )/, "") ?? ""),
        ...findIn("a child's argv or environment", children.join("\n")),
        ...findOnDisk(temporary, () => false),
        ...findOnDisk(machine.home, (path) => path.includes("/keystore/")),
        ...findOnDisk(machine.repository, (path) => path.startsWith(machine.vault)),
        ...server.requests.flatMap(({ key, query, headers }) =>
          findIn("a request", JSON.stringify([key, [...query], headers])),
        ),
        ...[...server.objects].flatMap(([key, { body, metadata }]) => [
          ...findIn(key, Buffer.from(body)),
          ...findIn(key, JSON.stringify(metadata)),
        ]),
      ]).toEqual([]);
      expect(readdirSync(temporary)).toEqual([]);
      expect(carelessOpens(calls)).toEqual([]);
      expect(openToOthers()).toEqual([]);
    },
  );
});

/** Files created in a way that would take over, or follow, what somebody had put there. */
function carelessOpens(calls: string): string[] {
  const created = calls.split("\n").filter((line) => line.includes("openat(") && line.includes("O_CREAT"));
  return created.filter((line) => line.includes(folder) && !/O_EXCL/.test(line));
}

/** What vsync keeps, and others could read in spite of umask 000. */
function openToOthers(): string[] {
  const roots = [".config", ".local", "keystore"]
    .map((name) => join(machine.home, name))
    .filter((path) => existsSync(path));
  const paths = roots.flatMap((root) =>
    readdirSync(root, { recursive: true, encoding: "utf8" }).map((name) => join(root, name)),
  );
  return paths.filter((path) => /\/(vsync|keystore)\//.test(path) && (statSync(path).mode & 0o077) !== 0);
}
