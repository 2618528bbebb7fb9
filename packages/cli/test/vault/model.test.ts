// Several people at work at once, over connections that fail, on machines that die: whatever the order of events, the
// promises of docs/formats.md section 6 hold. A run that breaks one is printed with its seed.

import { existsSync, readdirSync, readFileSync } from "node:fs";
import { basename, join } from "node:path";
import { openBundle } from "@vsync/envelope";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { toCliError } from "../../src/cli-error.ts";
import { fetchVersion, readCurrentVersion } from "../../src/vault/remote.ts";
import { type Fault, faultyStore, READ_FAULTS, WRITE_FAULTS } from "./faulty-store.ts";
import { type MemoryStore, memoryStore } from "./memory-store.ts";
import { KEYS, makeWriter, readAudit, readHistory, type Writer } from "./writer.ts";

const NAMES = ["ann", "bob", "cat", "dan"];
const FILES = [".env.demo", "one.txt", "two.txt"];

type Action =
  | { readonly kind: "push"; readonly edits: readonly string[]; readonly force: boolean }
  | { readonly kind: "pull"; readonly edits: readonly string[]; readonly flag: "none" | "force" | "backup" }
  | { readonly kind: "read" };

/** What one person does, and what becomes of the requests. */
interface Turn {
  readonly who: number;
  readonly action: Action;
  readonly faults: readonly (Fault | null)[];
}

const edits = fc.uniqueArray(fc.constantFrom(...FILES), { maxLength: 2 });
const action: fc.Arbitrary<Action> = fc.oneof(
  { weight: 5, arbitrary: fc.record({ kind: fc.constant("push" as const), edits, force: fc.boolean() }) },
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constant("pull" as const),
      edits,
      flag: fc.constantFrom("none" as const, "force" as const, "backup" as const),
    }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("read" as const) }) },
);
const turn: fc.Arbitrary<Turn> = fc.record({
  who: fc.nat(NAMES.length - 1),
  action,
  faults: fc.oneof(
    { weight: 2, arbitrary: fc.constant([]) },
    {
      weight: 1,
      arbitrary: fc.array(fc.option(fc.constantFrom(...WRITE_FAULTS), { freq: 3, nil: null }), {
        maxLength: 10,
      }),
    },
  ),
});
/** Those of one round are at work at the same time, each at most once. */
const round = fc.uniqueArray(turn, { selector: ({ who }) => who, minLength: 1, maxLength: 4 });

interface World {
  readonly store: MemoryStore;
  readonly clock: { nowMs: number };
  readonly people: Writer[];
  /** Every edit's text, unless whoever made it has overwritten or discarded it. */
  readonly kept: Set<string>;
  /** Versions that a command said were published. */
  readonly acknowledged: Set<string>;
  edits: number;
}

function edit(world: World, writer: Writer, files: readonly string[]): void {
  for (const file of files) {
    const before = writer.vault()?.[file];
    if (before !== undefined) world.kept.delete(`${before} in ${writer.name}`);
    const text = `edit ${++world.edits} by ${writer.name}`;
    writer.edit({ [file]: text });
    world.kept.add(`${text} in ${writer.name}`);
  }
}

/** Allowed answers of a command when requests fail and others are at work; anything else is a broken promise. */
const HONEST = new Set([
  "CONFLICT",
  "LOCAL_CHANGES",
  "OUTCOME_UNKNOWN",
  "UNREACHABLE",
  "ACCESS_DENIED",
  "NOT_CONFIGURED",
  "INPUT",
]);

async function take(world: World, { who, action, faults }: Turn, scheduler: fc.Scheduler): Promise<void> {
  const writer = world.people[who]!;
  const connection = faultyStore(world.store, async ({ index, operation, key }) => {
    await scheduler.schedule(Promise.resolve(), `${writer.name} ${operation} ${key}`);
    const fault = faults[index] ?? null;
    if (fault === null || operation.startsWith("put")) return fault;
    return READ_FAULTS.includes(fault) ? fault : "unavailable";
  });
  const process = writer.restarted(connection);
  world.people[who] = process;
  const outcome = await Promise.race([run(world, process, action), connection.crashed]);
  if (outcome === "crashed") return;
  if (outcome.error !== null) expect(HONEST).toContain(toCliError(outcome.error).code);
}

