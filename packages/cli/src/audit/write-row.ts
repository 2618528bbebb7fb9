// The audit row of this machine's user, written as soon as what it says is done. docs/formats.md section 7.

import { setTimeout as delay } from "node:timers/promises";
import type { Context } from "../context.ts";
import { gitEmail } from "../identity/git.ts";
import { loadLedger, saveLedger } from "../vault/ledger.ts";
import type { AuditIntent } from "../vault/pending.ts";
import type { StatePaths } from "../vault/state-paths.ts";
import { VERSION } from "../version.ts";
import { type Actor, type AuditRemote, appendAudit } from "./append.ts";

/** Writes the row and remembers the log's new chain value. `mayBeThere`: an earlier process may have written it. */
export type WriteAuditRow = (
  intent: AuditIntent,
  version: { readonly timestamp: string; readonly generation: number },
  mayBeThere: boolean,
) => Promise<void>;

export function auditRowWriter(
  { host, terminal }: Context,
  remote: AuditRemote,
  paths: StatePaths,
  root: string,
): WriteAuditRow {
  const pause = (atMostMs: number): Promise<void> => delay(((host.random(1)[0] as number) / 255) * atMostMs);
  return async ({ action, meta }, { timestamp, generation }, mayBeThere) => {
    const actor: Actor = {
      hostname: host.hostname(),
      localIp: host.localIp(),
      osUser: host.username(),
      gitEmail: gitEmail(host, root) ?? "",
      vsyncVersion: VERSION,
      runtime: `node ${process.versions.node}`,
    };
    const event = { action, meta, versionTimestamp: timestamp, generation };
    const options = { now: () => host.now(), pause, mayBeThere };
    const { chain, warnings } = await appendAudit(remote, event, actor, options);
    for (const warning of warnings) terminal.warn(warning);
    if (chain !== null) saveLedger(paths, { ...loadLedger(paths), auditChain: chain });
  };
}
