// .env files: read as dotenv reads them, changed without a byte too many.

import { InputRefusedError, parseEnv, setEnvValue, unsetEnvValue } from "@vsync/envelope";
import { parse } from "dotenv";
import { envFile, tokens } from "../../../../envelope/test/env-arbitrary.ts";
import { vectorBytes } from "../corpus.ts";
import { bytes, endsIn, must, same, type Target, text } from "../target.ts";

const inner = vectorBytes("env-file", "env-file-edit");
const made = envFile.map(bytes);

/** dotenv's regular expression takes the square of the length, and longer. */
const DOTENV_BYTES = 2048;

const sorted = (pairs: Iterable<readonly [string, string]>): string => JSON.stringify([...pairs].sort());

function withoutKey(pairs: ReadonlyMap<string, string>, key: string): [string, string][] {
  return [...pairs].filter(([name]) => name !== key);
}

export const ENV_FILES: readonly Target[] = [
  {
    name: ".env file",
    inputs: { inner, made, words: tokens },
    feed: (input) => {
      const pairs = parseEnv(input);
      if (input.length > DOTENV_BYTES) return "long";
      // dotenv collects into a plain object, where this name sets nothing.
      const ours = new Map(pairs);
      ours.delete("__proto__");
      must(sorted(ours) === sorted(Object.entries(parse(Buffer.from(input)))), "dotenv reads it otherwise");
      return `${Math.min(pairs.size, 4)}`;
    },
  },
  {
    name: ".env file, changed",
    inputs: { inner, made, words: tokens, maxBytes: 8192 },
    feed: (input) =>
      endsIn([InputRefusedError], () => {
        const before = parseEnv(input);
        // The key is one of the file or a new one, the value a piece of it.
        const keys = [...before.keys(), "NEW"];
        const key = keys[input.length % keys.length] as string;
        const value = text(input.subarray(0, 1 + (input[0] ?? 0))).replaceAll("\ufffd", "");
        const set = setEnvValue(input, key, value);
        const after = parseEnv(set);
        must(after.get(key) === value, "another value than was set");
        must(
          sorted(withoutKey(after, key)) === sorted(withoutKey(before, key)),
          "setting one value changed another",
        );
        must(same(setEnvValue(set, key, value), set), "setting it again changes the file");
        const unset = unsetEnvValue(set, key);
        must(
          sorted(parseEnv(unset)) === sorted(withoutKey(after, key)),
          "removing one value changed another",
        );
        return before.has(key) ? "changed" : "added";
      }),
  },
];
