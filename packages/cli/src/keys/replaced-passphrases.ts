// The passphrases that were in force before, for versions and backups from before: the newest in the account
// `<repo>/<env>#replaced`, older ones in `<repo>/<env>#replaced-<n>`, counted up. docs/formats.md section 9.

import type { Keystore } from "./keystore.ts";

/** Newest first. `account`: that of the newest. */
export async function replacedPassphrases(keystore: Keystore, account: string): Promise<readonly string[]> {
  const newest = await keystore.get(account);
  const older = await listOlder(keystore, account);
  return [...new Set([...(newest === null ? [] : [newest]), ...older])];
}

/** Keeps one as the newest. None of the others is lost by it, wherever it is cut short. */
export async function keepReplaced(keystore: Keystore, account: string, passphrase: string): Promise<void> {
  const newest = await keystore.get(account);
  if (newest === passphrase) return;
  if (newest !== null) await keepOlder(keystore, account, newest);
  await keystore.set(account, passphrase);
}

/** Keeps those of another machine, newest first, that are not kept here: the newest of here stays the newest. */
export async function addReplaced(
  keystore: Keystore,
  account: string,
  passphrases: readonly string[],
): Promise<void> {
  const kept = await replacedPassphrases(keystore, account);
  const keep = kept.length === 0 ? keepReplaced : keepOlder;
  const missing = passphrases.filter((passphrase) => !kept.includes(passphrase));
  for (const passphrase of missing.reverse()) await keep(keystore, account, passphrase);
}

async function keepOlder(keystore: Keystore, account: string, passphrase: string): Promise<void> {
  const older = await listOlder(keystore, account);
  if (older[0] !== passphrase) await keystore.set(olderAccount(account, older.length + 1), passphrase);
}

/** Newest first. */
async function listOlder(keystore: Keystore, account: string): Promise<readonly string[]> {
  const older: string[] = [];
  for (;;) {
    const passphrase = await keystore.get(olderAccount(account, older.length + 1));
    if (passphrase === null) return older.reverse();
    older.push(passphrase);
  }
}

function olderAccount(account: string, n: number): string {
  return `${account}-${n}`;
}
