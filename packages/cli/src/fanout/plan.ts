// What a run changes at a platform, found out before any of it is changed.

import { CliError } from "../cli-error.ts";
import { visible } from "../terminal.ts";
import type { Change, Destination, Platform } from "./platform.ts";
import { inPool } from "./pool.ts";
import type { Routing } from "./routing.ts";
import type { Selected } from "./selection.ts";

/** A value as the platform will have it. */
export interface Prepared {
  readonly name: string;
  readonly value: string;
  readonly scalar: string;
}

export interface Plan {
  readonly changes: readonly Change[];
  /** There already with the same value; not sent. */
  readonly same: readonly string[];
  /** There, but not in the vault, and left there. */
  readonly extra: readonly Extra[];
}

export interface Extra {
  readonly name: string;
  /** vsync put it there, so that --prune would remove it. */
  readonly ours: boolean;
}

/** Throws INPUT, naming each value that the platform could not hold under its name. */
export function prepareValues(
  platform: Platform,
  routing: Routing,
  selected: readonly Selected[],
): readonly Prepared[] {
  const problems: string[] = [];
  const taken = new Map<string, string>();
  const prepared = selected.map(({ scalar, name, value }) => {
    const there = platform.nameThere(name, routing);
    const problem = platform.problem(there, value);
    if (problem !== null) problems.push(`${visible(scalar)} ${problem}`);
    const key = platform.keyOf(there);
    const other = taken.get(key);
    if (other !== undefined)
      problems.push(`${visible(other)} and ${visible(scalar)} would both be ${visible(there)} there`);
    taken.set(key, scalar);
    return { name: there, value, scalar };
  });
  if (problems.length === 0) return prepared;
  const hint = "leave them out (--exclude-property <name>), or change them in the vault";
  throw new CliError(
    "INPUT",
    `nothing was sent, ${platform.title} cannot hold this: ${problems.join("; ")}`,
    hint,
    {
      details: { problems },
    },
  );
}

/** `ours`: the names that vsync put there. */
export async function makePlan(
  platform: Platform,
  { names, leaving, most, read }: Destination,
  prepared: readonly Prepared[],
  ours: ReadonlySet<string>,
  prune: boolean,
): Promise<Plan> {
  const there = new Map(names.map((name) => [platform.keyOf(name), name]));
  const wanted = new Set(prepared.map(({ name }) => platform.keyOf(name)));
  refuseLeaving(prepared, leaving);
  const changes: Change[] = [];
  const same: string[] = [];
  await inPool(prepared, async ({ name, value }) => {
    const known = there.get(platform.keyOf(name));
    if (known === undefined) changes.push({ kind: "create", name, value });
    else if (read !== null && (await read(known)) === value) same.push(known);
    else changes.push({ kind: "update", name: known, value });
  });
  const rest = names.filter((name) => !wanted.has(platform.keyOf(name)));
  const removed = prune ? rest.filter((name) => ours.has(name)) : [];
  const total = names.length - removed.length + changes.filter(({ kind }) => kind === "create").length;
  if (total > most) {
    throw new CliError(
      "INPUT",
      `nothing was sent: there would be ${total} secrets, and ${platform.title} holds ${most} at the most`,
      "leave some out: --exclude-property <name>",
    );
  }
  const gone = new Set(removed);
  return {
    changes: [
      ...changes.sort(byName),
      ...removed.map((name) => ({ kind: "remove" as const, name, value: "" })),
    ],
    same: same.sort(),
    extra: rest.filter((name) => !gone.has(name)).map((name) => ({ name, ours: ours.has(name) })),
  };
}

function refuseLeaving(prepared: readonly Prepared[], leaving: ReadonlyMap<string, string>): void {
  const blocked = prepared.flatMap(({ name }) => {
    const wayBack = leaving.get(name);
    return wayBack === undefined ? [] : [{ name, wayBack }];
  });
  const [first] = blocked;
  if (first === undefined) return;
  const names = blocked.map(({ name }) => visible(name)).join(", ");
  throw new CliError(
    "INPUT",
    `nothing was sent: ${names} ${blocked.length === 1 ? "is" : "are"} being deleted there, and cannot be set meanwhile`,
    `bring each back first: ${first.wayBack}`,
  );
}

function byName(a: Change, b: Change): number {
  return a.name < b.name ? -1 : 1;
}
