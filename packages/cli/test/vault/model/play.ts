// One run of the model after the other: people at work on one vault, over connections that fail, on machines that die and
// whose clocks jump, beside readers and a rotator. Whatever the order of events, the promises of docs/reliability.md hold.

import { mkdtempSync, rmSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { temporaryFolder } from "../writer.ts";
import { withMortalProcesses } from "./machine.ts";
import { bringIntoUse, checkPromises, goOn, settleAll } from "./promises.ts";
import { opening, turn } from "./turns.ts";
import { begin, beginOpening, makeWorld, type Tally, type World } from "./world.ts";

/** Commands for fast-check: each begins a turn and leaves it to the scheduler when that goes on. */
class Begin<T> implements fc.AsyncCommand<object, World> {
  readonly turn: T;
  readonly start: (world: World, turn: T) => void;
  constructor(turn: T, start: (world: World, turn: T) => void) {
    this.turn = turn;
    this.start = start;
  }
  check(): boolean {
    return true;
  }
  async run(_: object, world: World): Promise<void> {
    this.start(world, this.turn);
  }
  toString(): string {
    return fc.stringify(this.turn);
  }
}

const commands = fc.commands(
  [turn.map((it) => new Begin(it, begin)), opening.map((it) => new Begin(it, beginOpening))],
  { maxCommands: 12 },
);

export function describeTally(tally: Tally): string {
  return Object.entries(tally)
    .map(([what, count]) => `${what} ${count}`)
    .join(", ");
}

/** Plays `runs` worlds; a run that breaks a promise is thrown, with what repeats it. */
export async function playModel(runs: number, seed: number): Promise<Tally> {
  const parent = temporaryFolder();
  const tally: Tally = {
    runs: 0,
    commands: 0,
    published: 0,
    rotations: 0,
    refused: 0,
    killed: 0,
    opened: 0,
    openedByGrace: 0,
  };
  await fc.assert(
    fc.asyncProperty(
      fc.integer({ min: 2, max: 5 }),
      fc.boolean(),
      fc.array(commands, { minLength: 1, maxLength: 4 }),
      fc.scheduler(),
      async (writers, isInUse, acts, scheduler) => {
        const folder = mkdtempSync(join(parent, "run-"));
        const world = await makeWorld(writers, folder, scheduler, tally);
        if (isInUse) await scheduler.waitFor(bringIntoUse(world));
        await withMortalProcesses(async () => {
          for (const commands of acts) {
            await fc.scheduledModelRun(scheduler, () => ({ model: {}, real: world }), commands);
            await scheduler.waitFor(Promise.all(world.atWork)); // all come to an end before the next act
          }
        });
        const epilogue = async () => {
          await settleAll(world);
          await checkPromises(world);
          await goOn(world);
          await checkPromises(world);
        };
        await scheduler.waitFor(epilogue());
        tally.runs++;
        tally.published += world.bucket.published.length;
        rmSync(folder, { recursive: true, force: true });
      },
    ),
    { numRuns: runs, seed },
  );
  return tally;
}
