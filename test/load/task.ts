// What a process of the load test is given, and what it says when it is done. docs/reliability.md, "Load".

import { randomBytes, randomInt } from "node:crypto";
import { setTimeout as delay } from "node:timers/promises";
import { deriveKeys, type VaultKeys } from "../../packages/envelope/src/index.ts";
import type { StoreLocation } from "../../packages/store/src/index.ts";

/** A bucket, and keys that are written out. */
export type Place = Required<
  Pick<StoreLocation, "endpoint" | "region" | "bucket" | "accessKeyId" | "secretAccessKey">
>;

export interface Task {
  readonly location: Place;
  readonly prefix: string;
  readonly salt: string;
  readonly iterations: number;
  readonly passphrase: string;
  /** A folder of this process's own. */
  readonly folder: string;
  /** The first one's number, and how many there are in this process. */
  readonly first: number;
  readonly count: number;
  readonly seconds: number;
  /** Each waits up to so long between two of its turns. */
  readonly restMs: number;
}

/** A version that a writer was told is published, with what marks its contents. */
export interface Acknowledged {
  readonly timestamp: string;
  readonly generation: number;
  readonly mark: string;
}

export interface WritersReport {
  readonly acknowledged: readonly Acknowledged[];
  /** Marks of versions that a writer was told are not. */
  readonly denied: readonly string[];
  readonly unknown: number;
  readonly publishMs: readonly number[];
  readonly conflicts: number;
  /** Anything else that was said, by code. */
  readonly failures: Readonly<Record<string, number>>;
  readonly lostRows: number;
}

export interface ReadersReport {
  /** Generation and mark of each opening. */
  readonly seen: readonly (readonly [generation: number, mark: string])[];
  readonly openMs: readonly number[];
  readonly broken: readonly string[];
  readonly failures: Readonly<Record<string, number>>;
}

export const FILES: readonly string[] = [".env.demo", "tls/server.key", "notes.txt"];
export const ENV = "demo";

export function readTask(): Task {
  return JSON.parse(process.argv[2] as string) as Task;
}

/** Once for the whole process: what is measured is publishing and opening. */
export function keysOf({ passphrase, salt, iterations }: Task): Promise<VaultKeys> {
  return deriveKeys(passphrase, salt, iterations);
}

/** Has `count` of them take turns until time is up. */
export async function takeTurns(task: Task, turn: (number: number) => Promise<void>): Promise<void> {
  const end = performance.now() + task.seconds * 1000;
  const one = async (number: number): Promise<void> => {
    await delay(randomInt(task.restMs)); // people do not all begin at once
    while (performance.now() < end) {
      await turn(number);
      await delay(randomInt(task.restMs));
    }
  };
  await Promise.all(Array.from({ length: task.count }, (_, index) => one(task.first + index)));
}

export function report(result: WritersReport | ReadersReport): void {
  process.stdout.write(JSON.stringify(result));
}

export function newMark(): string {
  return randomBytes(8).toString("hex");
}

export function count(failures: Record<string, number>, what: string): void {
  failures[what] = (failures[what] ?? 0) + 1;
}
