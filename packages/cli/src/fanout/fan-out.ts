// From a platform to a place that has been reached, and from a plan to what came of it.

import type { Context } from "../context.ts";
import type { ErrorCode } from "../exit-codes.ts";
import { visible } from "../terminal.ts";
import { codeOf, explainFailure } from "./failure.ts";
import type { Change, Destination, Platform } from "./platform.ts";
import type { FannedOut } from "./record.ts";
import type { Routing } from "./routing.ts";
import { openTool, ToolFailure } from "./tool.ts";

/** Longest that a platform's command may take: the start of a slow interpreter and one request. */
export const ANSWER_LIMIT_MS = 30_000;

export interface Outcome {
  readonly done: readonly Change[];
  readonly failed: readonly FailedChange[];
}

export interface FailedChange {
  readonly name: string;
  readonly why: string;
  readonly code: ErrorCode;
}

export async function reachDestination(
  { host }: Pick<Context, "host">,
  platform: Platform,
  routing: Routing,
  limitMs: number = ANSWER_LIMIT_MS,
): Promise<Destination> {
  const { command, opensStdin } = platform;
  const variables = platform.variables(host.env);
  const tool = openTool({ host, command, opensStdin, variables, limitMs });
  return await whileLooking(platform, platform.describe(routing), () =>
    platform.open(tool, routing, host.env),
  );
}

/** Runs `look`, which changes nothing: what the platform's command says instead of an answer becomes a CliError. */
export async function whileLooking<T>(platform: Platform, where: string, look: () => Promise<T>): Promise<T> {
  try {
    return await look();
  } catch (error) {
    throw error instanceof ToolFailure ? explainFailure(platform, error, where) : error;
  }
}

/** Makes the changes, and remembers each at once. */
export async function makeChanges(
  { terminal }: Pick<Context, "terminal">,
  platform: Platform,
  { send }: Destination,
  changes: readonly Change[],
  record: FannedOut,
): Promise<Outcome> {
  const done: Change[] = [];
  const failed: FailedChange[] = [];
  const report = (change: Change, failure: ToolFailure | null): void => {
    const { kind, name } = change;
    if (failure === null) {
      done.push(change);
      if (kind === "remove") record.remove(name);
      else record.add(name);
      return;
    }
    failed.push({ name, why: failure.message, code: codeOf(platform, failure) });
    terminal.warn(`${visible(name)} was not ${PAST[kind]}: ${visible(failure.message)}`);
  };
  if (changes.length > 0) await send(changes, report);
  return { done, failed };
}

const PAST = { create: "created", update: "updated", remove: "removed" } as const;
