// Marked secrets, and every place where one of them may have come to after a command.

import { randomBytes } from "node:crypto";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  statSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import type { FakeS3 } from "../packages/store/test/fake-s3.ts";
import { type Finished, type Machine, makeMachine, run } from "./machine.ts";

/** Marks by what they mark. */
export type Canaries = ReadonlyMap<string, string>;

export interface TraceOptions {
  readonly status?: number;
  readonly input?: string;
  readonly env?: Readonly<Record<string, string>>;
}

export interface Hunt {
  readonly folder: string;
  readonly machine: Machine;
  readonly server: FakeS3;
  /** Of the commands. */
  readonly temporary: string;
  /** Places that may hold one: `what` it is, and the file's path, or the name of a request's header. */
  mayHold(what: string, where: string): boolean;
}

export const mark = (): string => `canary${randomBytes(12).toString("hex")}`;

/** In a folder of its own, for a whole file. */
export async function beginHunt(server: FakeS3, mayHold: Hunt["mayHold"]): Promise<Hunt> {
  const folder = realpathSync(mkdtempSync(join(tmpdir(), "vsync-canary-")));
  const temporary = join(folder, "tmp");
  mkdirSync(temporary);
  return { folder, machine: await makeMachine(join(folder, "machine")), server, temporary, mayHold };
}

/** Runs the command as users with a careless umask do, and every execve and open in it on record. */
export async function traced(
  { folder, machine, temporary }: Hunt,
  args: readonly string[],
  { env = {}, ...options }: TraceOptions = {},
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

/** Everywhere: what the command said, its children, the disk, the bucket and what that was sent. */
export function findEverywhere(
  hunt: Hunt,
  canaries: Canaries,
  { stdout, stderr, calls }: Finished & { calls: string },
): string[] {
  const { machine, server, temporary } = hunt;
  const find = (where: string, text: string | Buffer): string[] => findIn(hunt, canaries, where, text);
  const execs = calls.split("\n").filter((line) => line.includes("execve("));
  const children = execs.slice(1); // the first one is the command itself, with the environment that it was given
  return [
    ...find("stdout", stdout),
    ...find("stderr", stderr),
    ...find("argv", execs[0]?.replace(/\[[^\]]*\](?=\) = )/, "") ?? ""),
    ...find("a child's argv or environment", children.join("\n")),
    ...[temporary, machine.home, machine.repository].flatMap((root) => findOnDisk(hunt, canaries, root)),
    ...server.requests.flatMap(({ key, query, headers }) => [
      ...find("a request", JSON.stringify([key, [...query]])),
      ...Object.entries(headers).flatMap(([name, value]) => find(`header ${name}`, String(value))),
    ]),
    ...[...server.objects].flatMap(([key, { body, metadata }]) => [
      ...find(key, Buffer.from(body)),
      ...find(key, JSON.stringify(metadata)),
    ]),
  ];
}

export function findOnDisk(hunt: Hunt, canaries: Canaries, root: string): string[] {
  if (!existsSync(root)) return [];
  return readdirSync(root, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .flatMap((path) => findIn(hunt, canaries, path, readFileSync(path)));
}

/** As it is, in base64, in gzip, or in a runtime token. */
function findIn({ mayHold }: Hunt, canaries: Canaries, where: string, text: string | Buffer): string[] {
  const bytes = Buffer.from(text);
  const tokens = bytes.toString("latin1").matchAll(/vsync-cfg-v1:([\w-]+)/g);
  const packed = [bytes, ...[...tokens].map(([, token]) => Buffer.from(token as string, "base64url"))];
  const layers = [
    bytes,
    ...packed.filter((it) => it[0] === 0x1f && it[1] === 0x8b).map((it) => gunzipSync(it)),
  ];
  return [...canaries]
    .filter(([what, canary]) => {
      const forms = [canary, Buffer.from(canary).toString("base64").replace(/=+$/, "")];
      return forms.some((form) => layers.some((layer) => layer.includes(form))) && !mayHold(what, where);
    })
    .map(([what]) => `${what} in ${where}`);
}

/** Files created in a way that would take over, or follow, what somebody had put there. */
export function carelessOpens({ folder }: Hunt, calls: string): string[] {
  const created = calls.split("\n").filter((line) => line.includes("openat(") && line.includes("O_CREAT"));
  return created.filter((line) => line.includes(folder) && !/O_EXCL/.test(line));
}

/** What vsync keeps, and others could read in spite of umask 000. */
export function openToOthers({ machine }: Hunt): string[] {
  const roots = [".config", ".local", "keystore"]
    .map((name) => join(machine.home, name))
    .filter((path) => existsSync(path));
  const paths = roots.flatMap((root) =>
    readdirSync(root, { recursive: true, encoding: "utf8" }).map((name) => join(root, name)),
  );
  return paths.filter((path) => /\/(vsync|keystore)\//.test(path) && (statSync(path).mode & 0o077) !== 0);
}
