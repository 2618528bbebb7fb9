// What somebody may have meant who typed a name that there is not.

/** The name most like the typed one; null when none is like it. */
export function nearest(typed: string, names: readonly string[]): string | null {
  const parts = names.filter((name) => name.split("-").includes(typed));
  if (parts.length === 1) return parts[0] as string; // rotate: rotate-passphrase
  const tolerated = Math.max(1, Math.floor(typed.length / 3));
  const ranked = names
    .map((name) => ({ name, distance: editDistance(typed.toLowerCase(), name.toLowerCase()) }))
    .filter(({ name, distance }) => distance <= tolerated && distance < name.length)
    .sort((a, b) => a.distance - b.distance);
  return ranked[0]?.name ?? null;
}

/** ` (did you mean dev?)`, or nothing: for the end of a message. */
export function didYouMean(typed: string, names: readonly string[]): string {
  const meant = nearest(typed, names);
  return meant === null ? "" : ` (did you mean ${meant}?)`;
}

// Insertions, deletions, replacements and swaps of two neighbours (optimal string alignment).
function editDistance(a: string, b: string): number {
  if (Math.abs(a.length - b.length) > 8) return Number.POSITIVE_INFINITY;
  const rows: number[][] = [Array.from({ length: b.length + 1 }, (_, column) => column)];
  const at = (row: number, column: number): number => rows[row]?.[column] as number;
  for (let row = 1; row <= a.length; row++) {
    rows.push([row]);
    for (let column = 1; column <= b.length; column++) {
      const replaced = at(row - 1, column - 1) + (a[row - 1] === b[column - 1] ? 0 : 1);
      const swapped =
        row > 1 && column > 1 && a[row - 1] === b[column - 2] && a[row - 2] === b[column - 1]
          ? at(row - 2, column - 2) + 1
          : Number.POSITIVE_INFINITY;
      rows[row]?.push(Math.min(replaced, swapped, at(row - 1, column) + 1, at(row, column - 1) + 1));
    }
  }
  return at(a.length, b.length);
}
