// Whether the keystore does what it is for: a probe is stored, read and removed again.

import { toHex } from "@vsync/envelope";
import type { Context } from "../context.ts";
import { openKeystore } from "../keys/keystore.ts";
import { passphraseFromVariables } from "../keys/passphrase.ts";
import { type Check, fail, failed, ok, warn } from "./check.ts";

const NAME = "keystore";

export async function checkKeystore(context: Context): Promise<Check> {
  const { host, flags } = context;
  try {
    const given = await passphraseFromVariables(context);
    if (given !== null) return ok(NAME, `${given.source} stands in for it; it was not asked`);
    const keystore = await openKeystore(host);
    if (flags.dryRun) return ok(NAME, `${keystore.description}; not tried out (dry run)`);
    const account = `doctor/probe-${toHex(host.random(8))}`;
    const secret = toHex(host.random(16));
    await keystore.set(account, secret);
    let found: string | null;
    try {
      found = await keystore.get(account);
    } finally {
      await keystore.delete(account);
    }
    if (found !== secret || (await keystore.get(account)) !== null) {
      return fail(
        NAME,
        "LOCAL_IO",
        `${keystore.description} does not keep what is stored in it`,
        "use another one",
      );
    }
    if (keystore.kind === "keychain")
      return ok(NAME, `${keystore.description} keeps, returns and forgets a probe`);
    return warn(
      NAME,
      `${keystore.description} works, but its passphrases lie in the clear: every program of this user, every backup and who takes the disk can read them`,
      "where there is a keychain: unset VSYNC_KEYSTORE",
    );
  } catch (error) {
    return failed(NAME, error);
  }
}
