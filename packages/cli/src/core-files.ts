// Keeps the memory of this process out of core files, on Linux: core(5), "Controlling which mappings are written to the core
// dump". What could be left of a crash is a file without any of it.

import { readFileSync, writeFileSync } from "node:fs";

const OWN = "/proc/self/coredump_filter";
const NOTHING = "0x0";

export function keepMemoryOfCores(): void {
  setFilter(NOTHING);
}

/** Starts a child that has core files as it would have from whoever started us: it takes the setting over as it is now. */
export function withParentsCores<T>(start: () => T): T {
  const parents = readFilter(`/proc/${process.ppid}/coredump_filter`);
  if (parents === null) return start();
  setFilter(`0x${parents}`);
  try {
    return start();
  } finally {
    setFilter(NOTHING);
  }
}

/** Hexadecimal; null where there is none, or it is none of our business. */
function readFilter(path: string): string | null {
  try {
    return readFileSync(path, "utf8").trim();
  } catch {
    return null;
  }
}

function setFilter(filter: string): void {
  try {
    writeFileSync(OWN, filter);
  } catch {
    // Another system than Linux, or /proc is not there: docs/threat-model.md says what a core file holds then.
  }
}
