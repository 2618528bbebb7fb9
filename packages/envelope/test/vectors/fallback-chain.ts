// Vectors for the order in which a key is looked up: vault, environment, defaults, missing.

import type { JsonObject, Vector } from "./vector.ts";

type Values = Readonly<Record<string, string>>;
interface Sources {
  readonly vault?: Values;
  readonly env?: Values;
  readonly defaults?: Values;
}

export function fallbackChain(): Vector[] {
  return [
    vector("vault-first", "A key that all three have", ["KEY"], {
      vault: { KEY: "from vault" },
      env: { KEY: "from env" },
      defaults: { KEY: "from defaults" },
    }),
    vector("env-second", "Not in the vault", ["KEY"], {
      env: { KEY: "from env" },
      defaults: { KEY: "from defaults" },
    }),
    vector("default-third", "Neither in the vault nor in the environment", ["KEY"], {
      defaults: { KEY: "from defaults" },
    }),
    vector("missing", "Nowhere", ["KEY"], {
      vault: { OTHER: "1" },
      env: { ANOTHER: "2" },
      defaults: { THIRD: "3" },
    }),
    vector("nothing-at-all", "An empty vault, an empty environment, no defaults", ["KEY"], {}),
    vector("empty-in-vault", "An empty string is a value, and nothing behind it is asked", ["KEY"], {
      vault: { KEY: "" },
      env: { KEY: "from env" },
      defaults: { KEY: "from defaults" },
    }),
    vector("empty-in-env", "So is one in the environment", ["KEY"], {
      env: { KEY: "" },
      defaults: { KEY: "from defaults" },
    }),
    vector("empty-in-defaults", "So is one among the defaults", ["KEY"], { defaults: { KEY: "" } }),
    vector("each-its-own", "Every key goes its own way", ["A", "B", "C", "D"], {
      vault: { A: "vault" },
      env: { A: "env", B: "env" },
      defaults: { A: "default", B: "default", C: "default" },
    }),
    vector("case-counts", "Keys of another case are other keys", ["Key", "key", "KEY"], {
      vault: { KEY: "vault" },
      defaults: { key: "default" },
    }),
    vector(
      "object-names",
      "Names that every JavaScript object has are missing like others",
      ["__proto__", "constructor", "toString", "hasOwnProperty"],
      { vault: { KEY: "x" } },
    ),
    vector("object-names-present", "And found like others", ["constructor", "toString", "valueOf"], {
      vault: { constructor: "vault" },
      env: { toString: "env" },
      defaults: { valueOf: "default" },
    }),
    vector("empty-name", "A name that nothing can have", [""], { vault: { KEY: "x" } }),
    vector("long-value", "A value of 64 KiB", ["BLOB"], { vault: { BLOB: "0123456789abcdef".repeat(4096) } }),
    vector("unicode-value", "A value outside ASCII, from each place", ["A", "B", "C"], {
      vault: { A: "grüße \u{1f511}" },
      env: { B: "grüße \u{1f511}" },
      defaults: { C: "grüße \u{1f511}" },
    }),
    vector("multi-line-value", "Values of several lines", ["PEM"], {
      vault: { PEM: "-----BEGIN-----\nabc\n-----END-----\n" },
    }),
    vector("asked-twice", "The same key twice", ["KEY", "KEY"], { vault: { KEY: "1" } }),
  ];
}

function vector(name: string, description: string, queries: readonly string[], sources: Sources): Vector {
  const { vault = {}, env = {}, defaults } = sources;
  return {
    category: "fallback-chain",
    name,
    description,
    inputs: { vault, env, ...(defaults !== undefined && { defaults }), queries },
    expected: {
      error: null,
      results: queries.map((key) => lookUp(key, { vault, env, defaults: defaults ?? {} })),
    },
  };
}

function lookUp(key: string, sources: Required<Sources>): JsonObject {
  const places = [
    ["vault", sources.vault],
    ["env", sources.env],
    ["default", sources.defaults],
  ] as const;
  for (const [source, values] of places) {
    if (Object.hasOwn(values, key)) return { key, value: values[key] ?? null, source, has: true };
  }
  return { key, value: null, source: "missing", has: false };
}
