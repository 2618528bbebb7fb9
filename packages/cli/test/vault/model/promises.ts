// What must hold of the model's world once everybody has come back to a connection that works: docs/reliability.md, "The
// promises". Throws, or lists in `world.broken`, what does not.

import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { openBundle, readAuditLog } from "@vsync/envelope";
import { expect } from "vitest";
import { listBackups } from "../../../src/vault/kept-bundles.ts";
import { PREFIX } from "../writer.ts";
import { keysInForce, openWriter, runCommand, UNHARMED } from "./machine.ts";
import { FILES } from "./turns.ts";
import { edit, take, type World } from "./world.ts";

const NOBODY = { store: null as never, places: null as never, died: null as never, step: () => undefined };

/** Everybody has the same version, and nothing is at work. */
export async function bringIntoUse(world: World): Promise<void> {
  for (const [who, machine] of world.machines.entries()) {
    await runCommand(machine, world.surroundings, UNHARMED, async (writer) => {
      if (who > 0) return void (await writer.pull());
      edit(world, writer, FILES);
      await writer.push();
    });
  }
}

/** Everybody comes back: what was interrupted is settled, and the passphrase in force imported. */
export async function settleAll(world: World): Promise<void> {
  // Who has the new passphrase may still have to find that out, and can hand it on only then.
  for (const machine of world.machines)
    await runCommand(machine, world.surroundings, UNHARMED, (writer) => writer.recover());
  for (const [who, machine] of world.machines.entries()) {
    await take(world, { who, action: { kind: "import" }, jumpMs: 0, fate: UNHARMED });
    await runCommand(machine, world.surroundings, UNHARMED, async (writer) => {
      await writer.recover();
      const { paths } = writer.environment.local;
      for (const left of [paths.pending, paths.pendingBundle, paths.swap]) {
        if (existsSync(left)) world.broken.push(`${machine.name} is left with ${left} after two commands`);
      }
    });
  }
}

/** And all can go on: each pulls, edits, pushes; nothing of an old rotation is left then. */
export async function goOn(world: World): Promise<void> {
  for (const machine of world.machines) {
    await runCommand(machine, world.surroundings, UNHARMED, async (writer) => {
      if (world.bucket.published.length > 0) await writer.pull({ backup: true });
      edit(world, writer, [".env.demo"]);
      const { timestamp } = await writer.push();
      world.acknowledged.add(timestamp as string);
    });
  }
  for (const machine of world.machines) {
    await runCommand(machine, world.surroundings, UNHARMED, async (writer) => {
      if (existsSync(writer.environment.local.paths.rotation))
        world.broken.push(`${machine.name} is left with a rotation that is over`);
    });
  }
}

export async function checkPromises(world: World): Promise<void> {
  const { published, store } = world.bucket;
  const timestamps = published.map(({ timestamp }) => timestamp);
  for (const [index, { timestamp, generation, writeId, passphrase }] of published.entries()) {
    const bundle = await store.get(`${PREFIX}v=${timestamp}`);
    expect(bundle?.metadata).toEqual({
      gen: String(generation),
      "write-id": writeId,
      "prev-ts": timestamps[index - 1] ?? "",
    });
    await openBundle(world.keyring.get(passphrase)!, bundle!.body, { timestamp, sealed: true });
    if (world.denied.has(writeId))
      world.broken.push(`${timestamp} is published, and its command said it was not`);
  }
  for (const timestamp of world.acknowledged)
    expect(timestamps, "an acknowledged version").toContain(timestamp);
  await checkAudit(world, new Set(["", ...timestamps]));
  const texts = new Set(published.flatMap(({ files }) => Object.values(files)));
  for (const text of await textsOnMachines(world)) texts.add(text);
  for (const kept of world.kept) expect(texts, "an edit").toContain(kept.replace(/ in \w+$/, ""));
  expect(world.broken).toEqual([]);
}

/** What the vault folders hold, and the backups that each machine can open. */
async function textsOnMachines({ machines, keyring }: World): Promise<string[]> {
  const texts: string[] = [];
  for (const machine of machines) {
    const keys = keysInForce(machine, keyring);
    const writer = openWriter(machine, NOBODY, keys);
    texts.push(...Object.values(writer.vault() ?? {}));
    const { paths } = writer.environment.local;
    for (const timestamp of listBackups(paths)) {
      const bytes = readFileSync(join(paths.backups, `${timestamp}.rqe1`));
      const files = await openBundle(keys, bytes, { timestamp, sealed: false });
      texts.push(...[...files.values()].map(({ bytes }) => new TextDecoder().decode(bytes)));
    }
  }
  return texts;
}

/** Every file of the log holds under one of the passphrases, and no row is about a version that never was. */
async function checkAudit(
  { bucket: { store }, keyring, broken }: World,
  known: ReadonlySet<string>,
): Promise<void> {
  const names = [`${PREFIX}audit.csv`];
  for await (const { key } of store.list(`${PREFIX}audit/`)) names.push(key);
  for (const name of names) {
    const found = await store.get(name);
    if (found === null) continue;
    const logs = await Promise.all([...keyring.values()].map((keys) => readAuditLog(keys, found.body)));
    const log = logs.find((it) => it !== null && it.firstBadRow === null);
    if (log === undefined) broken.push(`${name} holds under no passphrase`);
    for (const { action, version_ts } of log?.rows ?? []) {
      if (!known.has(version_ts))
        broken.push(`${name} has a ${action} of ${version_ts}, which was never published`);
    }
  }
}
