import { readdirSync, readFileSync, renameSync, rmSync, statSync, utimesSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { deriveKeys, openBundle, sealBundle } from "@vsync/envelope";
import { describe, expect, it } from "vitest";
import { toCliError } from "../../src/cli-error.ts";
import { loadLedger, saveLedger } from "../../src/vault/ledger.ts";
import { watchDisk } from "./disk.ts";
import { faultyStore } from "./faulty-store.ts";
import { type MemoryStore, memoryStore } from "./memory-store.ts";
import { failureOf, KEYS, makeWriter, PREFIX, readAudit, type Writer } from "./writer.ts";

interface World {
  readonly store: MemoryStore;
  readonly clock: { nowMs: number };
  readonly ann: Writer;
  readonly bob: Writer;
}

const FIRST = { ".env.demo": "A=1\n", "tls/key": "a key of the tests", "same.txt": "what stays" };

/** Both are in step with generation 1. */
async function makeWorld(): Promise<World> {
  const store = memoryStore();
  const clock = { nowMs: Date.UTC(2026, 4, 1, 12) };
  const ann = makeWriter({ store, clock, name: "ann" });
  const bob = makeWriter({ store, clock, name: "bob" });
  ann.edit(FIRST);
  await ann.push();
  await bob.pull();
  clock.nowMs += 60_000;
  return { store, clock, ann, bob };
}

async function annPublishes({ ann, clock }: World, files: Record<string, string | null>): Promise<void> {
  ann.edit(files);
  await ann.push();
  clock.nowMs += 60_000;
}

async function openBackup(path: string): Promise<Record<string, string>> {
  const files = await openBundle(KEYS, readFileSync(path), {
    timestamp: basename(path, ".rqe1"),
    sealed: false,
  });
  return Object.fromEntries([...files].map(([name, { bytes }]) => [name, new TextDecoder().decode(bytes)]));
}

/** What lies beside the vault folder and in the state folder. */
function leftovers(writer: Writer): string[] {
  const state = readdirSync(join(writer.folder, "state"));
  const known = ["ledger.json", "bases", "backups"];
  return [...readdirSync(writer.folder), ...state].filter(
    (name) => !["vault", "state", ...known].includes(name),
  );
}

describe("pull", () => {
  it("makes the folder equal to the current version, private, with the owner's execute bit", async () => {
    const world = await makeWorld();
    writeFileSync(join(world.ann.folder, "vault", "run.sh"), "#!/bin/sh\n", { mode: 0o755 });
    await annPublishes(world, { "tls/key": null, ".env.demo": "A=2\n", "Grüße/ü.txt": "é" });
    expect(await world.bob.pull()).toMatchObject({
      updated: true,
      generation: 2,
      files: 4,
      added: ["Grüße/ü.txt", "run.sh"],
      changed: [".env.demo"],
      removed: ["tls/key"],
      backup: null,
    });
    const vault = join(world.bob.folder, "vault");
    expect(world.bob.vault()).toEqual({
      ".env.demo": "A=2\n",
      "Grüße/ü.txt": "é",
      "run.sh": "#!/bin/sh\n",
      "same.txt": "what stays",
    });
    const mode = (name: string) => (statSync(join(vault, name)).mode & 0o777).toString(8);
    expect([".", "Grüße", "run.sh", ".env.demo"].map(mode)).toEqual(["700", "700", "700", "600"]);
    expect(leftovers(world.bob)).toEqual([]);
    expect((await readAudit(world.store)).map(({ action }) => action)).toEqual([
      "push",
      "pull",
      "push",
      "pull",
    ]);
  });

  it("says so when there is nothing to do, after a look at the manifest and the files' stats", async () => {
    const { store, bob, clock } = await makeWorld();
    clock.nowMs = Date.now() + 60_000; // long after the files were written
    await bob.pull();
    const faulty = faultyStore(store, () => null);
    const written: string[] = [];
    const result = await watchDisk(
      ({ operation, path }) => {
        if (operation === "open" || operation === "rename") written.push(path);
      },
      () => bob.restarted(faulty).pull(),
    );
    expect(result).toMatchObject({ updated: false, generation: 1, added: [], files: 3 });
    expect(faulty.requests.map(({ operation, key }) => `${operation} ${key}`)).toEqual([
      "get shop/demo/manifest",
    ]);
    expect(written).toEqual([]);
  });

  it("of files that were only touched changes none of them", async () => {
    const { bob } = await makeWorld();
    for (const name of Object.keys(FIRST)) utimesSync(join(bob.folder, "vault", name), 1, 1);
    expect(await bob.pull()).toMatchObject({ updated: false });
    expect(statSync(join(bob.folder, "vault", "same.txt")).mtimeMs).toBe(1000);
  });

  it("with nothing in the bucket says what to do", async () => {
    const bob = makeWriter({ store: memoryStore(), clock: { nowMs: 0 } });
    expect(await failureOf(bob.pull())).toMatchObject({
      code: "NOT_CONFIGURED",
      hint: expect.stringContaining("vsync push demo"),
    });
    expect(bob.vault()).toBeNull();
  });
});

describe("local edits", () => {
  it("stop a pull, which lists them; nothing is changed", async () => {
    const world = await makeWorld();
    await annPublishes(world, { ".env.demo": "A=2\n" });
    const { bob } = world;
    bob.edit({ ".env.demo": "A=bob\n", "new.txt": "n", "tls/key": null });
    const failure = await failureOf(bob.pull());
    expect(failure).toMatchObject({ code: "LOCAL_CHANGES" });
    expect(failure.message).toContain("+ new.txt, ~ .env.demo, - tls/key");
    expect(failure.hint).toContain("--backup");
    expect(bob.vault()).toEqual({ ".env.demo": "A=bob\n", "new.txt": "n", "same.txt": "what stays" });
    expect(loadLedger(bob.environment.local.paths).synced[0]?.generation).toBe(1);
  });

  it("are kept by --backup, encrypted and whole", async () => {
    const world = await makeWorld();
    await annPublishes(world, { ".env.demo": "A=2\n" });
    world.bob.edit({ ".env.demo": "A=bob\n", "new.txt": "n" });
    const { backup } = await world.bob.pull({ backup: true });
    expect(world.bob.vault()).toEqual({ ...FIRST, ".env.demo": "A=2\n" });
    expect(await openBackup(backup!)).toEqual({ ...FIRST, ".env.demo": "A=bob\n", "new.txt": "n" });
    expect(statSync(backup!).mode & 0o777).toBe(0o600);
  });

  it("are discarded by --force, without a backup", async () => {
    const world = await makeWorld();
    await annPublishes(world, { ".env.demo": "A=2\n" });
    world.bob.edit({ ".env.demo": "A=bob\n" });
    expect(await world.bob.pull({ force: true })).toMatchObject({ updated: true, backup: null });
    expect(world.bob.vault()).toEqual({ ...FIRST, ".env.demo": "A=2\n" });
  });

  it("that made a file what it is going to be are none", async () => {
    const world = await makeWorld();
    await annPublishes(world, { ".env.demo": "A=2\n", "new.txt": "n", "tls/key": null });
    world.bob.edit({ "new.txt": "n", "tls/key": null });
    expect(await world.bob.pull()).toMatchObject({ updated: true, changed: [".env.demo"], added: [] });
  });

  it("are seen although size and modification time are the old ones", async () => {
    const { bob, clock } = await makeWorld();
    const path = join(bob.folder, "vault", ".env.demo");
    utimesSync(path, 1_000_000, 1_000_000);
    clock.nowMs = Date.now() + 60_000; // recorded so long after it that a look at the stats is enough
    await bob.pull();
    writeFileSync(path, "A=9\n");
    utimesSync(path, 1_000_000, 1_000_000);
    expect(await failureOf(bob.pull())).toMatchObject({ code: "LOCAL_CHANGES" });
  });

  it("are seen although they came within the same tick of the clock", async () => {
    const { bob } = await makeWorld();
    const { paths } = bob.environment.local;
    const ledger = loadLedger(paths);
    bob.edit({ ".env.demo": "A=9\n" });
    // Time stamps so coarse that the edit left the recorded ones as they were.
    const { size, mtimeNs, ctimeNs, ino } = statSync(join(bob.folder, "vault", ".env.demo"), {
      bigint: true,
    });
    const stat = {
      size: Number(size),
      mtimeNs: String(mtimeNs),
      ctimeNs: String(ctimeNs),
      inode: String(ino),
    };
    const [synced] = ledger.synced;
    const files = new Map(synced!.files).set(".env.demo", stat);
    saveLedger(paths, { ...ledger, synced: [{ ...synced!, files, recordedAt: Date.now() }] });
    expect(await failureOf(bob.pull())).toMatchObject({ code: "LOCAL_CHANGES" });
  });

  it("made in a clone that was never synced are not lost either", async () => {
    const world = await makeWorld();
    const clone = makeWriter({ store: world.store, clock: world.clock });
    clone.edit({ ".env.demo": "mine\n" });
    expect(await failureOf(clone.pull())).toMatchObject({ code: "LOCAL_CHANGES" });
    expect(await failureOf(clone.push())).toMatchObject({ code: "CONFLICT" });
  });

  it("in another clone of the repository, which shares the ledger, are told from what the ledger knows", async () => {
    const world = await makeWorld();
    await annPublishes(world, { ".env.demo": "A=2\n" });
    // Bob's first clone stays at generation 1; the second, with the same state folder, pulls generation 2.
    const { bob } = world;
    const vault = join(bob.folder, "vault");
    renameSync(vault, join(bob.folder, "first-clone"));
    const second = { ...bob.environment, vaultFolder: join(bob.folder, "second-clone") };
    const { pullVault } = await import("../../src/vault/pull.ts");
    await pullVault(second, { env: "demo" });
    const first = { ...bob.environment, vaultFolder: join(bob.folder, "first-clone") };
    const { pushVault } = await import("../../src/vault/push.ts");
    // Without the distinction this would publish the old state as if it were an edit of the new one.
    expect(await failureOf(pushVault(first, { env: "demo" }))).toMatchObject({ code: "CONFLICT" });
    expect(await pullVault(first, { env: "demo" })).toMatchObject({ updated: true, changed: [".env.demo"] });
  });

  it("in a clone on another file system, whose folder has the same inode number, are told apart too", async () => {
    const world = await makeWorld();
    const { bob } = world;
    await annPublishes(world, { ".env.demo": "A=2\n" });
    bob.edit({ "new.txt": "n" });
    // The ledger as the other clone's pull of generation 2 leaves it.
    const { paths } = bob.environment.local;
    const ledger = loadLedger(paths);
    const { ino } = statSync(join(bob.folder, "vault"));
    const folder = { path: "/another/clone/vault", inode: String(ino) };
    const there = { timestamp: "20260501-120100", generation: 2, folder };
    saveLedger(paths, { ...ledger, synced: [{ ...ledger.synced[0]!, ...there }] });
    expect(await failureOf(bob.push())).toMatchObject({ code: "CONFLICT" });
  });

  it("are kept through a move of the repository", async () => {
    const { store, clock, bob } = await makeWorld();
    bob.edit({ "new.txt": "n" });
    const moved = `${bob.folder}-moved`;
    renameSync(bob.folder, moved);
    const there = makeWriter({ store, clock }, moved);
    expect(await there.push()).toMatchObject({ published: true, generation: 2, added: ["new.txt"] });
    renameSync(moved, bob.folder);
  });

  it("made just before the swap stop it, and the folder is put back", async () => {
    const world = await makeWorld();
    await annPublishes(world, { ".env.demo": "A=2\n" });
    const { bob } = world;
    const vault = join(bob.folder, "vault");
    const failure = await failureOf(
      watchDisk(
        ({ operation, path }) => {
          if (operation === "rename" && path === vault) writeFileSync(join(vault, ".env.demo"), "A=late\n");
        },
        () => bob.pull(),
      ),
    );
    expect(failure).toMatchObject({ code: "LOCAL_CHANGES" });
    expect(bob.vault()).toEqual({ ...FIRST, ".env.demo": "A=late\n" });
    expect(leftovers(bob)).toEqual([]);
  });

  it("made while --force fetches are not what it was to discard", async () => {
    const world = await makeWorld();
    await annPublishes(world, { ".env.demo": "A=2\n" });
    const { bob } = world;
    const vault = join(bob.folder, "vault");
    bob.edit({ ".env.demo": "A=bob\n" });
    const failure = await failureOf(
      watchDisk(
        ({ operation, path }) => {
          if (operation === "rename" && path === vault) writeFileSync(join(vault, "late.txt"), "late");
        },
        () => bob.pull({ force: true }),
      ),
    );
    expect(failure).toMatchObject({ code: "LOCAL_CHANGES" });
    expect(bob.vault()).toMatchObject({ ".env.demo": "A=bob\n", "late.txt": "late" });
  });
});

describe("backups", () => {
  it("are the newest ten, the one just made among them even when the clock jumped back", async () => {
    const world = await makeWorld();
    const { bob, clock } = world;
    const made: string[] = [];
    for (let n = 1; n <= 12; n++) {
      bob.edit({ ".env.demo": `edit ${n}\n` });
      if (n === 12) clock.nowMs -= 24 * 3600_000;
      made.push((await bob.pull({ backup: true })).backup!);
    }
    expect(new Set(made).size).toBe(12);
    const kept = readdirSync(join(bob.folder, "state", "backups"));
    expect(kept).toHaveLength(10);
    expect(kept).toContain(basename(made.at(-1)!));
    expect(await openBackup(made.at(-1)!)).toMatchObject({ ".env.demo": "edit 12\n" });
  });
});

describe("an older version", () => {
  it("is brought back by --version; a push from there is a conflict, a pull goes on to the newest", async () => {
    const world = await makeWorld();
    await annPublishes(world, { ".env.demo": "A=2\n" });
    const { bob } = world;
    await bob.pull();
    expect(await bob.pull({ version: "20260501-120000" })).toMatchObject({ updated: true, generation: 1 });
    expect(bob.vault()).toEqual(FIRST);
    expect(await bob.pull({ version: "20260501-120000" })).toMatchObject({ updated: false });
    bob.edit({ ".env.demo": "A=1b\n" });
    expect(await failureOf(bob.push())).toMatchObject({ code: "CONFLICT" });
    expect((await failureOf(bob.pull({ version: "20260501-120100" }))).hint).toBe(
      "keep them aside: vsync pull demo --version 20260501-120100 --backup; or discard them: vsync pull demo --version 20260501-120100 --force",
    );
    bob.edit({ ".env.demo": "A=1\n" });
    expect(await bob.pull()).toMatchObject({ updated: true, generation: 2 });
  });

  it("that is not there is said so", async () => {
    const { bob } = await makeWorld();
    expect(await failureOf(bob.pull({ version: "20200101-000000" }))).toMatchObject({ code: "INPUT" });
  });

  it("from before a rotation needs the passphrase of its time; the base is then under the one in force", async () => {
    const store = memoryStore();
    const clock = { nowMs: Date.UTC(2026, 4, 1, 12) };
    const oldKeys = await deriveKeys("the old passphrase", "salt-of-the-tests", 100_000);
    const old = makeWriter({ store, clock, keys: oldKeys });
    old.edit(FIRST);
    await old.push();
    store.objects.delete(`${PREFIX}manifest`);
    clock.nowMs += 60_000;
    const bob = makeWriter({ store, clock });
    bob.edit({ ".env.demo": "A=2\n" });
    await bob.push();

    const version = "20260501-120000";
    const failure = await failureOf(bob.pull({ version }));
    expect(failure).toMatchObject({
      code: "WRONG_PASSPHRASE",
      hint: expect.stringMatching(/^vsync pull demo --version 20260501-120000 --old-passphrase-file/),
    });
    expect(await bob.pull({ version, oldPassphrase: "the old passphrase" })).toMatchObject({ updated: true });
    expect(bob.vault()).toEqual(FIRST);
    const base = readFileSync(join(bob.environment.local.paths.bases, `${version}.rqe1`));
    expect((await openBundle(KEYS, base, { timestamp: version, sealed: false })).size).toBe(3);
    expect(toCliError(await failureOf(bob.pull({ version, oldPassphrase: "another one" })))).toMatchObject({
      code: "WRONG_PASSPHRASE",
    });
  });
});

describe("a bundle that must not be used", () => {
  it.each([
    ["is missing", (store: MemoryStore, key: string) => void store.objects.delete(key)],
    [
      "has one bit changed",
      (store: MemoryStore, key: string) => {
        const kept = store.objects.get(key)!;
        const body = kept.body.slice();
        body[40]! ^= 1;
        store.objects.set(key, { ...kept, body });
      },
    ],
    [
      "is an older one of the same vault",
      (store: MemoryStore, key: string) =>
        void store.objects.set(key, store.objects.get(`${PREFIX}v=20260501-120000`)!),
    ],
  ])("%s: CORRUPT, and nothing is changed", async (_, damage) => {
    const world = await makeWorld();
    await annPublishes(world, { ".env.demo": "A=2\n" });
    damage(world.store, `${PREFIX}v=20260501-120100`);
    expect(toCliError(await failureOf(world.bob.pull()))).toMatchObject({
      code: "CORRUPT",
      hint: expect.stringMatching(/vsync push demo --force .* vsync restore demo <version>/),
    });
    expect(world.bob.vault()).toEqual(FIRST);
    expect(leftovers(world.bob)).toEqual([]);
  });

  it("is another than the manifest was sealed for, though of the same version and passphrase", async () => {
    const world = await makeWorld();
    await annPublishes(world, { ".env.demo": "A=2\n" });
    const timestamp = "20260501-120100";
    const files = new Map([[".env.demo", { bytes: Buffer.from("A=3\n"), executable: false }]]);
    await world.store.put(`${PREFIX}v=${timestamp}`, (await sealBundle(KEYS, timestamp, files)).bytes);
    expect(toCliError(await failureOf(world.bob.pull()))).toMatchObject({ code: "CORRUPT" });
    expect(world.bob.vault()).toEqual(FIRST);
  });
});

describe("the ledger", () => {
  it("that is damaged stops everything and says what is lost with it", async () => {
    const { bob } = await makeWorld();
    const { ledger } = bob.environment.local.paths;
    for (const damage of ["", "{}", '{"version":2}', readFileSync(ledger, "utf8").slice(0, -1)]) {
      writeFileSync(ledger, damage);
      expect(await failureOf(bob.pull())).toMatchObject({
        code: "CORRUPT",
        hint: expect.stringContaining(`mv ${ledger}`),
      });
    }
  });

  it("that is lost is made again by a pull, from a folder that is equal", async () => {
    const { store, clock, bob } = await makeWorld();
    const fresh = makeWriter({ store, clock });
    fresh.edit(FIRST);
    expect(await fresh.pull()).toMatchObject({ updated: false });
    fresh.edit({ "new.txt": "n" });
    expect(await fresh.push()).toMatchObject({ published: true, generation: 2, added: ["new.txt"] });
    expect(await bob.pull()).toMatchObject({ updated: true });
  });

  it("holds no digest and no content of any secret", async () => {
    const { bob } = await makeWorld();
    const { createHash } = await import("node:crypto");
    const text = readFileSync(bob.environment.local.paths.ledger, "utf8");
    for (const content of Object.values(FIRST)) {
      expect(text).not.toContain(content);
      for (const name of ["sha1", "sha256", "md5"]) {
        const digest = createHash(name).update(content).digest();
        expect(text).not.toContain(digest.toString("hex"));
        expect(text).not.toContain(digest.toString("base64url"));
      }
    }
  });

  it("keeps files of any name apart", async () => {
    const world = await makeWorld();
    await annPublishes(
      world,
      Object.fromEntries([
        ["__proto__", "p"],
        ["constructor", "c"],
      ]),
    );
    await world.bob.pull();
    expect(world.bob.vault()).toMatchObject({ constructor: "c" });
    expect(readFileSync(join(world.bob.folder, "vault", "__proto__"), "utf8")).toBe("p");
    expect(await world.bob.pull()).toMatchObject({ updated: false });
  });
});

describe("the base", () => {
  it("that is missing or damaged is fetched again", async () => {
    const { bob } = await makeWorld();
    const { bases } = bob.environment.local.paths;
    writeFileSync(join(bases, "20260501-120000.rqe1"), "damaged", { mode: 0o600 });
    bob.edit({ ".env.demo": "A=2\n" });
    expect(await bob.push()).toMatchObject({ published: true, changed: [".env.demo"], added: [] });
    expect(readdirSync(bases)).toEqual(["20260501-120100.rqe1"]);
  });
});

describe("a bucket that was put back to before what this machine published", () => {
  async function putBack(): Promise<World> {
    const world = await makeWorld();
    const before = world.store.copy();
    await annPublishes(world, { ".env.demo": "A=2\n" });
    world.store.objects.clear();
    for (const [key, kept] of before.objects) world.store.objects.set(key, kept);
    return world;
  }

  it("does not take the last copy of it with it", async () => {
    const { ann } = await putBack();
    const { backup, updated } = await ann.pull({ acceptRollback: true });
    expect(updated).toBe(true);
    expect(ann.vault()).toEqual(FIRST);
    expect(await openBackup(backup!)).toEqual({ ...FIRST, ".env.demo": "A=2\n" });
  });

  it("nor when somebody has published past it, so that it seems to be in order", async () => {
    const world = await putBack();
    const { ann, bob, clock } = world;
    for (const text of ["B=2\n", "B=3\n"]) {
      bob.edit({ "bob.txt": text });
      await bob.push();
      clock.nowMs += 60_000;
    }
    const { backup } = await ann.pull();
    expect(ann.vault()).toEqual({ ...FIRST, "bob.txt": "B=3\n" });
    expect(await openBackup(backup!)).toEqual({ ...FIRST, ".env.demo": "A=2\n" });
  });

  it("which is not what happened where an old version was deleted to save room", async () => {
    const world = await makeWorld();
    await annPublishes(world, { ".env.demo": "A=2\n" });
    for (const key of world.store.objects.keys()) {
      if (key.includes("/v=") && !key.endsWith("120100")) world.store.objects.delete(key);
    }
    expect(await world.bob.pull()).toMatchObject({ updated: true, generation: 2, backup: null });
  });

  it("nor where the vault folder is gone, and what it was made from is all there is", async () => {
    const { ann } = await putBack();
    rmSync(join(ann.folder, "vault"), { recursive: true });
    const { backup } = await ann.pull({ acceptRollback: true });
    expect(await openBackup(backup!)).toEqual({ ...FIRST, ".env.demo": "A=2\n" });
  });
});
