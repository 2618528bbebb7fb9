// One bound, in time and by the caller's signal, on everything that an operation does.

import { S3UnreachableError } from "@vsync/envelope";
import { proxyHint } from "./network-failure.ts";

export interface Bounds {
  /** Cancels the operation: S3UnreachableError whose `cause` is the signal's reason. */
  readonly signal?: AbortSignal;
  /** Milliseconds for the whole operation; 10,000 unless given. */
  readonly timeoutMs?: number;
}

export interface Deadline {
  /** Aborted when time is up, when the caller cancels, and when the operation has ended in whatever way. */
  readonly signal: AbortSignal;
  /** What is being waited for: the message of an expired deadline names it. */
  stage: string;
}

const DEFAULT_TIMEOUT_MS = 10_000;
/** A longer one would overflow setTimeout's counter, and fire at once. */
const MAX_TIMEOUT_MS = 2 ** 31 - 1;

/** Settles no later than the bounds say. `work` that comes to an end after that finds its signal aborted. */
export async function withDeadline<T>(bounds: Bounds, work: (deadline: Deadline) => Promise<T>): Promise<T> {
  const { signal, timeoutMs = DEFAULT_TIMEOUT_MS } = bounds;
  if (!(timeoutMs > 0 && timeoutMs <= MAX_TIMEOUT_MS)) {
    throw new RangeError(`timeoutMs takes milliseconds, more than 0 and at most ${MAX_TIMEOUT_MS}`);
  }
  if (signal?.aborted) throw cancelled(signal);

  const controller = new AbortController();
  const deadline: Deadline = { signal: controller.signal, stage: "starting" };
  let stop: (error: S3UnreachableError) => void = () => {};
  const stopped = new Promise<never>((_, reject) => {
    stop = (error) => {
      reject(error);
      controller.abort(error);
    };
  });
  const timer = setTimeout(() => stop(expired(timeoutMs, deadline.stage)), timeoutMs);
  const onAbort = () => stop(cancelled(signal as AbortSignal));
  signal?.addEventListener("abort", onAbort);
  try {
    return await Promise.race([work(deadline), stopped]);
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener("abort", onAbort);
    // With a reason: without one a DOMException is made, which is the slowest part of all this.
    controller.abort("ended");
  }
}

function expired(timeoutMs: number, stage: string): S3UnreachableError {
  return new S3UnreachableError(
    `time ran out after ${timeoutMs} ms while ${stage}; check the network and the server, or give more time with timeoutMs${proxyHint()}`,
  );
}

function cancelled(signal: AbortSignal): S3UnreachableError {
  return new S3UnreachableError("cancelled by the caller's signal", { cause: signal.reason });
}
