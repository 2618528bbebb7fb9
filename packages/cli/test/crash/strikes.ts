// The ways in which a command is cut short, each at all of its points or at some that are drawn.

import assert from "node:assert/strict";
import { drawFrom } from "../../../../test/seed.ts";
import { listRequestPoints, type RequestPoint, runUntilRequest } from "./requests.ts";
import type { Scenario } from "./scenarios.ts";
import { listCalls, runWithFault, type SystemCall } from "./system-calls.ts";
import { checkAgain, checkFailure, checkHalfDone, checkNext, NEXT, type Stage, setStage } from "./trial.ts";
import type { Ended, World } from "./world.ts";

export interface Strike<Point> {
  readonly name: string;
  /** Runs the command undisturbed. */
  list(
    world: World,
    args: readonly string[],
  ): Promise<{ readonly ended: Ended; readonly points: readonly Point[] }>;
  describe(point: Point): string;
  /** Runs it and cuts it short; throws when it was not. */
  hit(world: World, args: readonly string[], point: Point): Promise<Ended>;
  /** What must hold at once. */
  check(stage: Stage, ended: Ended): void;
}

/** Killed before each call: it and all that comes after is not done. After one call is before the next, or at a request. */
export const atSystemCalls: Strike<SystemCall> = {
  name: "killed at a system call",
  async list(world, args) {
    const { ended, calls } = await listCalls(world, args);
    return { ended, points: calls };
  },
  describe: describeCall,
  hit: (world, args, call) => runWithFault(world, args, call, "signal=KILL"),
  check: checkHalfDone,
};

export const atRequests: Strike<RequestPoint> = {
  name: "killed at a request",
  list: listRequestPoints,
  describe: ({ method, key, nth, when }) => `${method} ${key} (${nth + 1}, ${when})`,
  hit: runUntilRequest,
  check: checkHalfDone,
};

/** Each call that takes space finds none; a sync finds a disk that cannot write. */
export const onFullDisk: Strike<SystemCall> = {
  name: "on a full disk",
  async list(world, args) {
    const { ended, calls } = await listCalls(world, args);
    return {
      ended,
      points: calls.filter(({ name }) => /^(open|write|pwrite|mkdir|rename|f(data)?sync)/.test(name)),
    };
  },
  describe: describeCall,
  hit: (world, args, call) =>
    runWithFault(world, args, call, call.name.endsWith("sync") ? "error=EIO" : "error=ENOSPC"),
  check: checkFailure,
};

/** Says what went wrong at which point, as it goes; returns how many points there were and all that went wrong. */
export async function strike<Point>(
  { name, list, describe, hit, check }: Strike<Point>,
  world: World,
  scenario: Scenario,
  { seed, sample }: { readonly seed: number; readonly sample?: number | undefined },
): Promise<{ readonly points: number; readonly failures: readonly string[] }> {
  const draw = drawFrom(seed);
  const pick = <T>(from: readonly T[]): T => from[Math.floor(draw() * from.length)] as T;
  let all: readonly Point[] = [];
  const stage = await setStage(world, scenario, async (args) => {
    const listed = await list(world, args);
    all = listed.points;
    return listed.ended;
  });
  assert(all.length > 0, `${scenario.name} has no points`);
  const points = sample === undefined ? all : Array.from({ length: sample }, () => pick(all));
  const failures: string[] = [];
  for (const point of points) {
    const next = pick(NEXT);
    world.rewind(stage.start);
    try {
      check(stage, await hit(world, stage.args, point));
      await checkNext(stage, next);
      await checkAgain(stage);
    } catch (error) {
      const where = describe(point).replaceAll(world.folder, "");
      failures.push(
        `${scenario.name} ${name}: ${where}, then ${next.join(" ")}: ${(error as Error).message}`,
      );
      process.stderr.write(`${failures.at(-1)}\n`);
    }
  }
  process.stderr.write(`${scenario.name} ${name}: ${points.length} points, ${failures.length} failures\n`);
  return { points: points.length, failures };
}

function describeCall({ name, path, nth }: SystemCall): string {
  return `${name} ${path} (${nth})`;
}
