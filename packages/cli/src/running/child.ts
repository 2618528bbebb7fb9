// A child process that gets the signals meant for it and whose end is ours. Its status is a shell's: 128 + n for a signal.

import type { ChildProcess } from "node:child_process";
import { constants } from "node:os";
import spawn from "cross-spawn";
import { createRedactor } from "./redact.ts";

export interface ChildOptions {
  readonly cwd: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Values to mask in its output; null: it writes to the terminal itself. */
  readonly redact: Iterable<string> | null;
}

export interface Child {
  /** Resolves with its status when it has ended. */
  readonly ended: Promise<number>;
  /** Asks it to end, and after `patienceMs` makes it. */
  stop(patienceMs: number): Promise<void>;
}

const FORWARDED = ["SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT", "SIGUSR1", "SIGUSR2"] as const;
/** A terminal sends these to the whole foreground group: the child has them already. */
const FROM_THE_KEYBOARD: ReadonlySet<NodeJS.Signals> = new Set(["SIGINT", "SIGQUIT"]);

/** Starts it. A command that is not there ends with 127, one that cannot be run with 126, as in a shell. */
export function startChild([command, ...args]: readonly [string, ...string[]], options: ChildOptions): Child {
  const { cwd, env, redact } = options;
  const stdio = redact === null ? "inherit" : (["inherit", "pipe", "pipe"] as const);
  const child = spawn(command, args, { cwd, env: { ...env }, stdio: stdio as "inherit" });
  const masked = redact === null ? [] : maskOutput(child, [...redact]);
  const stopForwarding = forwardSignals(child);
  const ended = new Promise<number>((resolve) => {
    child.once("error", (error: NodeJS.ErrnoException) => resolve(error.code === "ENOENT" ? 127 : 126));
    child.once("close", (code, signal) => resolve(code ?? 128 + constants.signals[signal as NodeJS.Signals]));
  }).then(async (status) => {
    stopForwarding();
    await Promise.all(masked);
    return status;
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

function maskOutput(child: ChildProcess, values: readonly string[]): Promise<void>[] {
  return [[child.stdout, process.stdout] as const, [child.stderr, process.stderr] as const].map(
    ([from, to]) => {
      const redactor = createRedactor(values);
      redactor.pipe(to, { end: false });
      from?.pipe(redactor);
      return new Promise((resolve) => redactor.once("end", resolve));
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
