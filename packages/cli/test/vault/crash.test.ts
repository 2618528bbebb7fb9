// The process may end before any change on the disk: each file is wholly old or wholly new, and the next command, whichever
// it is, finishes or undoes the rest. docs/formats.md sections 6 and 9.

import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync } from "node:fs";
import { basename, join } from "node:path";
import { isMainThread } from "node:worker_threads";
import { openBundle } from "@vsync/envelope";
import { describe, expect, it } from "vitest";
import { type CliError, toCliError } from "../../src/cli-error.ts";
import { loadLedger } from "../../src/vault/ledger.ts";
import { pullVault } from "../../src/vault/pull.ts";
import { recoverEarlierWork } from "../../src/vault/recover.ts";
import { type DiskStep, watchDisk } from "./disk.ts";
import { faultyStore } from "./faulty-store.ts";
import { type MemoryStore, memoryStore } from "./memory-store.ts";
import { KEYS, makeWriter, readAudit, readHistory, type Writer } from "./writer.ts";

const OLD = { ".env.demo": "A=1\n", "tls/key": "an old key" };
const NEW = { ".env.demo": "A=2\n", "new/file.txt": "a new file" };

interface World {
  readonly store: MemoryStore;
  readonly bob: Writer;
}

/** Bob is in step with generation 1, Ann has published generation 2. */
async function makeWorld(): Promise<World> {
  const store = memoryStore();
  const clock = { nowMs: Date.UTC(2026, 4, 1, 12) };
  const ann = makeWriter({ store, clock, name: "ann" });
  const bob = makeWriter({ store, clock, name: "bob" });
  ann.edit(OLD);
  await ann.push();
  await bob.pull();
  clock.nowMs += 60_000;
  ann.edit({ ...NEW, "tls/key": null });
  await ann.push();
  return { store, bob };
}

/** Runs `command` and ends its process before the change with this index: nothing more reaches disk or bucket. */
async function runUntil(
  index: number,
  { store, bob }: World,
  command: (bob: Writer) => Promise<unknown>,
): Promise<void> {
  let isDead = false;
  const connection = faultyStore(store, () => (isDead ? "crash-before" : null));
  const process = bob.restarted(connection);
  await watchDisk(
    (step) => {
      isDead ||= step.index >= index;
      if (isDead) throw new Error("the process has ended");
    },
    () => Promise.race([command(process).catch(() => undefined), connection.crashed]),
  );
  expect(isDead, `step ${index} was reached`).toBe(true);
}

async function stepsOf(bob: Writer, command: (bob: Writer) => Promise<unknown>): Promise<DiskStep[]> {
  const steps: DiskStep[] = [];
  await watchDisk(
    (step) => void steps.push(step),
    () => command(bob),
  );
  return steps;
}

/** Ends `command` before each change it makes on the disk, each time in a world of its own, and calls `check`. */
async function killAtEachStep(
  makeWorld: () => Promise<World>,
  command: (bob: Writer) => Promise<unknown>,
  check: (world: World) => Promise<void>,
): Promise<number> {
  const steps = await stepsOf((await makeWorld()).bob, command);
  for (const { index, operation, path } of steps) {
    const world = await makeWorld();
    await runUntil(index, world, command);
    await check(world).catch((cause: unknown) => {
      throw new Error(`killed before step ${index}: ${operation} ${path}`, { cause });
    });
  }
  return steps.length;
}

/** Nothing but what belongs there, beside the vault folder and in the state folder. */
function expectTidy(bob: Writer): void {
  expect(readdirSync(bob.folder).filter((name) => name !== "state" && name !== "vault")).toEqual([]);
  const state = readdirSync(join(bob.folder, "state"));
  expect(state.filter((name) => !["ledger.json", "bases", "backups"].includes(name))).toEqual([]);
  const { paths } = bob.environment.local;
  const kept = existsSync(paths.bases) ? readdirSync(paths.bases) : [];
  expect(kept).toEqual(loadLedger(paths).synced.map(({ timestamp }) => `${timestamp}.rqe1`));
}

