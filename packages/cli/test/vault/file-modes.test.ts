// Windows keeps no executable bits: what is published from there keeps those that others gave. docs/formats.md section 4.

import { chmodSync, readdirSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { examineFolder } from "../../src/status/folder-state.ts";
import { findDifferences } from "../../src/vault/differences.ts";
import { withModes } from "../../src/vault/file-modes.ts";
import { loadLedger } from "../../src/vault/ledger.ts";
import { listVault, readVault, syncedHere } from "../../src/vault/vault-folder.ts";
import { memoryStore } from "./memory-store.ts";
import { KEYS, makeWriter, type Writer } from "./writer.ts";

const vaultOf = (writer: Writer) => join(writer.folder, "vault");
const isExecutable = (writer: Writer, name: string) =>
  (statSync(join(vaultOf(writer), name)).mode & 0o100) !== 0;

/** What Windows makes of a folder: no file in it is executable. */
function forgetModes(writer: Writer): void {
  for (const name of readdirSync(vaultOf(writer))) chmodSync(join(vaultOf(writer), name), 0o600);
}

async function makeTeam() {
  const store = memoryStore();
  const clock = { nowMs: Date.UTC(2026, 4, 1, 12) };
  const ann = makeWriter({ store, clock });
  ann.edit({ ".env.demo": "A=1\n", "run.sh": "#!/bin/sh\n" });
  chmodSync(join(vaultOf(ann), "run.sh"), 0o700);
  await ann.push();
  const win = makeWriter({ store, clock, name: "win", platform: "win32" });
  await win.pull();
  forgetModes(win);
  clock.nowMs += 60_000;
  return { ann, win, clock };
}

describe("on Windows", () => {
  it("a push keeps the executable bits of files that others pushed", async () => {
    const { ann, win } = await makeTeam();
    win.edit({ ".env.demo": "A=2\n", "new.sh": "#!/bin/sh\n" });
    expect(await win.push()).toMatchObject({ added: ["new.sh"], changed: [".env.demo"], removed: [] });
    await ann.pull();
    expect(["run.sh", "new.sh", ".env.demo"].map((name) => isExecutable(ann, name))).toEqual([
      true,
      false,
      false,
    ]);
  });

  it("a file that was edited keeps its bit too", async () => {
    const { ann, win } = await makeTeam();
    writeFileSync(join(vaultOf(win), "run.sh"), "#!/bin/bash\n");
    expect(await win.push()).toMatchObject({ changed: ["run.sh"] });
    await ann.pull();
    expect(isExecutable(ann, "run.sh")).toBe(true);
  });

  it("bits that are not there are neither a change to push nor an edit that a pull would lose", async () => {
    const { ann, win, clock } = await makeTeam();
    expect(await win.push()).toMatchObject({ published: false });
    forgetModes(win);
    expect(await win.pull()).toMatchObject({ updated: false });
    ann.edit({ ".env.demo": "A=3\n" });
    await ann.push();
    clock.nowMs += 60_000;
    forgetModes(win);
    expect(await win.pull()).toMatchObject({ updated: true, changed: [".env.demo"] });
  });

  it("nor do status and diff show them", async () => {
    const { win } = await makeTeam();
    const { paths } = win.environment.local;
    const listing = listVault(vaultOf(win));
    const synced = syncedHere(loadLedger(paths), listing, vaultOf(win));
    const examine = (platform: NodeJS.Platform) =>
      examineFolder(platform, paths, listing, synced, async () => KEYS);
    expect(await examine("win32")).toEqual({ state: "clean" });
    expect(await examine("linux")).toMatchObject({ state: "changed", changes: { changed: ["run.sh"] } });
    const { files } = readVault(listing!);
    const base = new Map([...files].map(([name, file]) => [name, { ...file, executable: true }]));
    expect(
      (await findDifferences("demo", base, withModes("win32", files, base), null)).files.changed,
    ).toEqual([]);
  });
});
