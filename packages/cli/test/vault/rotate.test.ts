// Where a rotation can fail, and what is in the keystore then: docs/formats.md section 6, "Rotation".

import { existsSync, readFileSync, writeFileSync } from "node:fs";
import type { ObjectStore } from "@vsync/store";
import { describe, expect, it } from "vitest";
import { toCliError } from "../../src/cli-error.ts";
import { loadKeptBase } from "../../src/vault/kept-bundles.ts";
import { dropPending, loadPending } from "../../src/vault/pending.ts";
import { fetchVersion } from "../../src/vault/remote.ts";
import { graceOf, rotateVault } from "../../src/vault/rotate.ts";
import {
  type BegunRotation,
  decideRotation,
  type KeyPlaces,
  stage,
  stagedPassphrase,
} from "../../src/vault/rotation.ts";
import { readStanding } from "../../src/vault/standing.ts";
import { watchDisk } from "./disk.ts";
import { memoryStore } from "./memory-store.ts";
import { MANIFEST, makeWorld, manifestFaults, pushAs, type World } from "./two-writers.ts";
import {
  failureOf,
  KEYS,
  makeWriter,
  OTHER_KEYS,
  PREFIX,
  readAudit,
  readHistory,
  type Writer,
} from "./writer.ts";

const ACCOUNTS = { inForce: "shop/demo", staged: "shop/demo#next", replaced: "shop/demo#replaced" };
const OLD = { passphrase: "old", keys: KEYS };
const NEXT = { passphrase: "next", keys: OTHER_KEYS };

interface Machine extends World {
  readonly secrets: Map<string, string>;
  readonly places: KeyPlaces;
}

/** Ann is about to rotate; `failing` is an account that the keystore cannot write. */
async function makeMachine(failing?: string): Promise<Machine> {
  const world = await makeWorld();
  const secrets = new Map([[ACCOUNTS.inForce, OLD.passphrase]]);
  const keystore: KeyPlaces["keystore"] = {
    kind: "file",
    description: "the keystore of the tests",
    get: async (account) => secrets.get(account) ?? null,
    async set(account, secret) {
      if (account === failing) throw new Error(`${account} is locked`);
      secrets.set(account, secret);
    },
    delete: async (account) => secrets.delete(account),
    list: async () => [...secrets.keys()].sort(),
  };
  return { ...world, secrets, places: { keystore, ...ACCOUNTS } };
}

async function rotate(
  { ann, clock, places }: Machine,
  store: ObjectStore,
  { onStep, withPlaces = true }: { onStep?: (step: string) => void; withPlaces?: boolean } = {},
) {
  const { environment } = ann.restarted(store);
  const { current } = await readStanding(environment);
  const { files } = await fetchVersion(environment.remote, current!);
  const after = makeWriter({ store, clock, keys: OTHER_KEYS, former: KEYS }, ann.folder);
  return await rotateVault(environment, {
    current: current!,
    files,
    rotation: { rotatedAt: "2026-05-01T12:01:00Z" },
    audit: { action: "rotate", meta: { id: "0123456789abcdef" } },
    old: OLD.passphrase,
    next: NEXT,
    places: withPlaces ? places : null,
    writeAuditRow: after.environment.writeAuditRow,
    ...(onStep && { onStep }),
  });
}

/** The disk is full when pending.json is written for the n-th time. */
async function diskFull(machine: Machine, nth = 1) {
  let writings = 0;
  return await failureOf(
    watchDisk(
      ({ operation, path }) => {
        if (operation === "open" && path.includes("pending.json") && ++writings === nth)
          throw Object.assign(new Error("ENOSPC"), { code: "ENOSPC", syscall: "open" });
      },
      () => rotate(machine, machine.store),
    ),
  );
}

/** What the next command makes of it. */
async function decide({ ann, clock, places }: Machine, store: ObjectStore, old = OLD) {
  const { paths } = ann.environment.local;
  const { baseEtag } = JSON.parse(readFileSync(paths.rotation, "utf8"));
  const { environment } = makeWriter({ store, clock, keys: OTHER_KEYS, former: KEYS }, ann.folder);
  const began: BegunRotation = { baseEtag, old, next: NEXT, places };
  return await decideRotation(environment.remote, paths, began, environment.writeAuditRow, clock.nowMs);
}

