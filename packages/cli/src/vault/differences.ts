// What differs between two states of a vault, as people look at it: names of values and files, and, when asked for,
// the lines.

import { fromUtf8, parseEnv, scalarsFile, type VaultFile, type VaultFiles } from "@vsync/envelope";
import { visible } from "../terminal.ts";
import { type Changes, compareVaults, countChanges } from "./changes.ts";

export interface Differences {
  /** Names of scalars, sorted. */
  readonly scalars: Changes;
  /** Entry names, sorted. */
  readonly files: Changes;
  /** One unified diff for each text file that differs; a line of words for others. Null: values were not asked for. */
  readonly patches: readonly Patch[] | null;
}

export interface Patch {
  readonly file: string;
  readonly text: string;
}

/** For people: one line for each name, or with values a patch for each file. Null: there are none. */
export function formatDifferences({ scalars, files, patches }: Differences): string | null {
  if (countChanges(files) === 0) return null;
  if (patches !== null) return patches.map(({ text }) => text).join("\n\n");
  return [...markedLines(scalars), ...markedLines(files)].join("\n");
}

function markedLines({ added, changed, removed }: Changes): string[] {
  const marked = [
    ...added.map((name) => [name, "+"] as const),
    ...changed.map((name) => [name, "~"] as const),
    ...removed.map((name) => [name, "-"] as const),
  ];
  return marked.sort(([a], [b]) => (a < b ? -1 : 1)).map(([name, mark]) => `${mark} ${visible(name)}`);
}

/** `from` and `to` name the two states in the patches. */
export async function findDifferences(
  env: string,
  before: VaultFiles,
  after: VaultFiles,
  reveal: { readonly from: string; readonly to: string } | null,
): Promise<Differences> {
  const files = compareVaults(before, after);
  const scalars = compareScalars(scalarsOf(before, env), scalarsOf(after, env));
  return { scalars, files, patches: reveal && (await makePatches(files, before, after, reveal)) };
}

function scalarsOf(files: VaultFiles, env: string): ReadonlyMap<string, string> {
  const name = scalarsFile(files, env);
  return name === null ? new Map() : parseEnv((files.get(name) as VaultFile).bytes);
}

function compareScalars(before: ReadonlyMap<string, string>, after: ReadonlyMap<string, string>): Changes {
  const names = [...after.keys()].sort();
  return {
    added: names.filter((name) => !before.has(name)),
    changed: names.filter((name) => before.has(name) && before.get(name) !== after.get(name)),
    removed: [...before.keys()].filter((name) => !after.has(name)).sort(),
  };
}

async function makePatches(
  { added, changed, removed }: Changes,
  before: VaultFiles,
  after: VaultFiles,
  { from, to }: { readonly from: string; readonly to: string },
): Promise<Patch[]> {
  const { createTwoFilesPatch } = await import("diff");
  return [...added, ...changed, ...removed].sort().map((file) => {
    const [old, next] = [textOf(before.get(file)), textOf(after.get(file))];
    if (old === null || next === null)
      return { file, text: `${visible(file)} ${describeBinary(before.get(file), after.get(file))}` };
    if (old === next) return { file, text: `${visible(file)} differs only in its executable bit` };
    // Bounded: for two large files with nothing in common the shortest diff is not worth its time.
    const options = {
      headerOptions: { includeIndex: false, includeUnderline: false, includeFileHeaders: true },
      timeout: 2000,
    };
    const patch = createTwoFilesPatch(
      `${file} (${from})`,
      `${file} (${to})`,
      old,
      next,
      undefined,
      undefined,
      options,
    );
    return { file, text: patch?.trimEnd() ?? `${visible(file)} differs in too many lines to show` };
  });
}

/** Null: not text. */
function textOf(file: VaultFile | undefined): string | null {
  if (file === undefined) return "";
  const text = fromUtf8(file.bytes);
  return text?.includes("\0") ? null : text;
}

function describeBinary(before: VaultFile | undefined, after: VaultFile | undefined): string {
  const size = (file: VaultFile | undefined) =>
    file === undefined ? "nothing" : `${file.bytes.length} bytes`;
  return `is not text: ${size(before)} before, ${size(after)} after`;
}
