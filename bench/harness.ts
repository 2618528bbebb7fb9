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
  const sorted = times.toSorted((a, b) => a - b);
  const at = (part: number): number => sorted[Math.round(part * (sorted.length - 1))] ?? Number.NaN;
  return { name, median: at(0.5), fastest: at(0), slowest: at(1) };
}

export interface Cold {
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
  /** Holds the process to one processor, where `taskset` is installed. */
  readonly oneProcessor?: boolean;
}

/** Wall time of a fresh Node process from start to exit, in milliseconds; throws when it fails. */
export async function cold(
  args: readonly string[],
  { cwd, env, oneProcessor = false }: Cold = {},
): Promise<number> {
  const command = oneProcessor ? ["taskset", "-c", "0", process.execPath] : [process.execPath];
  const start = performance.now();
  const child = spawn(command[0] as string, [...command.slice(1), ...args], {
    cwd,
    env: { ...plainEnvironment(), ...env },
    stdio: ["ignore", "ignore", "pipe"],
  });
  let said = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    said += text;
  });
  const [status] = await once(child, "close");
  const took = performance.now() - start;
  if (status !== 0) throw new Error(`${args.join(" ")} ended with status ${status}: ${said}`);
  return took;
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