const BEFORE = { [ACCOUNTS.inForce]: "old" };
const STAGED = { ...BEFORE, [ACCOUNTS.staged]: "next" };
const AFTER = { [ACCOUNTS.inForce]: "next", [ACCOUNTS.replaced]: "old" };

const kept = ({ secrets }: Machine) => Object.fromEntries(secrets);
const isBegun = ({ ann }: Machine) => existsSync(ann.environment.local.paths.rotation);
const rotator = ({ store, clock, ann }: Machine): Writer =>
  makeWriter({ store, clock, name: "ann", keys: OTHER_KEYS }, ann.folder);

describe("a rotation", () => {
  it("has the new passphrase staged when the manifest goes out, and in force when it is done", async () => {
    const machine = await makeMachine();
    const { store, ann, clock } = machine;
    const steps: string[] = [];
    const seen: unknown[] = [];
    const faulty = manifestFaults(store, [], async () => void seen.push(kept(machine), isBegun(machine)));
    const onStep = (step: string) => void steps.push(step);
    expect(await rotate(machine, faulty, { onStep })).toEqual({
      timestamp: "20260501-120100",
      generation: 2,
    });
    expect(seen).toEqual([STAGED, true]);
    expect(steps).toEqual(["swap", "promote"]);
    expect([kept(machine), isBegun(machine)]).toEqual([AFTER, false]);
    expect((await readAudit(store, OTHER_KEYS)).at(-1)).toMatchObject({ action: "rotate" });
    // The folder, which has an edit, is still based on what was published again, under the new key.
    const { paths } = ann.environment.local;
    expect(await loadKeptBase(paths, OTHER_KEYS, "20260501-120100")).not.toBeNull();
    clock.nowMs += 60_000;
    expect(await rotator(machine).push()).toMatchObject({ generation: 3, changed: [".env.demo"] });
    expect(store.objects.get(MANIFEST)?.metadata["rotated-at"]).toBe("2026-05-01T12:01:00Z");
  });

  it("leaves the keystore alone where variables stand in for it", async () => {
    const machine = await makeMachine();
    await rotate(machine, machine.store, { withPlaces: false });
    expect([kept(machine), isBegun(machine)]).toEqual([BEFORE, false]);
    expect(await rotator(machine).push()).toMatchObject({ generation: 3, changed: [".env.demo"] });
  });
});

describe("a vault folder that is not at the version that a rotation publishes again", () => {
  it("is not taken for being so afterwards: a push would undo what came in between", async () => {
    const machine = await makeMachine();
    await pushAs(machine.bob, "in between");
    expect(await rotate(machine, machine.store)).toMatchObject({ generation: 3 });
    expect(await failureOf(rotator(machine).push())).toMatchObject({ code: "CONFLICT" });
  });

  it("need not have been at any", async () => {
    const machine = await makeMachine();
    const { store, clock } = machine;
    const ann = makeWriter({ store, clock, name: "fresh" });
    expect(await rotate({ ...machine, ann }, store)).toMatchObject({ generation: 2 });
    expect(ann.vault()).toBeNull();
  });

  it("has no part in one that is cut short and finished later either", async () => {
    const machine = await makeMachine();
    const { store, clock } = machine;
    const fresh = { ...machine, ann: makeWriter({ store, clock, name: "fresh" }) };
    const faulty = manifestFaults(store, ["crash-before"]);
    await Promise.race([rotate(fresh, faulty), faulty.crashed]);
    expect(await decide(fresh, store)).toMatchObject({ generation: 2 });
    expect([kept(machine), fresh.ann.vault()]).toEqual([AFTER, null]);
  });
});

