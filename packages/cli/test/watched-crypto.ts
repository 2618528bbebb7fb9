// Every key and passphrase buffer that goes into Node's cryptography, or comes out of it, kept to be looked at later.

import crypto from "node:crypto";
import { syncBuiltinESMExports } from "node:module";

interface Secret {
  /** Of the function, and which of its values. */
  readonly what: string;
  readonly bytes: Uint8Array;
}

export interface Watch {
  /** What is not all zeros of that which was seen since the last time, and how much was seen. */
  look(): { readonly seen: number; readonly unwiped: readonly string[] };
  end(): void;
}

type Any = (...args: unknown[]) => unknown;
type Name = "pbkdf2" | "hkdfSync" | "createHmac" | "createCipheriv" | "createDecipheriv";

export function watchCrypto(): Watch {
  let secrets: Secret[] = [];
  const keep = (what: string, value: unknown): void => {
    // What is wiped is this memory, whichever view of it the caller has.
    if (value instanceof Uint8Array) secrets.push({ what, bytes: value });
    else if (value instanceof ArrayBuffer) secrets.push({ what, bytes: new Uint8Array(value) });
  };
  const originals = new Map<Name, Any>();
  const replace = (name: Name, around: (original: Any) => Any): void => {
    const original = crypto[name] as unknown as Any;
    originals.set(name, original);
    Object.assign(crypto, { [name]: around(original) });
  };
  replace("pbkdf2", (original) => (...args) => {
    const done = args.at(-1) as Any;
    keep("pbkdf2, password", args[0]);
    return original(...args.slice(0, -1), (error: unknown, key: unknown) => {
      keep("pbkdf2, key", key);
      done(error, key);
    });
  });
  replace("hkdfSync", (original) => (...args) => {
    const key = original(...args);
    keep("hkdf, from", args[1]);
    keep("hkdf, key", key);
    return key;
  });
  for (const name of ["createHmac", "createCipheriv", "createDecipheriv"] as const) {
    replace(name, (original) => (...args) => {
      keep(`${name}, key`, args[1]);
      return original(...args);
    });
  }
  syncBuiltinESMExports();
  return {
    look() {
      const unwiped = secrets.filter(({ bytes }) => bytes.some((byte) => byte !== 0)).map(({ what }) => what);
      const seen = secrets.length;
      secrets = [];
      return { seen, unwiped };
    },
    end() {
      Object.assign(crypto, Object.fromEntries(originals));
      syncBuiltinESMExports();
    },
  };
}
