// The time after a rotation in which applications may still start with the passphrase before it, as a writer sees it.
// docs/formats.md section 6, "Rotation".

import { formatTimestamp, graceBundle, parseTimestamp } from "@vsync/envelope";
import type { CurrentVersion } from "./remote.ts";

export interface Grace {
  /** `YYYY-MM-DDTHH:mm:ssZ`. */
  readonly until: string;
  /** What the old passphrase still opens. */
  readonly generation: number;
}

/** Null: there is none, or its time is over. */
export function runningGrace({ grace }: Pick<CurrentVersion, "grace">, nowMs: number): Grace | null {
  const bundle = grace === undefined ? null : graceBundle(grace);
  if (bundle === null || formatTimestamp(nowMs) >= bundle.until) return null;
  return { until: isoSeconds(parseTimestamp(bundle.until) as number), generation: bundle.generation };
}

export function describeGrace({ until, generation }: Grace): string {
  return `grace until ${until}: the old passphrase still opens generation ${generation}`;
}

/** `YYYY-MM-DDTHH:mm:ssZ`. */
export function isoSeconds(ms: number): string {
  return `${new Date(ms).toISOString().slice(0, 19)}Z`;
}
