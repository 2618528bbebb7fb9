// What is fuzzed: a parser, what it is fed, and what must hold whatever that is.

import type fc from "fast-check";

/** Bytes in the form that the parser takes, or in one that is wrapped before: JSON in gzip in base64 in an envelope. */
export interface Inputs {
  /** Sound and unsound examples of the innermost form. */
  readonly inner: readonly Uint8Array[];
  /** More of them, made up by structure. */
  readonly made?: fc.Arbitrary<Uint8Array>;
  /** From the innermost form outwards. Each form may be damaged before it goes into the next. */
  readonly wraps?: readonly ((bytes: Uint8Array) => Uint8Array)[];
  /** Examples of the outermost form. */
  readonly outer?: readonly Uint8Array[];
  /** What the syntax is made of. */
  readonly words?: readonly string[];
  /** No input is longer. Default: 64 KiB. */
  readonly maxBytes?: number;
}

export interface Target {
  readonly name: string;
  readonly inputs: Inputs;
  /** Bytes of memory that an input of this length may take, beyond what every input may. Default: 64 for each. */
  readonly memory?: (length: number) => number;
  /**
   * Gives the parser one input. Returns what came of it in few words: inputs that come to something new are kept and
   * varied. Throws for what must not be.
   */
  feed(input: Uint8Array): Promise<string> | string;
}

/** What a terminal obeys, and what makes it show a line in another order than it has. */
export const STEERS: RegExp = /[\p{Cc}\p{Bidi_Control}\u2028\u2029]/u;

/** An error's class, and its words without what differs from input to input. */
export type Kind = abstract new (...args: never[]) => Error;

/** Runs `parse`; an error of `own` is a result, any other goes on. What a terminal would obey is in no message. */
export async function endsIn(own: readonly Kind[], parse: () => Promise<string> | string): Promise<string> {
  try {
    return await parse();
  } catch (error) {
    if (!(error instanceof Error) || !own.some((kind) => error instanceof kind)) throw error;
    if (STEERS.test(error.message.replaceAll("\n", "")))
      throw new Error(`a message that steers terminals: ${JSON.stringify(error.message)}`);
    if (error.message.length > 2000) throw new Error(`a message of ${error.message.length} characters`);
    return `${error.name}: ${error.message.replace(/"(?:[^"\\]|\\.)*"|\d+/g, "*").slice(0, 120)}`;
  }
}

export function must(holds: boolean, what: string): asserts holds {
  if (!holds) throw new Error(what);
}

export const bytes = (text: string): Uint8Array => new Uint8Array(Buffer.from(text));
export const text = (input: Uint8Array): string => Buffer.from(input).toString();
export const same = (a: Uint8Array, b: Uint8Array): boolean => Buffer.compare(a, b) === 0;

/** What JSON is made of, and what breaks its readers. */
export const JSON_SYNTAX: readonly string[] = [
  ...['"', ":", ",", "{", "}", "[", "]", "null", "true"],
  ...['"__proto__":', '"constructor":', '"version":1', "\\ud800", "\ufeff"],
];
