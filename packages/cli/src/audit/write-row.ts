// The audit row of this machine's user, written as soon as what it says is done. docs/formats.md section 7.

import { setTimeout as delay } from "node:timers/promises";
import type { Context } from "../context.ts";
import type { Host } from "../host.ts";
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

/** How rows are written: by whom, when, and where a warning goes. */
export interface RowWriting {
  actor(): Actor;
  /** Milliseconds since 1970. */
  now(): number;
  /** Waits a random part of so many milliseconds. */
  pause(atMostMs: number): Promise<void>;
  warn(text: string): void;
}

/** `actor`: where it was looked up before; it takes git. */
export function auditRowWriter(
  { host, terminal }: Context,
  remote: AuditRemote,
  paths: StatePaths,
  root: string,
  actor?: Actor,
): WriteAuditRow {
  return rowWriter(remote, paths, {
    actor: () => actor ?? actorOn(host, root),
    now: () => host.now(),
    pause: (atMostMs) => delay(((host.random(1)[0] as number) / 255) * atMostMs),
    warn: terminal.warn,
  });
}

/** Never throws: what a row records is done, whether or not the row can be written. */
export function rowWriter(remote: AuditRemote, paths: StatePaths, writing: RowWriting): WriteAuditRow {
  return async ({ action, meta }, { timestamp, generation }, mayBeThere) => {
    const { actor, now, pause, warn } = writing;
    const event = { action, meta, versionTimestamp: timestamp, generation };
    const { chain, warnings } = await appendAudit(remote, event, actor(), { now, pause, mayBeThere });
    for (const warning of warnings) warn(warning);
    if (chain === null) return;
    try {
      saveLedger(paths, { ...loadLedger(paths), auditChain: chain });
    } catch (error) {
      warn(`the audit row is written, but this machine could not remember it: ${(error as Error).message}`);
    }
  };
}

/** Who writes rows on this machine, in this repository. */
export function actorOn(host: Host, root: string): Actor {
  return {
    hostname: host.hostname(),
    localIp: host.localIp(),
    osUser: host.username(),
    gitEmail: gitEmail(host, root) ?? "",
    vsyncVersion: VERSION,
    runtime: `node ${process.versions.node}`,
  };
}