async function run(world: World, writer: Writer, action: Action): Promise<{ error: unknown }> {
  if (action.kind === "read") {
    const trust = { sealRequired: true, highest: null, minGen: 0, acceptRollback: false };
    const { remote } = writer.environment;
    return await outcomeOf(async () => {
      const current = await readCurrentVersion(remote, trust, world.clock.nowMs);
      if (current !== null) await fetchVersion(remote, current);
    });
  }
  edit(world, writer, action.edits);
  const before = writer.vault() ?? {};
  if (action.kind === "push") {
    return await outcomeOf(async () => {
      const { published, timestamp } = await writer.push({ force: action.force });
      if (published) world.acknowledged.add(timestamp!);
    });
  }
  // What --force discards is what the folder held when it began.
  if (action.flag === "force")
    for (const text of Object.values(before)) world.kept.delete(`${text} in ${writer.name}`);
  return await outcomeOf(() => writer.pull(action.flag === "none" ? {} : { [action.flag]: true }));
}

async function outcomeOf(work: () => Promise<unknown>): Promise<{ error: unknown }> {
  return await work().then(
    () => ({ error: null }),
    (error: unknown) => ({ error }),
  );
}

async function backupsOf(writer: Writer): Promise<string[]> {
  const folder = writer.environment.local.paths.backups;
  if (!existsSync(folder)) return [];
  const texts: string[] = [];
  for (const name of readdirSync(folder).filter((it) => !it.startsWith("."))) {
    const open = { timestamp: basename(name, ".rqe1"), sealed: false };
    const files = await openBundle(KEYS, readFileSync(join(folder, name)), open);
    texts.push(...[...files.values()].map(({ bytes }) => new TextDecoder().decode(bytes)));
  }
  return texts;
}

async function checkPromises(world: World): Promise<void> {
  const history = await readHistory(world.store); // throws when a version is missing, damaged, or left out
  const timestamps = history.map(({ timestamp }) => timestamp);
  for (const timestamp of world.acknowledged)
    expect(timestamps, "an acknowledged version").toContain(timestamp);
  for (const { action, version_ts } of await readAudit(world.store)) {
    if (action === "push") expect(timestamps, "a version with an audit row").toContain(version_ts);
  }
  const texts = new Set(history.flatMap(({ files }) => Object.values(files)));
  for (const person of world.people) {
    for (const text of Object.values(person.vault() ?? {})) texts.add(text);
    for (const text of await backupsOf(person)) texts.add(text);
  }
  for (const kept of world.kept) expect(texts, "an edit").toContain(kept.replace(/ in \w+$/, ""));
}

describe("four people on one vault", () => {
  it("never lose an edit or a version, and are never told what is not so", { timeout: 240_000 }, async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(round, { minLength: 1, maxLength: 6 }),
        fc.scheduler(),
        async (rounds, scheduler) => {
          const store = memoryStore();
          const clock = { nowMs: Date.UTC(2026, 4, 1, 12) };
          const people = NAMES.map((name) => makeWriter({ store, clock, name }));
          const world: World = {
            store,
            clock,
            people,
            kept: new Set(),
            acknowledged: new Set(),
            edits: 0,
          };
          for (const turns of rounds) {
            await scheduler.waitFor(Promise.all(turns.map((it) => take(world, it, scheduler))));
            clock.nowMs += 500;
          }
          // Everybody comes back to a connection that works: all is settled, and all can go on.
          for (const [index, person] of world.people.entries()) {
            const next = person.restarted(store);
            world.people[index] = next;
            await next.recover();
          }
          await checkPromises(world);
          for (const person of world.people) {
            if ((await readHistory(store)).length > 0) await person.pull({ backup: true });
            edit(world, person, [".env.demo"]);
            await person.push();
          }
          await checkPromises(world);
        },
      ),
      { numRuns: 200 },
    );
  });
});
