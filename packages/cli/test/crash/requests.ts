// A command's requests to the bucket, and a way to end the command at one of them.

import assert from "node:assert/strict";
import { predicted } from "./system-calls.ts";
import { type Ended, start, type World } from "./world.ts";

/** One moment of one request. */
export interface RequestPoint {
  readonly method: string;
  readonly key: string;
  /** From 0, among the command's requests of this method and key: some that differ are under way at once. */
  readonly nth: number;
  /** `before`: it has arrived and done nothing. `after`: its work is done and no answer sent. */
  readonly when: "before" | "in-body" | "after" | "in-answer";
}

/** What a kernel keeps for a connection at most, and more: a body of this size is still being sent when it is first seen. */
const LONG_BODY = 12 * 1024 * 1024;

/** Runs the command undisturbed and lists all moments of all its requests. */
export async function listRequestPoints(
  world: World,
  args: readonly string[],
): Promise<{ readonly ended: Ended; readonly points: readonly RequestPoint[] }> {
  const from = world.s3.requests.length;
  const ended = await start(world, args, { node: predicted() }).ended;
  const requests = world.s3.requests.slice(from);
  const points = requests.flatMap(({ method, key, headers }, index): RequestPoint[] => {
    const nth = requests.slice(0, index).filter((it) => it.method === method && it.key === key).length;
    const isLong = Number(headers["content-length"] ?? 0) > LONG_BODY;
    const moments = [
      "before",
      ...(isLong ? ["in-body"] : []),
      "after",
      ...(method === "GET" ? ["in-answer"] : []),
    ];
    return moments.map((when) => ({ method, key, nth, when: when as RequestPoint["when"] }));
  });
  return { ended, points };
}

/** Runs the command and kills it at this moment. */
export async function runUntilRequest(
  world: World,
  args: readonly string[],
  { method, key, nth, when }: RequestPoint,
): Promise<Ended> {
  const from = world.s3.requests.length;
  const kills = async (): Promise<void> => {
    process.kill();
    await process.ended;
  };
  world.s3.inject({ method, key, skip: nth, fault: { kills, when } });
  const process = start(world, args, { node: predicted() });
  const ended = await process.ended;
  assert.equal(ended.signal, "SIGKILL", `not killed: ${ended.stdout}${ended.stderr}`);
  const like = world.s3.requests.slice(from).filter((it) => it.method === method && it.key === key);
  assert.equal(like.length, nth + 1, "requests of this kind until it was killed");
  return ended;
}
