// A process that feeds parsers: what it is doing stands in its journal, so that whoever ends it knows the input.
//
//   tsx --conditions=vsync-source packages/cli/test/fuzz/feed.ts '{"targets":["archive"],"seed":1,"runs":1000,"journal":"/tmp/j"}'

import crypto from "node:crypto";
import { openSync, readFileSync, writeSync } from "node:fs";
import { syncBuiltinESMExports } from "node:module";
import { setImmediate as turn } from "node:timers/promises";
import { getHeapStatistics } from "node:v8";
import type { Target } from "./target.ts";

export interface Order {
  readonly targets: readonly string[];
  readonly seed: number;
  /** Inputs for each target, or else seconds for each. */
  readonly runs?: number;
  readonly seconds?: number;
  /** A file for the input that is being fed. */
  readonly journal: string;
  /** Feeds this file instead, once. */
  readonly input?: string;
}

/** One line on stdout each. */
export type Report =
  | { readonly kind: "alive" }
  | {
      readonly kind: "done";
      readonly target: string;
      readonly runs: number;
      readonly outcomes: number;
      readonly slowestMs: number;
      readonly mostBytes: number;
    }
  | { readonly kind: "failed"; readonly target: string; readonly run: number; readonly problem: string };

/** Of processor time, for one input of at most 64 KiB: what takes longer would hang on a larger one. */
const MAX_CPU_MS = 5000;
/** Memory that any input may take, and for each byte of it. */
const FREE_BYTES = 48 * 1024 * 1024;
const BYTES_PER_BYTE = 64;
/** First inputs load modules and warm up. */
const WARM_UP = 50;

// The same key is asked for again and again. What a derivation gives does not change, and it takes 0.2 s.
const derive = crypto.pbkdf2;
const derived = new Map<string, Promise<Buffer>>();
crypto.pbkdf2 = ((
  password: Uint8Array,
  salt: Uint8Array,
  iterations: number,
  length: number,
  hash: string,
  done: (error: Error | null, key: Buffer) => void,
) => {
  const id = `${Buffer.from(password).toString("hex")}/${Buffer.from(salt).toString("hex")}/${iterations}`;
  const key =
    derived.get(id) ??
    new Promise<Buffer>((resolve, reject) => {
      derive(password, salt, iterations, length, hash, (error, key) =>
        error ? reject(error) : resolve(key),
      );
    });
  if (derived.size < 10_000) derived.set(id, key);
  key.then(
    (bytes) => done(null, Buffer.from(bytes)),
    (error) => done(error, Buffer.alloc(0)),
  );
}) as typeof crypto.pbkdf2;
syncBuiltinESMExports();

const { openSource } = await import("./inputs.ts");
const { TARGETS } = await import("./targets.ts");

const order: Order = JSON.parse(process.argv[2] ?? "{}");
const journal = openSync(order.journal, "w");

for (const name of order.targets) {
  const target = TARGETS.find((target) => target.name === name);
  if (target === undefined) throw new Error(`no target ${name}`);
  if (order.input !== undefined) console.log(await target.feed(readFileSync(order.input)));
  else if (!(await fuzz(target))) process.exit(1);
}
process.exit(0);

function report(line: Report): void {
  writeSync(1, `${JSON.stringify(line)}\n`);
}

async function fuzz(target: Target): Promise<boolean> {
  const { seed, runs: wanted = Number.POSITIVE_INFINITY, seconds = Number.POSITIVE_INFINITY } = order;
  const source = openSource(target.inputs, seed);
  const outcomes = new Set<string>();
  const end = performance.now() + seconds * 1000;
  let said = performance.now();
  let slowestMs = 0;
  let mostBytes = 0;
  let run = 0;
  for (; run < wanted && performance.now() < end; run++) {
    const input = source.next();
    note(target.name, run, input);
    try {
      const before = memory();
      const cpu = process.cpuUsage();
      const outcome = await target.feed(input);
      const { user, system } = process.cpuUsage(cpu);
      const ms = (user + system) / 1000;
      const taken = memory() - before;
      if (run >= WARM_UP) {
        slowestMs = Math.max(slowestMs, ms);
        mostBytes = Math.max(mostBytes, taken);
        if (ms > MAX_CPU_MS)
          throw new Error(`${Math.round(ms)} ms of processor time for ${input.length} bytes`);
        const allowed = FREE_BYTES + (target.memory?.(input.length) ?? BYTES_PER_BYTE * input.length);
        if (taken > allowed) throw new Error(`${taken} bytes of memory for ${input.length} bytes`);
      }
      if (!outcomes.has(outcome)) {
        outcomes.add(outcome);
        source.keep();
      }
    } catch (error) {
      const problem = error instanceof Error ? (error.stack ?? error.message) : String(error);
      report({ kind: "failed", target: target.name, run, problem });
      return false;
    }
    // Parsers that wait for nothing never let the event loop turn, and Node closes its compressors there.
    if (run % 100 === 0) await turn();
    if (performance.now() - said > 1000) {
      report({ kind: "alive" });
      said = performance.now();
    }
  }
  report({ kind: "done", target: target.name, runs: run, outcomes: outcomes.size, slowestMs, mostBytes });
  return true;
}

/** Lower after a collection, never higher than what is in use. */
function memory(): number {
  const { used_heap_size, external_memory } = getHeapStatistics();
  return used_heap_size + external_memory;
}

/** `<target> <run> <length>`, a line feed, the input. What stands behind it is older. */
function note(target: string, run: number, input: Uint8Array): void {
  const head = Buffer.from(`${target}\n${run}\n${input.length}\n`);
  writeSync(journal, Buffer.concat([head, input]), 0, head.length + input.length, 0);
}
