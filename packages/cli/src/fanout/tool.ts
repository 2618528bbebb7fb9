// Runs a platform's own command-line tool: a value goes to its standard input, and what it says comes back.

import type { ChildProcessWithoutNullStreams } from "node:child_process";
import spawn from "cross-spawn";
import type { Host } from "../host.ts";
import { withoutSecrets } from "../identity/git.ts";
import { maskValues } from "../running/redact.ts";

/** Runs the tool with these arguments and gives its standard output. Rejects with ToolFailure. */
export type Tool = (args: readonly string[], input?: ToolInput) => Promise<string>;

export interface ToolInput {
  readonly value: string;
  /** What must not be in a message; the value itself unless given. */
  readonly secrets?: readonly string[];
}

/**
 * - missing: there is no such command
 * - silent: it did not end in time and was ended; what it was asked for may be done or not
 * - failed: it ended with another status than 0
 * - skipped: it was not asked, because another one had been silent
 */
export type ToolFailureReason = "missing" | "silent" | "failed" | "skipped";

/** Its message is what the tool said, with every secret masked. */
export class ToolFailure extends Error {
  readonly reason: ToolFailureReason;

  constructor(reason: ToolFailureReason, message: string) {
    super(message);
    this.reason = reason;
  }
}

export interface ToolOptions {
  readonly host: Pick<Host, "env" | "platform">;
  readonly command: string;
  readonly variables: Readonly<Record<string, string | undefined>>;
  /** The tool opens /dev/stdin by its name. */
  readonly opensStdin: boolean;
  readonly limitMs: number;
}

const MAX_OUTPUT = 64 * 1024 * 1024;
const MAX_SAID = 400;
/** A value of fewer characters is no secret, and masking it would make a message unreadable. */
const SHORTEST_SECRET = 3;
const NOT_FOUND = 127;

export function openTool({ host, command, variables, opensStdin, limitMs }: ToolOptions): Tool {
  const env = { ...withoutSecrets(host.env), ...variables };
  const groups = host.platform !== "win32";
  return (args, input) =>
    new Promise<string>((resolve, reject) => {
      // Node gives a child a socket, and /dev/stdin cannot be opened when that is one; a shell makes real pipes.
      const [file, rest] =
        opensStdin && input !== undefined && groups
          ? ["sh", ["-c", 'cat | "$@"', "sh", command, ...args]]
          : [command, [...args]];
      // In a group of its own, without a terminal: it cannot ask, and all that it starts can be ended with it.
      const options = { env, stdio: "pipe", detached: groups, windowsHide: true } as const;
      const child = spawn(file, rest, options) as ChildProcessWithoutNullStreams;
      const out: Buffer[] = [];
      const err: Buffer[] = [];
      let size = 0;
      let silent = false;
      const end = (): void => {
        if (child.pid === undefined || child.exitCode !== null) return;
        try {
          if (groups) process.kill(-child.pid, "SIGKILL");
          else child.kill("SIGKILL");
        } catch {
          // it has ended since
        }
      };
      const collect = (into: Buffer[]) => (chunk: Buffer) => {
        size += chunk.length;
        if (size > MAX_OUTPUT) end();
        else into.push(chunk);
      };
      const timer = setTimeout(() => {
        silent = true;
        end();
      }, limitMs);
      process.once("exit", end);
      child.stdout.on("data", collect(out));
      child.stderr.on("data", collect(err));
      child.stdin.on("error", () => undefined); // it may end without having read all
      const settle = (failure: ToolFailure | null): void => {
        clearTimeout(timer);
        process.off("exit", end);
        if (failure === null) resolve(Buffer.concat(out).toString("utf8"));
        else reject(failure);
      };
      child.once("error", (error: NodeJS.ErrnoException) =>
        settle(new ToolFailure(error.code === "ENOENT" ? "missing" : "failed", error.message)),
      );
      child.once("close", (status) => {
        if (silent) return settle(new ToolFailure("silent", `no answer in ${Math.round(limitMs / 1000)} s`));
        if (status === 0 && size <= MAX_OUTPUT) return settle(null);
        const secrets = input === undefined ? [] : (input.secrets ?? [input.value]);
        const said = quote(Buffer.concat(err).toString("utf8"), secrets);
        settle(
          new ToolFailure(
            status === NOT_FOUND && file === "sh" ? "missing" : "failed",
            said || `ended with status ${status} and said nothing`,
          ),
        );
      });
      child.stdin.end(input?.value);
    });
}

/** The JSON document that a tool gave. */
export function parseAnswer(stdout: string): unknown {
  try {
    return JSON.parse(stdout);
  } catch {
    throw new ToolFailure("failed", "its answer is not the JSON that was asked for"); // which may hold a secret
  }
}

/** A value that the tool shows; null when it does not, for whatever reason but silence. */
export async function readOrNull(
  ask: () => Promise<string>,
  extract: (answer: unknown) => string | null,
): Promise<string | null> {
  try {
    return extract(parseAnswer(await ask()));
  } catch (error) {
    if (error instanceof ToolFailure && error.reason === "failed") return null;
    throw error;
  }
}

/** One line of what it said on standard error, without what nobody may see. */
function quote(text: string, secrets: readonly string[]): string {
  const line = maskValues(text, secrets, SHORTEST_SECRET).replace(/\s+/g, " ").trim();
  return line.length > MAX_SAID ? `${line.slice(0, MAX_SAID)}...` : line;
}
