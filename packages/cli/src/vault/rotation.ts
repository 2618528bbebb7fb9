// A passphrase rotation that can be cut short anywhere: docs/formats.md section 6, "Rotation".
//
// The new passphrase is staged in the keystore before the manifest is swapped and promoted after it, and a journal says
// that this is going on. So at every instant a stored passphrase opens what the manifest names, and the next command
// learns from the manifest's seal which of the two it is.

import { deriveKeys, judgeManifest, type VaultKeys, wipe } from "@vsync/envelope";
import { type ObjectStore, openStore } from "@vsync/store";
import { auditRowWriter } from "../audit/write-row.ts";
import { keyAccount, replacedAccount, stagedAccount } from "../config/paths.ts";
import { removePrivateFile } from "../config/private-file.ts";
import type { Context } from "../context.ts";
import { type Keystore, openKeystore } from "../keys/keystore.ts";
import type { Passphrase } from "../keys/passphrase.ts";
import { rekeyKeptBundles } from "./kept-bundles.ts";
import type { Located } from "./located.ts";
import { loadPending } from "./pending.ts";
import { recoverPublish } from "./recover.ts";
import { getManifest, type Remote } from "./remote.ts";
import { readStateFile, writeStateFile } from "./state-file.ts";
import type { StatePaths } from "./state-paths.ts";

interface Journal {
  /** Of the manifest that the rotation replaces: while it stands there, the swap may still arrive. */
  readonly baseEtag: string;
}

/** The accounts of one environment in the keystore, as a rotation uses them. */
export interface KeyPlaces {
  readonly keystore: Keystore;
  readonly inForce: string;
  readonly staged: string;
  readonly replaced: string;
}

export async function keyPlaces(
  { host }: Context,
  { repository: { name }, env }: Located,
): Promise<KeyPlaces> {
  return {
    keystore: await openKeystore(host),
    inForce: keyAccount(name, env),
    staged: stagedAccount(name, env),
    replaced: replacedAccount(name, env),
  };
}

/** Keeps the new passphrase beside the one in force. The journal comes first: nothing else says where to look. */
export async function stage(
  paths: StatePaths,
  places: KeyPlaces,
  baseEtag: string,
  next: string,
): Promise<void> {
  const journal: Journal = { baseEtag };
  writeStateFile(paths.rotation, { ...journal });
  await places.keystore.set(places.staged, next);
}

/** Puts the staged passphrase into force, after all that is kept under the old one. */
export async function promote(
  paths: StatePaths,
  { keystore, inForce, staged, replaced }: KeyPlaces,
  old: { readonly passphrase: string; readonly keys: VaultKeys },
  next: { readonly passphrase: string; readonly keys: VaultKeys },
): Promise<void> {
  await rekeyKeptBundles(paths, old.keys, next.keys);
  if (old.passphrase !== next.passphrase) await keystore.set(replaced, old.passphrase);
  await keystore.set(inForce, next.passphrase);
  await unstage(paths, { keystore, staged });
}

/** Forgets a staged passphrase that is certain not to come into force, or that has. */
export async function unstage(
  paths: StatePaths,
  { keystore, staged }: Pick<KeyPlaces, "keystore" | "staged">,
): Promise<void> {
  await keystore.delete(staged);
  removePrivateFile(paths.rotation);
}

/** What an interrupted rotation staged, or null. A new attempt goes on with it: the swap that names it may still arrive. */
export async function stagedPassphrase(
  paths: StatePaths,
  { keystore, staged }: KeyPlaces,
): Promise<string | null> {
  return loadJournal(paths) === null ? null : await keystore.get(staged);
}

/** Finds out which passphrase an interrupted rotation left in force, and returns that one. */
export async function settleRotation(
  context: Context,
  located: Located,
  stored: Passphrase,
): Promise<Passphrase> {
  const { paths, config, env } = located;
  const journal = loadJournal(paths);
  if (journal === null) return stored;
  const places = await keyPlaces(context, located);
  const staged = await places.keystore.get(places.staged);
  if (staged === null) {
    removePrivateFile(paths.rotation); // killed before anything was staged, and so before anything was sent
    return stored;
  }
  const { salt, iterations } = config.encryption;
  const [oldKeys, newKeys, store] = await Promise.all([
    deriveKeys(stored.text, salt, iterations),
    deriveKeys(staged, salt, iterations),
    openStore(config.s3, { env: context.host.env }),
  ]);
  try {
    const remote = remoteOf(located, store, newKeys);
    if (loadPending(paths)?.operation === "rotate") {
      const auditRemote = { ...remote, former: oldKeys };
      await recoverPublish(
        remote,
        paths,
        auditRowWriter(context, auditRemote, paths, located.repository.root),
      );
    }
    const manifest = await getManifest(remote);
    if (manifest === null || manifest.etag === journal.baseEtag) return stored;
    const isUnder = async (keys: VaultKeys): Promise<boolean> =>
      (await judgeManifest(keys, config.prefix, manifest, context.host.now())).kind === "verified";
    if (await isUnder(newKeys)) {
      await promote(
        paths,
        places,
        { passphrase: stored.text, keys: oldKeys },
        { passphrase: staged, keys: newKeys },
      );
      context.terminal.note(`an interrupted rotation of ${env}'s passphrase was finished`);
      return { text: staged, source: places.keystore.description };
    }
    if (await isUnder(oldKeys)) {
      await unstage(paths, places);
      context.terminal.note(
        `an interrupted rotation of ${env}'s passphrase was undone: the old one is in force`,
      );
    }
    return stored;
  } finally {
    for (const { master, sealKey, chainKey } of [oldKeys, newKeys]) wipe(master, sealKey, chainKey);
    await store.close();
  }
}

function remoteOf({ config, env }: Located, store: ObjectStore, keys: VaultKeys): Remote {
  return { store, keys, prefix: config.prefix, env, singleWriter: config.singleWriter === true };
}

function loadJournal(paths: StatePaths): Journal | null {
  const damage = {
    loss: "it says that a rotation was under way",
    hint: "the staged passphrase is in the keystore under <repo>/<env>#next; vsync status tells which one opens the bucket",
  };
  return readStateFile(paths.rotation, parseJournal, damage);
}

function parseJournal({ baseEtag }: Record<string, unknown>): Journal | null {
  return typeof baseEtag === "string" ? { baseEtag } : null;
}
