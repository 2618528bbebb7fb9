// Whether an implementation does what a vector says.

import assert from "node:assert/strict";
import type { Category, Fields, Vector } from "./corpus.ts";

/** Does what the vector's category is about: throws by the vector's inputs, or returns what came out of them. */
type Run<T> = (vector: Vector) => Promise<T>;
/** Throws when the outcome is not the expected one. */
type Compare<T> = (outcome: T, expected: Fields, vector: Vector) => void | Promise<void>;

/** Why the vector does not pass, or null when it does. */
export type Check = (vector: Vector) => Promise<string | null>;

/** What runs a corpus: a name for the report, and the categories it can do. */
export interface Implementation {
  readonly name: string;
  readonly checks: Readonly<Partial<Record<Category, Check>>>;
}

/** A vector that expects an error passes only when exactly that class is thrown. */
export function check<T>(run: Run<T>, compare: Compare<T>): Check {
  return async (vector) => {
    const { error: expectedError } = vector.expected;
    let outcome: T;
    try {
      outcome = await run(vector);
    } catch (error) {
      if (!(error instanceof Error)) return `threw ${String(error)}`;
      if (error.name === expectedError) return null;
      return `expected ${expectedError ?? "no error"}, got ${error.name}: ${error.message}`;
    }
    if (expectedError !== null) return `expected ${expectedError}, got no error`;
    try {
      await compare(outcome, vector.expected, vector);
      return null;
    } catch (error) {
      if (error instanceof assert.AssertionError) return error.message;
      throw error;
    }
  };
}

export function bytesOf(vector: Vector): Uint8Array {
  assert(vector.bin !== null, "the vector has no bytes");
  return vector.bin;
}

export function textOf(fields: Fields, name: string): string {
  const value = fields[name];
  assert(typeof value === "string", `"${name}" is no string`);
  return value;
}

/** The metadata of a manifest; what is null is not there. */
export function metadataOf({ metadata }: Fields): Record<string, string> {
  const pairs = [...pairsOf(metadata ?? {})].filter(([, value]) => value !== null);
  return Object.fromEntries(pairs.map(([name, value]) => [name, String(value)]));
}

/** Pairs, from an object or from a list of [key, value]; of a repeated key the last counts. */
export function pairsOf(value: unknown): Map<string, unknown> {
  assert(typeof value === "object" && value !== null, "neither an object nor a list of pairs");
  return new Map(Array.isArray(value) ? (value as [string, unknown][]) : Object.entries(value));
}

/** Says which keys differ and not with what: a corpus may hold large values. */
export function comparePairs(
  actual: ReadonlyMap<string, unknown>,
  expected: ReadonlyMap<string, unknown>,
  what: string,
): void {
  const names = new Set([...actual.keys(), ...expected.keys()]);
  const different = [...names].filter(
    (name) => actual.get(name) !== expected.get(name) || !actual.has(name) || !expected.has(name),
  );
  assert(
    different.length === 0,
    `${what} differ in ${different
      .slice(0, 5)
      .map((name) => JSON.stringify(name))
      .join(", ")}`,
  );
}
