// After a command, whether it did its work or not, no key and no passphrase that was bytes is left in the memory that held it.

import { cpSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { openWith } from "@muthuishere/vsync-s3-client";
import { afterAll, beforeEach, expect, test } from "vitest";
import { audit } from "../src/commands/audit.ts";
import { backupRestore } from "../src/commands/backup.ts";
import { diff } from "../src/commands/diff.ts";
import { doctor } from "../src/commands/doctor.ts";
import { init } from "../src/commands/init.ts";
import { keystoreExport } from "../src/commands/keystore-export.ts";
import { keystoreImport } from "../src/commands/keystore-import.ts";
import { passphraseShow } from "../src/commands/passphrase-show.ts";
import { pull } from "../src/commands/pull.ts";
import { push } from "../src/commands/push.ts";
import { restore } from "../src/commands/restore.ts";
import { rotatePassphrase } from "../src/commands/rotate-passphrase.ts";
import { run } from "../src/commands/run.ts";
import { runtimeToken } from "../src/commands/runtime-token.ts";
import { set } from "../src/commands/set.ts";
import { shareExport } from "../src/commands/share-export.ts";
import { shareImport } from "../src/commands/share-import.ts";
import { status } from "../src/commands/status.ts";
import { versions } from "../src/commands/versions.ts";
import { watchCrypto } from "./watched-crypto.ts";
import { makeWorkplace, type Workplace } from "./workplace.ts";

const env = "demo";
const watch = watchCrypto();
afterAll(() => watch.end());

let place: Workplace;
let words: string;
beforeEach(async () => {
  place = makeWorkplace();
  words = join(place.folder, "words");
  writeFileSync(words, "correct horse battery staple\n", { mode: 0o600 });
  await init(place.context(), { env, ...place.bucket, iterations: 100_000 });
  await edit("one");
  await push(place.context(), { env });
  watch.look();
});

const edit = (value: string) => set(place.context({ stdin: value }), { env, name: "VALUE", source: "-" });
const keyFile = (account: string): string => join(place.home, "keystore", encodeURIComponent(account));
const passphrase = (): string => readFileSync(keyFile("acme_shop/demo"), "utf8");

/** Prepares what it returns, which is watched. */
type Case = () => Promise<() => Promise<unknown>>;

const at = (work: () => Promise<unknown>): Case => {
  return async () => work;
};

const CASES: Readonly<Record<string, Case>> = {
  async push() {
    await edit("two");
    return () => push(place.context(), { env });
  },
  status: at(() => status(place.context(), { remote: true })),
  versions: at(() => versions(place.context(), { env })),
  async diff() {
    await edit("two");
    return () => diff(place.context(), { env });
  },
  "diff --remote": at(() => diff(place.context(), { env, remote: true })),
  "audit --verify": at(() => audit(place.context(), { env, verify: true })),
  doctor: at(() => doctor(place.context(), { env })),
  "runtime-token": at(() => runtimeToken(place.context(), { env })),
  "run --remote": at(() => run(place.context(), { env, command: ["true"], remote: true })),
  async "init --edit, to where the bucket has moved"() {
    cpSync(join(place.folder, "bucket"), join(place.folder, "moved"), { recursive: true });
    return () => init(place.context(), { env, edit: true, ...place.bucket, bucket: "moved" });
  },
  async "pull --backup"() {
    await edit("two");
    return () => pull(place.context(), { env, backup: true });
  },
  async "backup restore"() {
    await edit("two");
    await pull(place.context(), { env, backup: true });
    return () => backupRestore(place.context(), { env });
  },
  async "backup restore of one from before a rotation"() {
    await edit("two");
    await pull(place.context(), { env, backup: true });
    const oldPassphraseFile = join(place.folder, "old");
    await passphraseShow(place.context(), { env, out: oldPassphraseFile });
    const backups = join(place.home, ".local/state/vsync/acme_shop/demo/backups");
    cpSync(backups, join(place.folder, "under the old one"), { recursive: true });
    await rotatePassphrase(place.context(), { env });
    cpSync(join(place.folder, "under the old one"), backups, { recursive: true });
    return () => backupRestore(place.context(), { env, oldPassphraseFile });
  },
  async restore() {
    await edit("two");
    await push(place.context(), { env });
    return () => restore(place.context(), { env, version: "previous" });
  },
  async "rotate-passphrase --grace"() {
    await edit("two");
    await pull(place.context(), { env, backup: true });
    return () => rotatePassphrase(place.context(), { env, grace: "1h" });
  },
  async "rotate-passphrase --finish"() {
    await rotatePassphrase(place.context(), { env, grace: "1h" });
    return () => rotatePassphrase(place.context(), { env, finish: true });
  },
  async "a command that settles an interrupted rotation"() {
    writeFileSync(keyFile("acme_shop/demo#next"), "the staged passphrase, 44 characters long..", {
      mode: 0o600,
    });
    const journal = {
      version: 1,
      baseEtag: "x",
      keystore: `the file keystore ${join(place.home, "keystore")}`,
    };
    const file = join(place.home, ".local/state/vsync/acme_shop/demo/rotation.json");
    writeFileSync(file, JSON.stringify(journal), { mode: 0o600 });
    return () => pull(place.context(), { env });
  },
  async "restore of a version from before a rotation"() {
    const [{ timestamp } = { timestamp: "" }] = (await versions(place.context(), { env })).versions;
    await rotatePassphrase(place.context(), { env });
    const oldPassphraseFile = join(place.folder, "old");
    await passphraseShow(place.context(), { env, out: oldPassphraseFile, replaced: true });
    return () => restore(place.context(), { env, version: timestamp, oldPassphraseFile });
  },
  "share export": at(() =>
    shareExport(place.context(), { env, out: join(place.folder, "a.share"), passphraseFile: words }),
  ),
  async "share import"() {
    const share = join(place.folder, "a.share");
    await shareExport(place.context(), { env, out: share, passphraseFile: words });
    const other = makeWorkplace();
    return () => shareImport(other.context(), { file: share, passphraseFile: words });
  },
  async "share import after a rotation"() {
    const [first, second] = [join(place.folder, "a.share"), join(place.folder, "b.share")];
    const other = makeWorkplace();
    await shareExport(place.context(), { env, out: first, passphraseFile: words });
    await shareImport(other.context(), { file: first, passphraseFile: words });
    await rotatePassphrase(place.context(), { env });
    await shareExport(place.context(), { env, out: second, passphraseFile: words });
    return () => shareImport(other.context(), { file: second, passphraseFile: words });
  },
  async "keystore export and import"() {
    const [other, file] = [makeWorkplace(), join(place.folder, "keys")];
    return async () => {
      await keystoreExport(place.context(), { names: [], all: true, out: file, passphraseFile: words });
      await keystoreImport(other.context(), { file, passphraseFile: words });
    };
  },
  async "open() and close()"() {
    const { config } = await runtimeToken(place.context(), { env });
    return async () => await (await openWith({ config, passphrase: passphrase() })).close();
  },
};

const WRONG = "of somebody else, in vain";

test.each(Object.entries(CASES))("%s leaves none", async (_, prepare) => {
  const work = await prepare();
  watch.look();
  await work();
  expectAllWiped();
});

test("a command and a reader that fail leave none either", async () => {
  const { config } = await runtimeToken(place.context(), { env });
  watch.look();
  const context = place.context({ env: { VSYNC_PASSPHRASE: WRONG } });
  await expect(pull(context, { env })).rejects.toMatchObject({ code: "WRONG_PASSPHRASE" });
  expectAllWiped();
  const opening = openWith({ config, passphrase: WRONG });
  await expect(opening).rejects.toMatchObject({ code: "VSYNC_WRONG_PASSPHRASE" });
  expectAllWiped();
});

function expectAllWiped(): void {
  const { seen, unwiped } = watch.look();
  expect(unwiped).toEqual([]);
  expect(seen).toBeGreaterThan(0);
}