async function backups(bob: Writer): Promise<Record<string, string>[]> {
  const folder = bob.environment.local.paths.backups;
  const names = existsSync(folder)
    ? readdirSync(folder).filter((name) => name.endsWith(".rqe1") && !name.startsWith("."))
    : [];
  return await Promise.all(
    names.map(async (name) => {
      const open = { timestamp: basename(name, ".rqe1"), sealed: false };
      const files = await openBundle(KEYS, readFileSync(join(folder, name)), open);
      return Object.fromEntries(
        [...files].map(([name, { bytes }]) => [name, new TextDecoder().decode(bytes)]),
      );
    }),
  );
}

/** Bob is in step with generation 2 and has an edit to publish. */
async function makeEdited(): Promise<World> {
  const world = await makeWorld();
  await world.bob.pull();
  world.bob.edit({ ".env.demo": "A=3\n" });
  return world;
}

describe("a pull that is killed", () => {
  it("leaves the old folder or the new one, and a ledger that knows which", async () => {
    const steps = await killAtEachStep(
      makeWorld,
      (bob) => bob.pull(),
      async ({ bob }) => {
        expect([OLD, NEW, null]).toContainEqual(bob.vault());
        await bob.recover();
        const isNew = bob.vault()?.[".env.demo"] === "A=2\n";
        expect(bob.vault()).toEqual(isNew ? NEW : OLD);
        expect(loadLedger(bob.environment.local.paths).synced[0]?.generation).toBe(isNew ? 2 : 1);
        expectTidy(bob);
        expect(await bob.pull()).toMatchObject({ generation: 2 });
        expect(bob.vault()).toEqual(NEW);
      },
    );
    expect(steps).toBeGreaterThan(40);
  });

  it("loses no edit that --backup was to keep", async () => {
    const EDITED = { ...OLD, ".env.demo": "A=bob\n" };
    await killAtEachStep(
      async () => {
        const world = await makeWorld();
        world.bob.edit({ ".env.demo": "A=bob\n" });
        return world;
      },
      (bob) => bob.pull({ backup: true }),
      async ({ bob }) => {
        await bob.recover();
        if (bob.vault()?.[".env.demo"] === "A=bob\n") expect(bob.vault()).toEqual(EDITED);
        else {
          expect(bob.vault()).toEqual(NEW);
          expect(await backups(bob)).toContainEqual(EDITED);
        }
        expectTidy(bob);
        await bob.pull({ backup: true });
        expect(await backups(bob)).toContainEqual(EDITED);
      },
    );
  });

  it("has everything on the disk before the folder is swapped, and the swap before the ledger says so", async () => {
    const { bob } = await makeWorld();
    const steps = await stepsOf(bob, (it) => it.pull());
    const name = (path: string): string =>
      path
        .replace(bob.folder, "")
        .replace(/\/\.vsync-vault-[0-9a-f]{16}/, "/staging")
        .replace(/\/\.([^/]*)\.[0-9a-f-]{36}\.tmp$/, "/$1");
    const lasting = steps.filter(({ operation }) => /fsync|rename|^rm$/.test(operation));
    const order = lasting.map(({ operation, path }) => `${operation} ${name(path)}`);
    expect(order.filter((it) => !it.endsWith("/state"))).toEqual([
      "fsync /state/ledger.json", // generation 2 was seen
      "rename /state/ledger.json",
      "fsync /state/swap.json",
      "rename /state/swap.json",
      "fsync /staging/new/.env.demo",
      "fsync /staging/new/new/file.txt",
      "fsync /staging/new",
      "fsync /staging/new/new",
      "fsync /staging",
      "fsync /state/bases/20260501-120100.rqe1",
      "rename /state/bases/20260501-120100.rqe1",
      "fsync /state/bases",
      "fsync /state/swap.json",
      "rename /state/swap.json",
      "rename /vault",
      "rename /staging/new",
      "fsync /staging",
      "fsync ",
      "fsync /state/ledger.json",
      "rename /state/ledger.json",
      "fsync /state/bases", // the older one is dropped
      "rm /staging",
      "fsync /state/ledger.json",
      "rename /state/ledger.json",
    ]);
  });

  it("into a repository without a vault folder leaves none, or a whole one", async () => {
    await killAtEachStep(
      async () => {
        const { store } = await makeWorld();
        return { store, bob: makeWriter({ store, clock: { nowMs: Date.UTC(2026, 4, 2) } }) };
      },
      (bob) => bob.pull(),
      async ({ bob }) => {
        await bob.recover();
        expect([NEW, null]).toContainEqual(bob.vault());
        expectTidy(bob);
        expect(await bob.pull()).toMatchObject({ generation: 2 });
      },
    );
  });

  it("has its audit row written by the next command, once", async () => {
    let finished = 0;
    await killAtEachStep(
      makeWorld,
      (bob) => bob.pull(),
      async ({ bob, store }) => {
        const rows = async () => (await readAudit(store)).filter(({ action }) => action === "pull");
        const before = (await rows()).length;
        const known = bob.notes.length;
        await bob.recover();
        const notes = bob.notes.slice(known);
        if (notes.some((note) => note.startsWith("an interrupted pull was finished; "))) {
          finished++;
          expect(await rows()).toHaveLength(before + 1);
        }
        await bob.pull();
        // The row is best effort once the journal is gone; never is there one too many.
        expect((await rows()).length).toBeLessThanOrEqual(2);
      },
    );
    expect(finished).toBeGreaterThan(0);
  });
});

