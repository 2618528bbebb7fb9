// Holding the audit log against itself, the bucket's history and what this machine remembers. docs/formats.md section 7.

import type { Version } from "../vault/history.ts";
import { PUBLISHING } from "./publisher.ts";
import type { Segment } from "./read-log.ts";

export interface Finding {
  /** Relative to the prefix; null when it is about no one file. */
  readonly file: string | null;
  /** The row's number, 1 for the first below the header; null when it is about no one row. */
  readonly row: number | null;
  readonly problem: string;
}

export interface Evidence {
  /** Newest first. */
  readonly segments: readonly Segment[];
  /** Why the log could not be read further back, or null. */
  readonly ended: string | null;
  /**
   * Names below the prefix that `audit/` holds, but for earlier states of a segment, which say nothing that it does not;
   * null when the credentials may not list.
   */
  readonly stored: readonly string[] | null;
  /** Those that must have a row. */
  readonly versions: readonly Version[];
  /** The last chain value this machine saw; null: none yet. */
  readonly rememberedChain: string | null;
  /** Every chain value in the log. */
  readonly chains: ReadonlySet<string>;
}

export function judgeLog(evidence: Evidence): Finding[] {
  return [...brokenChains(evidence), ...lostRows(evidence), ...foreignFiles(evidence)];
}

function* brokenChains({ segments, ended }: Evidence): Generator<Finding> {
  for (const { name, log, digestHolds } of segments) {
    if (digestHolds === false) {
      yield { file: name, row: null, problem: "is not the file that was closed: its digest differs" };
    }
    // A closed file may be chained under a passphrase that is no more; its digest vouches for it.
    if (log.firstBadRow !== null && digestHolds === null) {
      yield {
        file: name,
        row: log.firstBadRow + 1,
        problem: "was not written by a holder of the passphrase, or was changed since",
      };
    }
  }
  if (ended !== null) yield { file: null, row: null, problem: ended };
}

function* lostRows({ segments, versions, rememberedChain, chains }: Evidence): Generator<Finding> {
  if (rememberedChain !== null && !chains.has(rememberedChain)) {
    yield {
      file: null,
      row: null,
      problem: "the last row that this machine saw is gone: the log was cut or put back",
    };
  }
  const rows = segments.flatMap(({ log }) => log.rows);
  const recorded = new Set(rows.filter(({ action }) => PUBLISHING.has(action)).map((row) => row.version_ts));
  for (const { timestamp, generation } of versions) {
    if (!recorded.has(timestamp)) {
      yield {
        file: null,
        row: null,
        problem: `generation ${generation} (${timestamp}) has no row: it was published with --no-audit, or the row was lost`,
      };
    }
  }
}

function* foreignFiles({ segments, ended, stored }: Evidence): Generator<Finding> {
  // Where the log could not be read further, a row names the file that is in the way, and who knows what that one names.
  const known = new Set(segments.flatMap(({ name, previous }) => [name, previous]));
  const named = ended === null ? "no row names" : "no row names, as far as the log can be read";
  for (const name of stored ?? []) {
    if (!known.has(name)) yield { file: name, row: null, problem: `is a closed file that ${named}` };
  }
}
