// Measures cold processes fairly: what is compared runs in turns, the middle of the times counts, ratios are what is read.

import { spawn } from "node:child_process";
import { once } from "node:events";

export interface Case {
  readonly name: string;
  /** Runs once and gives milliseconds. */
  readonly run: () => Promise<number>;
}

export interface Measured {
  readonly name: string;
  /** Milliseconds. */
  readonly median: number;
  readonly fastest: number;
  readonly slowest: number;
}

export const ROUNDS = 9;

/** Runs the cases one after the other, `rounds` times over, so that whatever else the machine does hits all of them alike. */
export async function interleave(
  cases: readonly Case[],
  rounds: number = ROUNDS,
): Promise<Map<string, Measured>> {
  const times = new Map<string, number[]>(cases.map(({ name }) => [name, []]));
  for (const { run } of cases) await run(); // fills the disk's cache; not counted
  for (let round = 0; round < rounds; round += 1) {
    for (const { name, run } of cases) times.get(name)?.push(await run());
  }
  return new Map([...times].map(([name, measured]) => [name, summary(name, measured)]));
}

function summary(name: string, times: readonly number[]): Measured {
  return { name, median: median(times), fastest: Math.min(...times), slowest: Math.max(...times) };
}

export function median(numbers: readonly number[]): number {
  const sorted = numbers.toSorted((a, b) => a - b);
  return sorted[Math.round((sorted.length - 1) / 2)] ?? Number.NaN;
}

export interface Cold {
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
  /** Holds the process to one processor, where `taskset` is installed. */
  readonly oneProcessor?: boolean;
}

/** Wall time of a fresh Node process from start to exit, in milliseconds; throws when it fails. */
export async function cold(args: readonly string[], options?: Cold): Promise<number> {
  const start = performance.now();
  await coldOutput(args, options);
  return performance.now() - start;
}

/** Standard output of a fresh Node process; throws when it fails. */
export async function coldOutput(
  args: readonly string[],
  { cwd, env, oneProcessor = false }: Cold = {},
): Promise<string> {
  const command = oneProcessor ? ["taskset", "-c", "0", process.execPath] : [process.execPath];
  const child = spawn(command[0] as string, [...command.slice(1), ...args], {
    cwd,
    env: { ...plainEnvironment(), ...env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const said = { stdout: "", stderr: "" };
  for (const stream of ["stdout", "stderr"] as const) {
    child[stream].setEncoding("utf8").on("data", (text: string) => {
      said[stream] += text;
    });
  }
  const [status] = await once(child, "close");
  if (status !== 0) throw new Error(`${args.join(" ")} ended with status ${status}: ${said.stderr}`);
  return said.stdout;
}

/** NODE_EXTRA_CA_CERTS triples the start of Node 20, NODE_OPTIONS may do anything, and VSYNC_ variables are ours to set. */
function plainEnvironment(): NodeJS.ProcessEnv {
  const names = Object.keys(process.env).filter((name) => !/^(NODE_|VSYNC_|npm_)/.test(name));
  return Object.fromEntries(names.map((name) => [name, process.env[name]]));
}

/** One line: the case, its median, and how many times the unit that is. */
export function row(measured: Measured, unit: Measured): string {
  const { name, median, fastest, slowest } = measured;
  const range = `(${fastest.toFixed(0)} to ${slowest.toFixed(0)})`;
  return `  ${name.padEnd(44)} ${median.toFixed(0).padStart(6)} ms ${range.padEnd(16)} ${(median / unit.median).toFixed(2).padStart(6)} x`;
}