describe("a recovery that is killed", () => {
  const pull = (bob: Writer) => bob.pull();
  const recover = (bob: Writer) => bob.recover();

  /** Index of the rename that puts the new folder in place. */
  async function indexOfExchange(): Promise<number> {
    const steps = await stepsOf((await makeWorld()).bob, pull);
    return steps.find(({ operation, path }) => operation === "rename" && path.endsWith("/new"))!.index;
  }

  it.each([
    ["undoes", "before", 0, OLD, 1],
    ["finishes", "after", 1, NEW, 2],
  ] as const)(
    "%s the swap all the same: killed first just %s the exchange",
    async (_, __, offset, vault, generation) => {
      const exchange = await indexOfExchange();
      const makeHalfDone = async (): Promise<World> => {
        const world = await makeWorld();
        await runUntil(exchange + offset, world, pull);
        return world;
      };
      await killAtEachStep(makeHalfDone, recover, async ({ bob }) => {
        await bob.recover();
        expect(bob.vault()).toEqual(vault);
        expect(loadLedger(bob.environment.local.paths).synced[0]?.generation).toBe(generation);
        expectTidy(bob);
      });
    },
  );

  it("by a command in another checkout finishes it all the same", async () => {
    const half = await makeWorld();
    await runUntil((await indexOfExchange()) + 1, half, pull);
    const { environment, notes, folder } = half.bob;
    await recoverEarlierWork({ ...environment, vaultFolder: join(folder, "another") });
    expect(notes).toEqual([expect.stringContaining(`${join(folder, "vault")} is at version`)]);
    expect(await half.bob.pull()).toMatchObject({ updated: false, generation: 2 });
    expectTidy(half.bob);
  });

  it("goes on where an earlier one had removed some of what was replaced", async () => {
    const world = await makeWorld();
    const removal = (await stepsOf(world.bob, pull)).find(({ operation }) => operation === "rm")!;
    const half = await makeWorld();
    await runUntil(removal.index, half, pull);
    const [staging] = readdirSync(half.bob.folder).filter((name) => name.startsWith(".vsync-"));
    rmSync(join(half.bob.folder, staging!, "old", ".env.demo"));
    await half.bob.recover();
    expect(half.bob.vault()).toEqual(NEW);
    expectTidy(half.bob);
  });

  it("does not take away a folder that somebody made in the meantime", async () => {
    const world = await makeWorld();
    const { bob } = world;
    await runUntil(await indexOfExchange(), world, pull);
    expect(bob.vault()).toBeNull();
    bob.edit({ "mine.txt": "made by hand" });
    await expect(bob.recover()).rejects.toMatchObject({ code: "LOCAL_IO" });
    expect(bob.vault()).toEqual({ "mine.txt": "made by hand" });
    bob.edit({ "mine.txt": null });
    await bob.recover();
    expect(bob.vault()).toEqual(OLD);
  });
});