describe("a rotation that has certainly failed forgets what it staged", () => {
  it("when somebody else publishes first", async () => {
    const machine = await makeMachine();
    const faulty = manifestFaults(machine.store, [], async () => pushAs(machine.bob, "first"));
    expect(await failureOf(rotate(machine, faulty))).toMatchObject({ code: "CONFLICT" });
    expect([kept(machine), isBegun(machine)]).toEqual([BEFORE, false]);
    expect(await readHistory(machine.store)).toHaveLength(2);
  });

  it("which is nothing where variables stand in for the keystore", async () => {
    const machine = await makeMachine();
    const faulty = manifestFaults(machine.store, [], async () => pushAs(machine.bob, "first"));
    expect(await failureOf(rotate(machine, faulty, { withPlaces: false }))).toMatchObject({
      code: "CONFLICT",
    });
    expect([kept(machine), isBegun(machine)]).toEqual([BEFORE, false]);
  });

  it("when the manifest is refused", async () => {
    const machine = await makeMachine();
    const failure = await failureOf(rotate(machine, manifestFaults(machine.store, ["refused"])));
    expect(toCliError(failure)).toMatchObject({ code: "ACCESS_DENIED" });
    expect([kept(machine), isBegun(machine)]).toEqual([BEFORE, false]);
  });

  it("when the new passphrase cannot be staged: nothing is sent", async () => {
    const machine = await makeMachine(ACCOUNTS.staged);
    const faulty = manifestFaults(machine.store, []);
    expect(await failureOf(rotate(machine, faulty))).toMatchObject({ message: "shop/demo#next is locked" });
    expect(faulty.requests.filter(({ operation }) => operation.startsWith("put"))).toEqual([]);
    expect([kept(machine), isBegun(machine)]).toEqual([BEFORE, false]);
  });

  it("when it cannot be written down", async () => {
    const machine = await makeMachine();
    expect(toCliError(await diskFull(machine))).toMatchObject({ code: "LOCAL_IO" });
    expect([kept(machine), isBegun(machine)]).toEqual([BEFORE, false]);
  });

  it("but not what an attempt before it has staged: what that one sent may still arrive", async () => {
    const machine = await makeMachine();
    const { paths } = machine.ann.environment.local;
    machine.secrets.set(ACCOUNTS.staged, NEXT.passphrase);
    writeFileSync(paths.rotation, JSON.stringify({ version: 1, baseEtag: "x", keystore: "the keystore" }), {
      mode: 0o600,
    });
    expect(toCliError(await diskFull(machine))).toMatchObject({ code: "LOCAL_IO" });
    expect([kept(machine), isBegun(machine)]).toEqual([STAGED, true]);
    expect(await stagedPassphrase(paths, machine.places)).toBe("next");
  });
});

describe("a rotation that is not known to have failed", () => {
  it("keeps both passphrases; the next command sends its manifest again and finishes it", async () => {
    const machine = await makeMachine();
    const { store } = machine;
    const faulty = manifestFaults(store, ["unavailable", "unavailable", "unavailable"]);
    expect(await failureOf(rotate(machine, faulty))).toMatchObject({ code: "OUTCOME_UNKNOWN" });
    expect([kept(machine), isBegun(machine)]).toEqual([STAGED, true]);
    expect(await decide(machine, store)).toMatchObject({ timestamp: "20260501-120100", generation: 2 });
    expect([kept(machine), isBegun(machine)]).toEqual([AFTER, false]);
    expect((await readAudit(store, OTHER_KEYS)).filter(({ action }) => action === "rotate")).toHaveLength(1);
  });

  it("keeps them as long as pending.json says that something may have been sent", async () => {
    const machine = await makeMachine();
    // Another writer's bundle has the timestamp, and the second attempt cannot be written down.
    machine.store.objects.set(`${PREFIX}v=20260501-120100`, machine.store.objects.get(MANIFEST)!);
    expect(toCliError(await diskFull(machine, 2))).toMatchObject({ code: "LOCAL_IO" });
    expect(loadPending(machine.ann.environment.local.paths)).not.toBeNull();
    expect([kept(machine), isBegun(machine)]).toEqual([STAGED, true]);
  });

  it("and whose passphrase cannot be put into force is PARTIAL; the next command finishes it", async () => {
    const machine = await makeMachine(ACCOUNTS.inForce);
    expect(await failureOf(rotate(machine, machine.store))).toMatchObject({
      code: "PARTIAL",
      message: expect.stringMatching(/under the new passphrase as generation 2.*shop\/demo is locked/),
    });
    expect(kept(machine)).toMatchObject(STAGED);
    const { keystore, ...accounts } = machine.places;
    const set = async (account: string, secret: string) => void machine.secrets.set(account, secret);
    const unlocked = { ...machine, places: { keystore: { ...keystore, set }, ...accounts } };
    expect(await decide(unlocked, machine.store)).toMatchObject({ generation: 2 });
    expect([kept(machine), isBegun(machine)]).toEqual([AFTER, false]);
  });
});

