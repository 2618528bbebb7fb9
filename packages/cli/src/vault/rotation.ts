// A passphrase rotation that can be cut short anywhere: docs/formats.md section 6, "Rotation".
//
// The new passphrase is staged in the keystore before the manifest is swapped and promoted after it, and a journal says
// that this is going on. So at every instant a stored passphrase opens what the manifest names, and the next command
// learns from the manifest's seal which of the two it is.

import { deriveKeys, judgeManifest, type VaultKeys, wipe } from "@vsync/envelope";
import type { ObjectStore } from "@vsync/store";
import { auditRowWriter, type WriteAuditRow } from "../audit/write-row.ts";
import { CliError } from "../cli-error.ts";
import { keyAccount, replacedAccount, stagedAccount } from "../config/paths.ts";
import { removePrivateFile } from "../config/private-file.ts";
import type { Context } from "../context.ts";
import { type Keystore, openKeystore } from "../keys/keystore.ts";
import type { Passphrase } from "../keys/passphrase.ts";
import { keepReplaced } from "../keys/replaced-passphrases.ts";
import { openBucket } from "./bucket.ts";
import { rekeyKeptBundles } from "./kept-bundles.ts";
import type { Located } from "./located.ts";
import { loadPending } from "./pending.ts";
import { recoverPublish } from "./recover.ts";
import { getManifest, type Remote } from "./remote.ts";
import { isCount, isRecord, readStateFile, writeStateFile } from "./state-file.ts";
import type { StatePaths } from "./state-paths.ts";

interface Journal {
  /**
   * Of the manifest that the rotation replaces: while it stands there, the swap may still arrive. Null: a damaged journal
   * had it; the pending publish alone says then what may.
   */
  readonly baseEtag: string | null;
  /** Where the new passphrase is staged: another keystore knows nothing of it. */
  readonly keystore: string;
  /** What was published under the new passphrase, once that is in force; null: not yet. */
  readonly promoted: FinishedRotation | null;
}

/** A rotation that an earlier process had begun, and this one has finished. */
export interface FinishedRotation {
  readonly timestamp: string;
  readonly generation: number;
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
  const journal: Journal = { baseEtag, keystore: places.keystore.description, promoted: null };
  writeStateFile(paths.rotation, { ...journal });
  await places.keystore.set(places.staged, next);
}

