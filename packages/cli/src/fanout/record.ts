// What vsync has put where: this machine's memory, so that --prune removes nothing else. docs/formats.md section 9.

import { isRecord, readStateFile, writeStateFile } from "../vault/state-file.ts";
import type { StatePaths } from "../vault/state-paths.ts";

/** The names at one place, as that platform has them. */
export interface FannedOut {
  readonly names: ReadonlySet<string>;
  /** Written at once: what was sent is known even when the process ends before the rest is. */
  add(name: string): void;
  remove(name: string): void;
}

/** `place` is a target and a destination's id. */
export function openRecord({ fannedOut }: StatePaths, place: string): FannedOut {
  const damage = {
    loss: "without it --prune removes nothing that was sent before",
    hint: "then run the same command again",
  };
  const places = readStateFile(fannedOut, parsePlaces, damage) ?? new Map<string, readonly string[]>();
  const names = new Set(places.get(place));
  const save = (): void => {
    const all = new Map([...places, [place, [...names].sort()]]);
    writeStateFile(fannedOut, { places: Object.fromEntries(all) });
  };
  return {
    names,
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

function parsePlaces({
  places,
}: Readonly<{ [field: string]: unknown }>): Map<string, readonly string[]> | null {
  if (!isRecord(places)) return null;
  const entries = Object.entries(places);
  const sound = entries.every(
    ([, names]) => Array.isArray(names) && names.every((name) => typeof name === "string"),
  );
  return sound ? new Map(entries as [string, readonly string[]][]) : null;
}
