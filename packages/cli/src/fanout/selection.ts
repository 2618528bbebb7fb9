// Which values of a vault are sent, and under which names: the policy of one run, applied before anything is sent.

import { fromUtf8, type VaultFiles } from "@vsync/envelope";
import { CliError } from "../cli-error.ts";
import { visible } from "../terminal.ts";

export interface Policy {
  /**
   * A value whose name ends in one of these is the name of a file in the vault: what is sent is the file's content, under
   * the name without the suffix. Without any, such values are sent as they are.
   */
  readonly inlineFileSuffixes: readonly string[];
  /** Names that are left out. */
  readonly excludeProperties: readonly string[];
}

export interface Selected {
  /** As in the vault. */
  readonly scalar: string;
  /** What it is to be called; the platform may have its own way to write it. */
  readonly name: string;
  readonly value: string;
  /** Entry name of the file whose content the value is, or null. */
  readonly file: string | null;
}

export interface Selection {
  readonly selected: readonly Selected[];
  readonly excluded: readonly string[];
  /** Excluded, but not in the vault: a misspelt one would let a value through. */
  readonly unknownExclusions: readonly string[];
}

/** Throws INPUT, naming every file reference that leads nowhere: nothing has been sent then. */
export function selectValues(
  pairs: ReadonlyMap<string, string>,
  files: VaultFiles,
  { inlineFileSuffixes, excludeProperties }: Policy,
): Selection {
  const exclusions = new Set(excludeProperties);
  const suffixes = [...inlineFileSuffixes].sort((a, b) => b.length - a.length);
  const problems: string[] = [];
  const selected: Selected[] = [];
  for (const [scalar, value] of pairs) {
    if (exclusions.has(scalar)) continue;
    const suffix = suffixes.find((end) => scalar.endsWith(end) && scalar.length > end.length);
    if (suffix === undefined) {
      selected.push({ scalar, name: scalar, value, file: null });
      continue;
    }
    const file = value.replace(/^(\.\/)+/, "").normalize("NFC");
    const bytes = files.get(file)?.bytes;
    const content = bytes === undefined ? null : fromUtf8(bytes);
    if (bytes === undefined) problems.push(`${visible(scalar)}: the vault has no file ${visible(value)}`);
    else if (content === null) problems.push(`${visible(scalar)}: ${visible(file)} is not UTF-8 text`);
    else selected.push({ scalar, name: scalar.slice(0, -suffix.length), value: content, file });
  }
  if (problems.length > 0) throw refuse(problems);
  return {
    selected,
    excluded: [...pairs.keys()].filter((name) => exclusions.has(name)),
    unknownExclusions: [...exclusions].filter((name) => !pairs.has(name)),
  };
}

function refuse(problems: readonly string[]): CliError {
  const hint =
    "put the files into the vault folder, correct the values, or leave them out: --exclude-property <name>";
  return new CliError("INPUT", `nothing was sent: ${problems.join("; ")}`, hint, { details: { problems } });
}