/** Puts the staged passphrase into force, after all that is kept under the old one. `version` is under the new one. */
export async function promote(
  paths: StatePaths,
  { keystore, inForce, staged, replaced }: KeyPlaces,
  old: { readonly passphrase: string; readonly keys: VaultKeys },
  next: { readonly passphrase: string; readonly keys: VaultKeys },
  { timestamp, generation }: FinishedRotation,
): Promise<void> {
  await rekeyKeptBundles(paths, old.keys, next.keys);
  if (old.passphrase !== next.passphrase) await keepReplaced(keystore, replaced, old.passphrase);
  await keystore.set(inForce, next.passphrase);
  // First: a journal that finds nothing staged would be taken for one of a rotation that had sent nothing.
  writeStateFile(paths.rotation, { ...loadJournal(paths), promoted: { timestamp, generation } });
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

/** Finds out which passphrase an interrupted rotation left in force; `given` is what this run would use otherwise. */
export async function settleRotation(
  context: Context,
  located: Located,
  given: Passphrase,
): Promise<{ readonly passphrase: Passphrase; readonly finished: FinishedRotation | null }> {
  const { paths, config, env } = located;
  const undecided = { passphrase: given, finished: null };
  const places = await keyPlaces(context, located);
  const journal = await loadOrMendJournal(paths, places);
  if (journal === null) return undecided;
  const isElsewhere = places.keystore.description !== journal.keystore;
  const decisive = journal.promoted === null ? places.staged : places.inForce;
  if (isElsewhere && (await places.keystore.get(decisive)) === null)
    throw stagedElsewhere(env, journal, places);
  const says = (became: string): void =>
    context.terminal.note(`an interrupted rotation of ${env}'s passphrase was ${became}`);
  if (journal.promoted !== null) {
    const text = (await places.keystore.get(places.inForce)) ?? given.text;
    await unstage(paths, places);
    says("finished");
    return { passphrase: { text, source: places.keystore.description }, finished: journal.promoted };
  }
  const staged = await places.keystore.get(places.staged);
  if (staged === null) {
    // Killed before anything was staged, and so before anything was sent; or undone. One that vsync 0.9 had finished but for
    // this file looks the same: a manifest that is another by now, and under the key in force, may be somebody's push.
    removePrivateFile(paths.rotation);
    return undecided;
  }
  // What is kept on this machine is under the stored one, whatever a variable says by now.
  const old = (await places.keystore.get(places.inForce)) ?? given.text;
  const { salt, iterations } = config.encryption;
  const [oldKeys, newKeys, store] = await Promise.all([
    deriveKeys(old, salt, iterations),
    deriveKeys(staged, salt, iterations),
    openBucket(context.host, env, config.s3),
  ]);
  try {
    const remote = remoteOf(located, store, newKeys);
    const writeAuditRow = auditRowWriter(
      context,
      { ...remote, former: oldKeys },
      paths,
      located.repository.root,
    );
    const began: BegunRotation = {
      baseEtag: journal.baseEtag,
      old: { passphrase: old, keys: oldKeys },
      next: { passphrase: staged, keys: newKeys },
      places,
    };
    const decision = await decideRotation(remote, paths, began, writeAuditRow, context.host.now());
    if (decision === "undecided") return undecided;
    says(decision === "undone" ? "undone: the old one is in force" : "finished");
    if (decision === "undone") return undecided;
    return { passphrase: { text: staged, source: places.keystore.description }, finished: decision };
  } finally {
    for (const { master, sealKey, chainKey } of [oldKeys, newKeys]) wipe(master, sealKey, chainKey);
    await store.close();
  }
}

/** What an interrupted rotation left behind. */
export interface BegunRotation {
  /** Of the manifest that it was to replace, if it is known. */
  readonly baseEtag: string | null;
  readonly old: { readonly passphrase: string; readonly keys: VaultKeys };
  readonly next: { readonly passphrase: string; readonly keys: VaultKeys };
  readonly places: KeyPlaces;
}

/**
 * Finishes the rotation where the manifest is under the new keys, undoes it where somebody has published under the old
 * ones, and leaves it while neither is certain. `remote` and `writeAuditRow` are under the new keys.
 */
export async function decideRotation(
  remote: Remote,
  paths: StatePaths,
  { baseEtag, old, next, places }: BegunRotation,
  writeAuditRow: WriteAuditRow,
  nowMs: number,
): Promise<FinishedRotation | "undone" | "undecided"> {
  if (loadPending(paths)?.operation === "rotate") await recoverPublish(remote, paths, writeAuditRow);
  const manifest = await getManifest(remote);
  if (manifest === null || manifest.etag === baseEtag) return "undecided";
  const judge = async (keys: VaultKeys) => await judgeManifest(keys, remote.prefix, manifest, nowMs);
  const verdict = await judge(next.keys);
  if (verdict.kind === "verified") {
    await promote(paths, places, old, next, verdict.manifest);
    return verdict.manifest;
  }
  if ((await judge(old.keys)).kind !== "verified") return "undecided";
  await unstage(paths, places);
  return "undone";
}

function remoteOf({ config, env }: Located, store: ObjectStore, keys: VaultKeys): Remote {
  return { store, keys, prefix: config.prefix, env, singleWriter: config.singleWriter === true };
}

/** A damaged one is written anew where a passphrase is staged: the manifest tells which of the two is in force. */
async function loadOrMendJournal(
  paths: StatePaths,
  { keystore, staged }: KeyPlaces,
): Promise<Journal | null> {
  try {
    return loadJournal(paths);
  } catch (error) {
    const isDamaged = error instanceof CliError && error.code === "CORRUPT";
    if (!isDamaged || (await keystore.get(staged)) === null) throw error;
    const journal: Journal = { baseEtag: null, keystore: keystore.description, promoted: null };
    writeStateFile(paths.rotation, { ...journal });
    return journal;
  }
}

function loadJournal(paths: StatePaths): Journal | null {
  const damage = {
    loss: "it says that a rotation was under way",
    hint: "then run the same command again; but where VSYNC_KEYSTORE was another at that rotation, set it as it was instead: what is staged there under <repo>/<env>#next decides",
  };
  return readStateFile(paths.rotation, parseJournal, damage);
}

function parseJournal({ baseEtag, keystore, promoted = null }: Record<string, unknown>): Journal | null {
  const sound =
    (baseEtag === null || typeof baseEtag === "string") &&
    typeof keystore === "string" &&
    (promoted === null || isFinishedRotation(promoted));
  return sound ? { baseEtag, keystore, promoted } : null;
}

function isFinishedRotation(value: unknown): value is FinishedRotation {
  return isRecord(value) && typeof value.timestamp === "string" && isCount(value.generation);
}

function stagedElsewhere(env: string, { keystore }: Journal, places: KeyPlaces): CliError {
  return new CliError(
    "LOCAL_IO",
    `a rotation of ${env}'s passphrase was interrupted, and the new one is staged in ${keystore}; this run uses ${places.keystore.description}`,
    "set VSYNC_KEYSTORE as it was then (or unset it for the keychain), and run the same command again",
  );
}
