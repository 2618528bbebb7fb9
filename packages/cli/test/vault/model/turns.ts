// What the actors of the model may do, drawn by fast-check: who, with which edits, on a connection of which kind, on a
// clock that has jumped how far, and killed where.

import fc from "fast-check";
import { type Fault, WRITE_FAULTS } from "../faulty-store.ts";
import type { Fate } from "./machine.ts";

export const FILES: readonly string[] = [".env.demo", "one.txt", "two.txt"];

export type Action =
  | { readonly kind: "push"; readonly edits: readonly string[]; readonly force: boolean }
  | { readonly kind: "pull"; readonly edits: readonly string[]; readonly flag: "none" | "force" | "backup" }
  | { readonly kind: "rotate"; readonly graceMs: number | null }
  | { readonly kind: "finish" | "import" | "look" };

export interface Turn {
  /** Of the writers, or of the readers, there are; counted round. */
  readonly who: number;
  readonly action: Action;
  /** How far this machine's clock jumps first. */
  readonly jumpMs: number;
  readonly fate: Fate;
}

export interface Opening {
  readonly who: number;
  /** It is deployed anew first, with a token and the passphrase of the first writer who has the right one. */
  readonly redeployed: boolean;
  readonly faults: readonly (Fault | null)[];
}

const HOUR = 3_600_000;

const edits = fc.uniqueArray(fc.constantFrom(...FILES), { maxLength: 2 });
const action: fc.Arbitrary<Action> = fc.oneof(
  { weight: 8, arbitrary: fc.record({ kind: fc.constant("push" as const), edits, force: fc.boolean() }) },
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constant("pull" as const),
      edits,
      flag: fc.constantFrom("none" as const, "force" as const, "backup" as const),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant("rotate" as const),
      graceMs: fc.constantFrom(null, HOUR, 48 * HOUR),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({ kind: fc.constantFrom("import" as const, "finish" as const, "look" as const) }),
  },
);

const faults = fc.oneof(
  { weight: 2, arbitrary: fc.constant([]) },
  {
    weight: 1,
    arbitrary: fc.array(fc.option(fc.constantFrom(...WRITE_FAULTS), { freq: 3, nil: null }), {
      maxLength: 10,
    }),
  },
);

export const turn: fc.Arbitrary<Turn> = fc.record({
  who: fc.nat(4),
  action,
  jumpMs: fc.oneof(
    { weight: 4, arbitrary: fc.constant(0) },
    { weight: 1, arbitrary: fc.constantFrom(1000, HOUR, -HOUR, 72 * HOUR, -365 * 24 * HOUR) },
  ),
  fate: fc.record({ faults, diesAt: fc.option(fc.nat(90), { freq: 3, nil: null }) }),
});

export const opening: fc.Arbitrary<Opening> = fc.record({ who: fc.nat(1), redeployed: fc.boolean(), faults });
