// What a platform that values are fanned out to has to tell and to do; one file for each says it.

import type { Host } from "../host.ts";
import type { Routing, RoutingField } from "./routing.ts";
import type { Tool, ToolFailure } from "./tool.ts";

export type Target = "gh" | "gcp" | "aws" | "azure" | "vault";

/** Knows the platform's rules, and runs nothing. */
export interface Platform {
  /** For people: `GitHub`. */
  readonly title: string;
  readonly command: string;
  /** Where the command can be had. */
  readonly install: string;
  /** The command that logs in. */
  readonly login: string;
  /** What the command says when nobody is logged in, or not with the right to do it. */
  readonly denied: RegExp;
  readonly fields: readonly RoutingField[];
  /** The command reads values by opening /dev/stdin, which Windows does not have. */
  readonly opensStdin: boolean;
  /** Variables for the command, beside the user's: no colours, no questions, UTF-8. */
  variables(env: Host["env"]): Readonly<Record<string, string | undefined>>;
  /** For people: `repository acme/shop`. */
  describe(routing: Routing): string;
  /** The name that a scalar gets there. */
  nameThere(name: string, routing: Routing): string;
  /** Names with the same key are one and the same there. */
  keyOf(nameThere: string): string;
  /** Why it cannot hold this value under this name, or null. */
  problem(nameThere: string, value: string): string | null;
  open(tool: Tool, routing: Routing, env: Host["env"]): Promise<Destination>;
}

/** A place that has been reached. */
export interface Destination {
  /** Tells this place from every other; holds no secret. */
  readonly id: string;
  /** The routing with what only the platform knew. */
  readonly routing: Routing;
  /** The names there. */
  readonly names: readonly string[];
  /** Names that are there, but on their way out: they can be neither set nor made anew; each with the way to get it back. */
  readonly leaving: ReadonlyMap<string, string>;
  /** The most names it can hold. */
  readonly most: number;
  /** The value, or null when it cannot be seen. Null in its place: this platform shows none to anybody. */
  readonly read: ((name: string) => Promise<string | null>) | null;
  /** Makes the changes; calls `report` once for each of them. */
  send(changes: readonly Change[], report: Report): Promise<void>;
}

export interface Change {
  readonly kind: "create" | "update" | "remove";
  /** As the platform has it. */
  readonly name: string;
  /** Empty for "remove". */
  readonly value: string;
}

/** `failure` null: it is done. */
export type Report = (change: Change, failure: ToolFailure | null) => void;