describe("the next command, which passphrase is in force", () => {
  /** Killed as its bundle was on its way. */
  async function makeKilled(): Promise<Machine> {
    const machine = await makeMachine();
    const faulty = manifestFaults(machine.store, ["crash-before"]);
    await Promise.race([rotate(machine, faulty), faulty.crashed]);
    return machine;
  }

  it("is the new one, and the one before it is still kept, when only the staged one was left to forget", async () => {
    const machine = await makeMachine();
    await rotate(machine, machine.store);
    const { paths } = machine.ann.environment.local;
    await stage(paths, machine.places, "the one before", NEXT.passphrase);
    expect(await decide(machine, machine.store, NEXT)).toMatchObject({ generation: 2 });
    expect([kept(machine), isBegun(machine)]).toEqual([AFTER, false]);
  });

  it("is the old one once somebody has published under it", async () => {
    const machine = await makeKilled();
    await pushAs(machine.bob, "first");
    expect(await decide(machine, machine.store)).toBe("undone");
    expect([kept(machine), isBegun(machine)]).toEqual([BEFORE, false]);
    expect(loadPending(machine.ann.environment.local.paths)).toBeNull();
  });

  it("is not decided by a manifest that is gone", async () => {
    const machine = await makeKilled();
    machine.store.objects.delete(MANIFEST);
    expect(await decide(machine, machine.store)).toBe("undecided");
    expect([kept(machine), isBegun(machine)]).toEqual([STAGED, true]);
  });

  it("is not decided by a manifest under neither", async () => {
    const machine = await makeKilled();
    const { store } = machine;
    const forged = store.objects.get(MANIFEST)!;
    const body = new TextEncoder().encode("20260501-120059");
    store.objects.set(MANIFEST, { ...forged, body, metadata: { ...forged.metadata, gen: "2" } });
    expect(await decide(machine, store)).toBe("undecided");
    expect([kept(machine), isBegun(machine)]).toEqual([STAGED, true]);
  });

  it("is not decided while the manifest is the one that was to be replaced", async () => {
    const machine = await makeKilled();
    dropPending(machine.ann.environment.local.paths); // killed before it had written down what to send
    expect(await decide(machine, machine.store)).toBe("undecided");
    expect([kept(machine), isBegun(machine)]).toEqual([STAGED, true]);
  });

  it.each(["baseEtag", "keystore"])(
    "cannot be told from a journal without %s, which stays",
    async (field) => {
      const machine = await makeKilled();
      const { paths } = machine.ann.environment.local;
      const { [field]: _, ...rest } = JSON.parse(readFileSync(paths.rotation, "utf8"));
      writeFileSync(paths.rotation, JSON.stringify(rest));
      expect(await failureOf(stagedPassphrase(paths, machine.places))).toMatchObject({
        code: "CORRUPT",
        hint: expect.stringContaining("<repo>/<env>#next"),
      });
      expect([kept(machine), isBegun(machine)]).toEqual([STAGED, true]);
    },
  );
});

it("a vault without a seal has no grace period to give", async () => {
  const { remote } = makeWriter({ store: memoryStore(), clock: { nowMs: 0 } }).environment;
  const unsealed = { etag: "x", timestamp: "20260501-120000", generation: 1, seal: null };
  expect(await failureOf(graceOf(remote, unsealed, 0))).toMatchObject({ code: "INPUT" });
});