describe("what a pull replaced", () => {
  /** As root no permission is missing. */
  async function asSomebodyElse(work: () => Promise<void>): Promise<void> {
    const isRoot = process.getuid?.() === 0;
    if (isRoot) process.seteuid?.(65534);
    try {
      await work();
    } finally {
      if (isRoot) process.seteuid?.(0);
    }
  }

  it.runIf(process.getuid !== undefined && isMainThread)(
    "is removed although somebody made a folder in it read-only",
    async () => {
      await asSomebodyElse(async () => {
        const { bob } = await makeWorld();
        chmodSync(join(bob.folder, "vault", "tls"), 0o500);
        expect(await bob.pull()).toMatchObject({ updated: true });
        expect(bob.vault()).toEqual(NEW);
        expectTidy(bob);
      });
    },
  );

  it("and cannot be removed ends no later command: each warns, until it is gone, and none goes back", async () => {
    const { store, bob } = await makeWorld();
    const failure = Object.assign(new Error("EPERM: not yours"), { code: "EPERM", syscall: "unlink" });
    const stuck = <T>(work: () => Promise<T>): Promise<T> =>
      watchDisk(({ operation }) => {
        if (operation === "rm") throw failure;
      }, work);
    const answer: CliError = await stuck(() => bob.pull()).catch((error) => error);
    const [staging] = readdirSync(bob.folder).filter((name) => name.startsWith(".vsync-"));
    const command = `sudo rm -r ${join(bob.folder, staging!)}`;
    expect(answer).toMatchObject({ code: "PARTIAL", hint: expect.stringContaining(command) });
    expect(bob.vault()).toEqual(NEW);
    bob.edit({ ".env.demo": "A=3\n" });
    await stuck(() => bob.push());
    expect(bob.notes).toEqual([expect.stringContaining("is at version")]);
    await stuck(() => bob.recover());
    expect(bob.warnings).toEqual([expect.stringContaining(command), expect.stringContaining(command)]);
    expect(bob.notes).toHaveLength(1);
    expect(loadLedger(bob.environment.local.paths).synced[0]?.generation).toBe(3);
    rmSync(join(bob.folder, staging!), { recursive: true });
    await bob.recover();
    expect(bob.warnings).toHaveLength(2);
    expectTidy(bob);
    const pulls = (await readAudit(store)).filter(({ action }) => action === "pull");
    expect(pulls).toHaveLength(2); // one for each generation
  });

  it.each([
    ["before", 0, OLD],
    ["after", 1, NEW],
  ] as const)(
    "is settled where the repository was moved to: killed just %s the exchange",
    async (_, offset, vault) => {
      const makeShop = async (): Promise<World> => {
        const world = await makeWorld();
        mkdirSync(join(world.bob.folder, "shop"));
        renameSync(join(world.bob.folder, "vault"), join(world.bob.folder, "shop", "vault"));
        return world;
      };
      const pull = ({ environment, folder }: Writer) =>
        pullVault({ ...environment, vaultFolder: join(folder, "shop", "vault") }, { env: "demo" });
      const steps = await stepsOf((await makeShop()).bob, pull);
      const exchange = steps.find(({ operation, path }) => operation === "rename" && path.endsWith("/new"))!;
      const world = await makeShop();
      await runUntil(exchange.index + offset, world, pull);
      const { environment, folder, notes, warnings } = world.bob;
      const [shop, moved] = [join(folder, "shop"), join(folder, "moved")];
      renameSync(shop, moved);
      const elsewhere = { ...environment, vaultFolder: join(folder, "elsewhere", "vault") };
      await recoverEarlierWork(elsewhere);
      expect(notes).toEqual([]);
      expect(warnings).toEqual([expect.stringContaining(`${shop} is not there any more`)]);
      // A pull there would take the place of the one journal that leads back.
      await expect(pullVault(elsewhere, { env: "demo" })).rejects.toMatchObject({
        code: "CONFLICT",
        hint: expect.stringContaining(`rm ${environment.local.paths.swap}`),
      });
      const there = { ...environment, vaultFolder: join(moved, "vault") };
      await recoverEarlierWork(there);
      expect(notes).toEqual([expect.stringContaining(join(moved, "vault"))]);
      expect(readdirSync(moved)).toEqual(["vault"]);
      expect(readFileSync(join(moved, "vault", ".env.demo"), "utf8")).toBe(vault[".env.demo"]);
      expect(existsSync(environment.local.paths.swap)).toBe(false);
    },
  );
});

