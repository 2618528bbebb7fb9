// 50 writers and 200 readers on one bucket of a real S3 server for five minutes, or as many seconds as VSYNC_LOAD_SECONDS
// says: no promise of docs/reliability.md is broken. Prints what it took them.

import { spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, onTestFinished, test } from "vitest";
import { openBundle, readAuditLog, type VaultKeys } from "../packages/envelope/src/index.ts";
import { type ObjectStore, openStore } from "../packages/store/src/index.ts";
import { ENV, FILES, keysOf, type ReadersReport, type Task, type WritersReport } from "./load/task.ts";
import { describeWithS3 } from "./s3-suite.ts";

const SECONDS = Number(process.env.VSYNC_LOAD_SECONDS ?? 300);
const IN_ONE_PROCESS = 25;
const WRITERS = { program: "writers.ts", count: 50, restMs: 20_000 };
const READERS = { program: "readers.ts", count: 200, restMs: 10_000 };

interface Version {
  readonly timestamp: string;
  readonly generation: number;
  readonly mark: string;
}

describeWithS3("50 writers and 200 readers", ({ location, prefix }) => {
  test("break no promise", { timeout: (SECONDS + 900) * 1000 }, async () => {
    const folder = mkdtempSync(join(tmpdir(), "vsync-load-"));
    onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
    const { endpoint, region, bucket, accessKeyId, secretAccessKey } = location;
    const task = {
      location: { endpoint, region, bucket, accessKeyId, secretAccessKey },
      prefix,
      salt: randomBytes(18).toString("base64url"),
      iterations: 100_000,
      passphrase: randomBytes(32).toString("base64"),
      folder,
      seconds: SECONDS,
    };
    const [writers, readers] = await Promise.all([
      runAll<WritersReport>(task, WRITERS),
      runAll<ReadersReport>(task, READERS),
    ]);
    const keys = await keysOf({ ...task, first: 0, count: 0, restMs: 0 });
    const store = await openStore(location);
    const history = await readHistory(store, prefix, keys);
    const acknowledged = writers.flatMap((it) => it.acknowledged);
    const unknown = sum(writers.map((it) => it.unknown));
    say(writers, readers, history.length);

    expect(readers.flatMap((it) => it.broken)).toEqual([]);
    // A server this busy may leave somebody without an answer; nobody may be given a wrong one.
    const said = [...tallied(writers), ...tallied(readers)].map(([what]) => what);
    expect(
      said.filter((what) => !/^(ManifestNotFound|S3Unreachable)Error:|^UNREACHABLE:/.test(what)),
    ).toEqual([]);
    // One generation for each success, and no success that is not there as it was published.
    expect(history.map(({ generation }) => generation)).toEqual(history.map((_, index) => index + 1));
    expect(acknowledged.filter((it) => !same(history[it.generation - 1], it))).toEqual([]);
    expect(new Set(acknowledged.map(({ generation }) => generation)).size).toBe(acknowledged.length);
    expect(history.length - acknowledged.length).toBeLessThanOrEqual(unknown);
    const marks = new Set(history.map(({ mark }) => mark));
    expect(writers.flatMap((it) => it.denied).filter((mark) => marks.has(mark))).toEqual([]);
    // What readers saw is what was published under that generation.
    const seen = readers.flatMap((it) => it.seen);
    expect(seen.filter(([generation, mark]) => history[generation - 1]?.mark !== mark)).toEqual([]);
    expect([acknowledged.length > 0, seen.length > 0]).toEqual([true, true]);
    await expectTrueAudit(store, prefix, keys, new Set(history.map(({ timestamp }) => timestamp)));
    await store.close();
  });
});

async function runAll<T>(
  task: Omit<Task, "first" | "count" | "restMs">,
  { program, count, restMs }: typeof WRITERS,
): Promise<T[]> {
  const starts = Array.from(
    { length: Math.ceil(count / IN_ONE_PROCESS) },
    (_, index) => index * IN_ONE_PROCESS,
  );
  return await Promise.all(
    starts.map(async (first) => {
      const given = { ...task, folder: join(task.folder, program), first, restMs };
      return await runOne<T>(program, { ...given, count: Math.min(IN_ONE_PROCESS, count - first) });
    }),
  );
}

