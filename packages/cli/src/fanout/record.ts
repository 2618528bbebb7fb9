// What vsync has sent where, and how: this machine's memory, so that --prune removes nothing else, and a run that differs
// from the last one does not go unnoticed. docs/formats.md section 9.

import { isRecord, readStateFile, writeStateFile } from "../vault/state-file.ts";
import type { StatePaths } from "../vault/state-paths.ts";
import type { Policy } from "./selection.ts";

export interface FannedOut {
  /** As that platform has them. */
  readonly names: ReadonlySet<string>;
  /** That of the last run; null before the first. */
  readonly policy: Policy | null;
  /** Each is written at once: what was sent is known even when the process ends before the rest is. */
  begin(policy: Policy): void;
  add(name: string): void;
  remove(name: string): void;
}

interface Place extends Policy {
  readonly names: readonly string[];
}

/** `place` is a target and a destination's id. */
export function openRecord({ fannedOut }: StatePaths, place: string): FannedOut {
  const damage = {
    loss: "without it --prune removes nothing that was sent before",
    hint: "then run the same command again",
  };
  const places = readStateFile(fannedOut, parsePlaces, damage) ?? new Map<string, Place>();
  const before = places.get(place) ?? null;
  const names = new Set(before?.names);
  let policy: Policy | null = before;
  const save = (): void => {
    const { inlineFileSuffixes = [], excludeProperties = [] } = policy ?? {};
    const now: Place = { names: [...names].sort(), inlineFileSuffixes, excludeProperties };
    writeStateFile(fannedOut, { places: Object.fromEntries([...places, [place, now]]) });
  };
  return {
    names,
    policy,
    begin(used) {
      policy = used;
      save();
    },
    add(name) {
      if (names.has(name)) return;
      names.add(name);
      save();
    },
    remove(name) {
      if (names.delete(name)) save();
    },
  };
}

function parsePlaces({ places }: Record<string, unknown>): Map<string, Place> | null {
  if (!isRecord(places)) return null;
  const entries = Object.entries(places);
  return entries.every(([, place]) => isPlace(place)) ? new Map(entries as [string, Place][]) : null;
}

function isPlace(value: unknown): value is Place {
  return (
    isRecord(value) &&
    [value.names, value.inlineFileSuffixes, value.excludeProperties].every(
      (list) => Array.isArray(list) && list.every((name) => typeof name === "string"),
    )
  );
}
