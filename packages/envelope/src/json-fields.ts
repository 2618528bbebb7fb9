// JSON from outside as typed fields: nothing is taken over unchecked, `__proto__` is a name like any other.

/** The parsed object, or null when the text is no JSON object. Of a repeated name the last counts, as everywhere in JavaScript. */
export function parseJsonObject(text: string): ReadonlyMap<string, unknown> | null {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return null;
  }
  return isObject(value) ? new Map(Object.entries(value)) : null;
}

export function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** Nests no deeper than anything of ours: JSON.stringify recurses, and ends some thousand levels down in a RangeError. */
export function isShallow(value: unknown, levels: number = 32): boolean {
  if (typeof value !== "object" || value === null) return true;
  return levels > 0 && Object.values(value).every((field) => isShallow(field, levels - 1));
}
