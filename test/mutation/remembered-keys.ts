// Key derivations of the tests, remembered across mutants: each takes 0.2 s and gives the same every time.

import crypto from "node:crypto";
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { syncBuiltinESMExports } from "node:module";
import { dirname } from "node:path";

// In the sandbox, which goes when the run ends.
const FILE = "coverage/mutation-keys.json";

const derive = crypto.pbkdf2;
const known: Map<string, string> = new Map(existsSync(FILE) ? JSON.parse(readFileSync(FILE, "utf8")) : []);

const remembering: typeof crypto.pbkdf2 = (password, salt, iterations, length, digest, done) => {
  const inputs = [password, salt].map((input) => Buffer.from(input as Uint8Array).toString("hex"));
  const id = [...inputs, iterations, length, digest].join();
  const key = known.get(id);
  if (key !== undefined) {
    setImmediate(done, null, Buffer.from(key, "hex"));
    return;
  }
  derive(password, salt, iterations, length, digest, (error, made) => {
    if (error === null) {
      known.set(id, made.toString("hex"));
      mkdirSync(dirname(FILE), { recursive: true });
      // Whole or not at all: a process whose mutant took too long is killed, and after half a file no test would load again.
      writeFileSync(`${FILE}.new`, JSON.stringify([...known]));
      renameSync(`${FILE}.new`, FILE);
    }
    done(error, made);
  });
};
crypto.pbkdf2 = remembering;
syncBuiltinESMExports();
