// Sessions kept as text, for people to read and for tests to compare: what was typed, what the screen showed, how it ended.

import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { fileURLToPath } from "node:url";
import { expect } from "vitest";
import type { Shop } from "./shop.ts";
import type { Shown } from "./terminal-session.ts";

/** What is longer is a document, which has tests of its own. */
const MOST_LINES = 40;

/** One line and what came of it. */
export function entry(shop: Shop, line: string, { screen, status }: Shown, person?: string): string {
  const lines = shop.normalise(screen).split("\n");
  const shown = lines.length > MOST_LINES ? `${lines.slice(0, 3).join("\n")}\n...` : lines.join("\n");
  const prompt = person === undefined ? "$" : `${person}$`;
  return `${prompt} ${line}\n${shown === "" ? "" : `${shown}\n`}[exit ${status}]\n`;
}

/** Compares with test/transcripts/<name>.txt; with VSYNC_UPDATE_TRANSCRIPTS=1 it writes that file, unless only to be compared. */
export function expectTranscript(name: string, entries: readonly string[], writable = true): void {
  const path = fileURLToPath(new URL(`./transcripts/${name}.txt`, import.meta.url));
  const text = entries.join("\n");
  if (writable && process.env.VSYNC_UPDATE_TRANSCRIPTS === "1") {
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, text);
  }
  expect(text).toBe(existsSync(path) ? readFileSync(path, "utf8") : "");
}
