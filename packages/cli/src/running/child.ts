// A child process that gets the signals meant for it and whose end is ours. Its status is a shell's: 128 + n for a signal.

import type { ChildProcess } from "node:child_process";
import { constants } from "node:os";
import spawn from "cross-spawn";
import { CliError } from "../cli-error.ts";
import { withParentsCores } from "../core-files.ts";
import { createRedactor } from "./redact.ts";

export interface ChildOptions {
  readonly cwd: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Values to mask in its output; null: it writes to the terminal itself. */
  readonly redact: Iterable<string> | null;
}

export interface Ending {
  readonly status: number;
  /** Why it could not be started, in the system's word (ENOENT, EACCES); null: it was. */
  readonly notStarted: string | null;
}

export interface Child {
  /** Resolves when it has ended. */
  readonly ended: Promise<Ending>;
  /** Asks it to end, and after `patienceMs` makes it. */
  stop(patienceMs: number): Promise<void>;
}

const FORWARDED = ["SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT", "SIGUSR1", "SIGUSR2"] as const;
/** A terminal sends these to the whole foreground group: the child has them already. */
const FROM_THE_KEYBOARD: ReadonlySet<NodeJS.Signals> = new Set(["SIGINT", "SIGQUIT"]);

/**
 * Starts it. A command that is not there ends with 127, one that cannot be run with 126, as in a shell. Throws INPUT
 * when the system does not take the environment.
 */
export function startChild([command, ...args]: readonly [string, ...string[]], options: ChildOptions): Child {
  const { cwd, env, redact } = options;
  const stdio = redact === null ? "inherit" : (["inherit", "pipe", "pipe"] as const);
  refuseNul(env);
  const child = orTooLarge(env, () =>
    withParentsCores(() => spawn(command, args, { cwd, env: { ...env }, stdio: stdio as "inherit" })),
  );
  const masked = redact === null ? [] : maskOutput(child, [...redact]);
  const stopForwarding = forwardSignals(child);
  const ended = new Promise<Ending>((resolve) => {
    child.once("error", (error: NodeJS.ErrnoException) => {
      const { code = "unknown" } = error;
      resolve({ status: code === "ENOENT" ? 127 : 126, notStarted: code });
    });
    child.once("close", (code, signal) => {
      const status = code ?? 128 + constants.signals[signal as NodeJS.Signals];
      resolve({ status, notStarted: null });
    });
  }).then(async (ending) => {
    stopForwarding();
    await Promise.all(masked);
    return ending;
  });
  return {
    ended,
    async stop(patienceMs) {
      child.kill("SIGTERM");
      const timer = setTimeout(() => child.kill("SIGKILL"), patienceMs);
      await ended;
      clearTimeout(timer);
    },
  };
}

// The runtime would quote the value in its own error.
function refuseNul(env: ChildOptions["env"]): void {
  const name = Object.keys(env).find((key) => env[key]?.includes("\0"));
  if (name === undefined) return;
  throw new CliError(
    "INPUT",
    `the value of ${name} holds a NUL byte, which no environment variable can`,
    "keep it in a file of the vault, or encoded (base64, say)",
  );
}

function orTooLarge<T>(env: ChildOptions["env"], start: () => T): T {
  try {
    return start();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "E2BIG") throw error;
    const sizes = Object.entries(env).map(([name, value]) => [name, Buffer.byteLength(value ?? "")] as const);
    const [name, size] = sizes.reduce((a, b) => (b[1] > a[1] ? b : a), ["", 0]);
    throw new CliError(
      "INPUT",
      `the system does not pass on so much to a command: the largest value is ${name} (${size} bytes)`,
      "keep it in a file of the vault",
      { cause: error },
    );
  }
}

function maskOutput(child: ChildProcess, values: readonly string[]): Promise<void>[] {
  return [[child.stdout, process.stdout] as const, [child.stderr, process.stderr] as const].map(
    ([from, to]) => {
      const redactor = createRedactor(values);
      redactor.pipe(to, { end: false });
      from?.pipe(redactor);
      // Nobody reads any more: the command's next write is to fail, as it would without us in between.
      const stop = (): void => {
        from?.destroy();
        redactor.destroy();
      };
      to.once("error", stop);
      return new Promise((resolve) =>
        redactor.once("close", () => {
          to.off("error", stop); // with --watch the next start has its own
          resolve();
        }),
      );
    },
  );
}

function forwardSignals(child: ChildProcess): () => void {
  const onTerminal = [process.stdin, process.stdout, process.stderr].some((stream) => stream.isTTY);
  const handlers = FORWARDED.map((signal) => {
    const handler = (): void => {
      if (!(onTerminal && FROM_THE_KEYBOARD.has(signal))) child.kill(signal);
    };
    process.on(signal, handler);
    return [signal, handler] as const;
  });
  return () => {
    for (const [signal, handler] of handlers) process.off(signal, handler);
  };
}
