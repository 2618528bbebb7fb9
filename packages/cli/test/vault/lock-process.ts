// A process of its own for the lock tests: does what each line of standard input says, once.

import { writeFileSync } from "node:fs";
import { createInterface } from "node:readline";
import { acquireLock, type Lock } from "../../src/vault/lock.ts";

const path = process.argv[2]!;
let lock: Lock | null = null;

const say = (line: string): void => writeFileSync(1, `${line}\n`);

say("ready");
for await (const line of createInterface({ input: process.stdin })) {
  if (line === "take") {
    try {
      lock = acquireLock(path);
      say("taken");
    } catch (error) {
      say((error as { code: string }).code);
    }
  }
  if (line === "exit") process.exit(130);
  if (line === "release") {
    lock?.release();
    lock = null;
    say("released");
  }
}
