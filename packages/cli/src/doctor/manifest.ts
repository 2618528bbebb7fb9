// Whether the passphrase at hand is the one in force, the bucket no older than it was, and the bundle in it: the manifest tells.

import { existsSync } from "node:fs";
import { deriveKeys, wipe } from "@vsync/envelope";
import type { ObjectStore } from "@vsync/store";
import { toCliError } from "../cli-error.ts";
import type { EnvConfig } from "../config/env-config.ts";
import { envStateFolder } from "../config/paths.ts";
import type { Host } from "../host.ts";
import { describeGrace, type Grace, runningGrace } from "../vault/grace.ts";
import { loadLedger } from "../vault/ledger.ts";
import { readCurrentVersion, requireBundle } from "../vault/remote.ts";
import { pathsInForce } from "../vault/setup-journal.ts";
import { trustOf } from "../vault/standing.ts";
import { statePaths } from "../vault/state-paths.ts";
import { type Check, fail, failed, ok, warn } from "./check.ts";

export interface Keyed {
  readonly repo: string;
  readonly env: string;
  readonly config: EnvConfig;
  readonly passphrase: string;
}

const NAME = "manifest";

export async function checkManifest(
  host: Host,
  store: ObjectStore,
  { repo, env, config, passphrase }: Keyed,
): Promise<Check> {
  const { encryption, prefix, singleWriter = false } = config;
  const paths = statePaths(envStateFolder(host, repo, env));
  try {
    const ledger = loadLedger(pathsInForce(paths, config));
    const keys = await deriveKeys(passphrase, encryption.salt, encryption.iterations);
    try {
      const remote = { store, keys, prefix, env, singleWriter };
      const current = await readCurrentVersion(remote, trustOf({ config }, ledger), host.now());
      if (current === null) return noManifest(env, ledger.highest?.generation ?? config.minGen ?? 0);
      await requireBundle(remote, current);
      const { generation, timestamp, seal } = current;
      return seal === null
        ? warn(
            NAME,
            `version ${timestamp} has no seal; it opens with this passphrase`,
            `vsync push ${env} seals the next`,
          )
        : ok(
            NAME,
            `generation ${generation} (${timestamp}) is sealed with this passphrase${ofGrace(env, runningGrace(current, host.now()))}`,
          );
    } finally {
      wipe(keys.master, keys.sealKey, keys.chainKey);
    }
  } catch (error) {
    // The staged passphrase may be the one in force; the next command finds out.
    if (toCliError(error).code === "WRONG_PASSPHRASE" && existsSync(paths.rotation)) {
      const fix = `vsync versions ${env}   (any command that asks the bucket settles it)`;
      return warn(NAME, "an interrupted change of passphrase is not settled yet", fix);
    }
    return failed(NAME, error);
  }
}

function ofGrace(env: string, running: Grace | null): string {
  if (running === null) return "";
  return `; ${describeGrace(running)}; end it with vsync rotate-passphrase ${env} --finish`;
}

function noManifest(env: string, seen: number): Check {
  if (seen === 0) return ok(NAME, "nothing was pushed yet");
  const says = `it is gone, though generation ${seen} was there: somebody deleted it`;
  return fail(NAME, "NOT_CONFIGURED", says, `find out who and why, then: vsync push ${env} --recreate`);
}
