// Sends one request, and once more what may be sent twice; every answer comes back, whatever its status.

import { setTimeout as delay } from "node:timers/promises";
import type { RequestOptions } from "./object-store.ts";
import { isOverloaded, retryAfterMs } from "./s3-answer.ts";
import type { S3Client, S3Request } from "./s3-client.ts";
import { type Attempt, failureError, isBroken } from "./s3-failure.ts";
import type { Answer, Exchange } from "./s3-transport.ts";

/** What is asked for: the words for an error, and what the transport must hold to. */
export interface Plan extends RequestOptions {
  readonly doing: string;
  readonly kind: Attempt["kind"];
  /** Most bytes of a success. Default: an acknowledgement's. */
  readonly maxBytes?: number | undefined;
}

export interface Sent {
  readonly answer: Answer;
  readonly attempt: Attempt;
}

/** Rejects with `StoreError` when nothing answers. */
export type Send = (request: S3Request, plan: Plan) => Promise<Sent>;

const MAX_ACKNOWLEDGEMENT_BYTES = 64 * 1024;

/** Before the second and the third sending, in milliseconds. */
const BACKOFF_MS = [200, 800];

/** No sending again later than this after the first, so that an operation without an end is over within a minute. */
const LAST_START_MS = 20_000;

/**
 * Reads and unconditional writes are sent up to three times: on 429, 5xx and broken connections, when the server does
 * not ask for a longer wait than we have. Silence is not tried again, it took its time. Conditional writes are sent
 * once (object-store.ts says why).
 */
export function createSender(client: S3Client, server: Omit<Attempt, "doing" | "kind" | "retried">): Send {
  return async (request, plan) => {
    const start = performance.now();
    let sent = false;
    for (let sendings = 1; ; sendings++) {
      const attempt: Attempt = { ...server, doing: plan.doing, kind: plan.kind, retried: sendings > 1 };
      const exchange: Exchange = {
        maxBytes: plan.maxBytes ?? MAX_ACKNOWLEDGEMENT_BYTES,
        signal: plan.signal,
        onProgress: plan.onProgress,
        sent,
      };
      let answer: Answer | null = null;
      let failure: unknown = null;
      try {
        answer = await client.send(request, exchange);
      } catch (error) {
        failure = error;
      }
      sent = exchange.sent;
      const backoff = BACKOFF_MS[sendings - 1];
      const passing = answer === null ? isBroken(failure) : isOverloaded(answer);
      if (passing && backoff !== undefined && plan.kind !== "conditional write" && !plan.signal?.aborted) {
        const wait = answer === null ? backoff : Math.max(backoff, retryAfterMs(answer, Date.now()));
        if (performance.now() - start + wait < LAST_START_MS) {
          await delay(wait, undefined, { signal: plan.signal }).catch(() => undefined);
          continue;
        }
      }
      if (answer === null) throw failureError(failure, exchange, attempt);
      return { answer, attempt };
    }
  };
}
