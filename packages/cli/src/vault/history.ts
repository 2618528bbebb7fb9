// The versions of an environment, newest first, as far back as the bucket's bundles lead. docs/formats.md section 6.
// Bundle metadata is not authenticated: what is listed here is for people, and for finding a bundle that is then opened.

import { parseTimestamp, readGeneration } from "@vsync/envelope";
import { CliError } from "../cli-error.ts";
import { bundleKey, type CurrentVersion, type Remote } from "./remote.ts";

export interface Version {
  readonly timestamp: string;
  readonly generation: number;
  /** Bytes of the encrypted bundle. */
  readonly size: number;
  /** ISO 8601, by the server's clock; null when the store does not say. */
  readonly storedAt: string | null;
}

/** Where to begin. */
type Start = Pick<CurrentVersion, "timestamp" | "generation">;

/** What a person may say for the version before the current one. */
export const PREVIOUS = "previous";

/** The version that a person named: a timestamp as it is, or `previous` looked up. */
export async function findVersion(remote: Remote, current: Start, named: string): Promise<string> {
  if (named !== PREVIOUS) return named;
  const history = walkHistory(remote, current);
  const first = await history.next();
  const { value, done } = first.done ? first : await history.next();
  if (!done) return value.timestamp;
  const why = value === null ? "it is the first one" : value;
  throw new CliError(
    "INPUT",
    `there is no version before the current one of ${remote.env}: ${why}`,
    `vsync versions ${remote.env}`,
  );
}

/**
 * Yields the current version and those before it. Returns null at the first version, or what is wrong where the
 * history ends before it. Timestamp and generation fall at each step, so a forged history cannot lead in circles.
 */
export async function* walkHistory(
  { store, prefix }: Remote,
  current: Start,
): AsyncGenerator<Version, string | null> {
  let { timestamp, generation } = current;
  for (;;) {
    const found = await store.head(bundleKey(prefix, timestamp));
    if (found === null) return `version ${timestamp} is not in the bucket any more`;
    if (readGeneration(found.metadata) !== generation && generation !== current.generation) {
      return `version ${timestamp} does not say that it is generation ${generation}`;
    }
    yield { timestamp, generation, size: found.size, storedAt: found.lastModified?.toISOString() ?? null };
    const previous = found.metadata["prev-ts"] ?? "";
    if (previous === "") {
      return generation <= 1
        ? null
        : `version ${timestamp} is generation ${generation}, and names none before it`;
    }
    if (parseTimestamp(previous) === null || previous >= timestamp || generation <= 1) {
      return `what version ${timestamp} names as the one before it cannot be`;
    }
    timestamp = previous;
    generation--;
  }
}
