// One input after the other for a target, all of them by chance and each the same again for the same seed.

import fc from "fast-check";
import { drawFrom } from "../../../../test/seed.ts";
import { damage } from "./damage.ts";
import type { Inputs } from "./target.ts";

const MAX_BYTES = 64 * 1024;
const SAMPLE = 100;
/** Inputs that came to something new, kept to be varied. */
const MAX_KEPT = 300;

export interface Source {
  next(): Uint8Array;
  /** The last input came to something that none had come to before. */
  keep(): void;
}

export function openSource(inputs: Inputs, seed: number): Source {
  const { inner, made, wraps = [], outer = [], words = [], maxBytes = MAX_BYTES } = inputs;
  const draw = drawFrom(seed);
  const pick = <T>(list: readonly T[]): T => list[Math.floor(list.length * draw())] as T;
  const kept: { form: number; bytes: Uint8Array }[] = [];
  let last: { form: number; bytes: Uint8Array } | null = null;
  let sample: Uint8Array[] = [];

  function make(): Uint8Array {
    if (made === undefined) return pick(inner);
    if (sample.length === 0) {
      sample = fc.sample(made, { seed: Math.floor(draw() * 2 ** 31), numRuns: SAMPLE });
    }
    return sample.pop() as Uint8Array;
  }

  /** Something in one of its forms: 0 is the innermost. */
  function begin(): { form: number; bytes: Uint8Array } {
    const chance = draw();
    if (chance < 0.3 && kept.length > 0) return pick(kept);
    if (chance < 0.5 && outer.length > 0) return { form: wraps.length, bytes: pick(outer) };
    const fresh = chance < 0.75 || inner.length === 0 ? make() : pick(inner);
    return { form: 0, bytes: fresh };
  }

  return {
    next() {
      let { form, bytes } = begin();
      const others = form === wraps.length && outer.length > 0 ? outer : inner;
      // As it is, now and then; damaged in its present form, or in one of those that follow.
      const hurt = draw() < 0.1 ? -1 : form + Math.floor(draw() * (wraps.length - form + 1));
      last = null;
      for (; ; form++) {
        if (form === hurt) {
          bytes = damage(bytes, { draw, others, words, maxBytes });
          last = { form, bytes };
        }
        if (form === wraps.length) break;
        bytes = (wraps[form] as (bytes: Uint8Array) => Uint8Array)(bytes);
      }
      last ??= { form, bytes };
      return bytes;
    },
    keep() {
      if (last === null) return;
      if (kept.length < MAX_KEPT) kept.push(last);
      else kept[Math.floor(MAX_KEPT * draw())] = last;
    },
  };
}
