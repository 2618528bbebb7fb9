// What every command gets: the machine it runs on, the terminal it speaks through, the flags that all share.

import type { Host } from "./host.ts";
import type { Terminal } from "./terminal.ts";

export interface Flags {
  readonly json: boolean;
  readonly quiet: boolean;
  /** Never ask. */
  readonly noInput: boolean;
  /** Answer every confirmation with yes. */
  readonly yes: boolean;
  /** Show what would change, change nothing. */
  readonly dryRun: boolean;
  /** The repository's name when `.vsync` or git's origin do not give it. */
  readonly repo?: string;
}

export interface Context {
  readonly host: Host;
  readonly terminal: Terminal;
  readonly flags: Flags;
  /** From now on the command answers Ctrl-C itself, for one that hands signals on to a child. */
  ownSignals(): void;
}

/** What a command has to say about its result: data for stdout, lines for people on stderr. */
export interface Said {
  readonly out?: string;
  readonly notes?: readonly string[];
  /** For somebody who sees stdout: left out where a shell or a file takes it. */
  readonly advice?: readonly string[];
}