describe("a push that is killed", () => {
  it("is in the history or is not, and the next command says which", async () => {
    const steps = await killAtEachStep(
      makeEdited,
      (bob) => bob.push(),
      async ({ store, bob }) => {
        await bob.recover();
        const [newest] = await readHistory(store);
        const isPublished = newest?.generation === 3;
        if (isPublished) expect(newest.files).toMatchObject({ ".env.demo": "A=3\n" });
        expect(loadLedger(bob.environment.local.paths).synced[0]?.generation).toBe(isPublished ? 3 : 2);
        expectTidy(bob);
        expect(await bob.push()).toMatchObject({ published: !isPublished, generation: 3 });
        const rows = (await readAudit(store)).filter(({ action }) => action === "push");
        expect(rows.map(({ version_ts }) => version_ts)).toEqual(
          (await readHistory(store)).map(({ timestamp }) => timestamp).reverse(),
        );
        expect(bob.vault()).toEqual({ ...NEW, ".env.demo": "A=3\n" });
      },
    );
    expect(steps).toBeGreaterThan(20);
  });
});

/** Fails each change on the disk once, with this error, in a world of its own; the code that the command ends in. */
async function failEachStep(
  code: string,
  makeWorld: () => Promise<World>,
  command: (bob: Writer) => Promise<unknown>,
  check: (world: World, answer: string) => Promise<void>,
): Promise<void> {
  const steps = await stepsOf((await makeWorld()).bob, command);
  for (const { index, operation, path } of steps) {
    const world = await makeWorld();
    const failure = Object.assign(new Error(`${code}: ${operation} ${path}`), { code, syscall: operation });
    const answer = await watchDisk(
      (step) => {
        if (step.index === index) throw failure;
      },
      () =>
        command(world.bob).then(
          () => "done",
          (error: unknown) => toCliError(error).code,
        ),
    );
    await check(world, answer).catch((cause: unknown) => {
      throw new Error(`${answer} after ${code} at step ${index}: ${operation} ${path}`, { cause });
    });
  }
}

describe.each(["ENOSPC", "EACCES"])("%s at any change on the disk", (code) => {
  it("leaves a pull undone, or done with something to tidy up", async () => {
    await failEachStep(
      code,
      makeWorld,
      (bob) => bob.pull(),
      async ({ bob }, answer) => {
        expect(["LOCAL_IO", "PARTIAL", "done"]).toContain(answer);
        expect(bob.vault()).toEqual(answer === "LOCAL_IO" ? OLD : NEW);
        if (answer === "PARTIAL") await bob.recover();
        const {
          synced: [synced],
        } = loadLedger(bob.environment.local.paths);
        expect(synced?.generation).toBe(answer === "LOCAL_IO" ? 1 : 2);
        expect(await bob.pull()).toMatchObject({ generation: 2 });
        expect(bob.vault()).toEqual(NEW);
        expectTidy(bob);
      },
    );
  });

  it("leaves a push unpublished, or published with something to note down", async () => {
    await failEachStep(
      code,
      makeEdited,
      (bob) => bob.push(),
      async ({ store, bob }, answer) => {
        expect(["LOCAL_IO", "PARTIAL", "done"]).toContain(answer);
        expect(await readHistory(store)).toHaveLength(answer === "LOCAL_IO" ? 2 : 3);
        expect(await bob.push()).toMatchObject({ published: answer === "LOCAL_IO", generation: 3 });
        expectTidy(bob);
      },
    );
  });
});