async function runOne<T>(program: string, task: Task): Promise<T> {
  const path = fileURLToPath(new URL(`./load/${program}`, import.meta.url));
  const args = ["--conditions=vsync-source", "--import", "tsx", path, JSON.stringify(task)];
  const child = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "inherit"] });
  let said = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    said += text;
  });
  const [status] = await once(child, "close");
  expect(status, program).toBe(0);
  return JSON.parse(said) as T;
}

/** From the manifest back to the first version; oldest first. */
async function readHistory(store: ObjectStore, prefix: string, keys: VaultKeys): Promise<Version[]> {
  const manifest = await store.get(`${prefix}manifest`);
  let timestamp = new TextDecoder().decode(manifest?.body);
  const history: Version[] = [];
  while (timestamp !== "") {
    const bundle = await store.get(`${prefix}v=${timestamp}`);
    const files = await openBundle(keys, bundle?.body as Uint8Array, { timestamp, sealed: true });
    const marks = FILES.map((name) =>
      new TextDecoder().decode(files.get(name)?.bytes).trim().slice("MARK=".length),
    );
    expect(new Set(marks).size, `one mark in ${timestamp}`).toBe(1);
    history.push({ timestamp, generation: Number(bundle?.metadata.gen), mark: marks[0] as string });
    timestamp = bundle?.metadata["prev-ts"] ?? "";
  }
  expect(manifest?.metadata.gen, ENV).toBe(String(history.length));
  return history.reverse();
}

async function expectTrueAudit(
  store: ObjectStore,
  prefix: string,
  keys: VaultKeys,
  published: ReadonlySet<string>,
): Promise<void> {
  const names = [`${prefix}audit.csv`];
  for await (const { key } of store.list(`${prefix}audit/`)) names.push(key);
  for (const name of names) {
    const log = await readAuditLog(keys, (await store.get(name))?.body as Uint8Array);
    expect([name, log?.firstBadRow]).toEqual([name, null]);
    expect(log?.rows.filter((row) => !published.has(row.version_ts))).toEqual([]);
  }
}

function same(version: Version | undefined, { timestamp, mark }: Omit<Version, "generation">): boolean {
  return version?.timestamp === timestamp && version.mark === mark;
}

function say(
  writers: readonly WritersReport[],
  readers: readonly ReadersReport[],
  generations: number,
): void {
  const published = sum(writers.map((it) => it.acknowledged.length));
  const conflicts = sum(writers.map((it) => it.conflicts));
  const lines = [
    `${SECONDS} s: ${generations} generations, ${published} acknowledged, ${conflicts} conflicts (${percent(conflicts, published + conflicts)} of attempts), ${sum(writers.map((it) => it.unknown))} unknown`,
    `publish   ${percentiles(writers.flatMap((it) => it.publishMs))}`,
    `open      ${percentiles(readers.flatMap((it) => it.openMs))}, ${sum(readers.map((it) => it.seen.length))} openings`,
    `audit rows not written: ${sum(writers.map((it) => it.lostRows))}`,
    ...[...tallied(writers), ...tallied(readers)].map(([what, times]) => `${times} x ${what}`),
  ];
  process.stderr.write(`load: ${lines.join("\n      ")}\n`);
}

function tallied(
  reports: readonly { readonly failures: Readonly<Record<string, number>> }[],
): [string, number][] {
  const total = new Map<string, number>();
  for (const [what, times] of reports.flatMap((it) => Object.entries(it.failures))) {
    total.set(what, (total.get(what) ?? 0) + times);
  }
  return [...total];
}

function percentiles(times: readonly number[]): string {
  const sorted = times.toSorted((a, b) => a - b);
  const at = (share: number) => `${(sorted[Math.floor((sorted.length - 1) * share)] ?? 0).toFixed(0)} ms`;
  return `p50 ${at(0.5)}, p95 ${at(0.95)}, p99 ${at(0.99)}`;
}

const percent = (part: number, whole: number): string =>
  `${((100 * part) / Math.max(1, whole)).toFixed(1)} %`;
const sum = (numbers: readonly number[]): number => numbers.reduce((total, number) => total + number, 0);
