// One HTTP exchange of the S3 client, bounded in every direction: waiting, speed, and bytes of the answer.

import { Readable } from "node:stream";
import { NodeHttpHandler } from "@smithy/node-http-handler";
import type { Progress } from "./object-store.ts";

/** What came back. */
export interface Answer {
  readonly status: number;
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Uint8Array;
}

/** Passed along with each command, filled by the transport: the client hides from its callers what was answered. */
export interface Exchange {
  /** Most bytes of a successful answer's body. */
  readonly maxBytes: number;
  readonly signal: AbortSignal | undefined;
  readonly onProgress: Progress | undefined;
  /** Whether any of it may have reached the server. */
  sent: boolean;
  answer: Answer | null;
  /** Why there is no answer. */
  failure: unknown;
}

export interface ExchangeOptions {
  readonly exchange: Exchange;
}

/** The answer did not come, or stopped coming, in time. */
export class SilenceError extends Error {
  readonly stage: "connect" | "answer";
  constructor(stage: "connect" | "answer", message: string) {
    super(message);
    this.stage = stage;
  }
}

/** The answer's body is larger than was asked for. */
export class OversizeError extends Error {}

/** The connection was closed before all bytes of the answer had come. */
export class TruncationError extends Error {}

export interface Transport {
  handle(
    request: Parameters<NodeHttpHandler["handle"]>[0],
    options?: unknown,
  ): ReturnType<NodeHttpHandler["handle"]>;
  destroy(): void;
  readonly metadata: { handlerProtocol: string };
  updateHttpClientConfig(key: never, value: never): void;
  httpHandlerConfigs(): Record<string, never>;
}

/** An error's XML is short; what is longer is somebody else's page. */
const MAX_ERROR_BYTES = 64 * 1024;

const UPLOAD_CHUNK = 256 * 1024;

/** Slower than this for longer than the silence allowed is as bad as silence. Bytes for a millisecond: 1 KiB for a second. */
const LEAST_SPEED = 1024 / 1000;

/** What the kernel may have taken off our hands without having sent it, and the speed at which we give it time to. */
const KERNEL_BUFFER = 4 * 1024 * 1024;
const KERNEL_SPEED = (128 * 1024) / 1000;

export function createTransport(limits: { connectMs: number; silenceMs: number }): Transport {
  const inner = new NodeHttpHandler({ connectionTimeout: limits.connectMs });

  async function exchangeOnce(
    request: Parameters<NodeHttpHandler["handle"]>[0],
    exchange: Exchange,
  ): ReturnType<NodeHttpHandler["handle"]> {
    const ended = new AbortController();
    const uploadBytes = request.body instanceof Uint8Array ? request.body.length : 0;
    const pace = startPace(limits.silenceMs, uploadBytes, () =>
      ended.abort(new SilenceError("answer", `no answer, or too slow a one, for ${limits.silenceMs} ms`)),
    );
    const onAbort = (): void => ended.abort(exchange.signal?.reason);
    exchange.signal?.addEventListener("abort", onAbort, { once: true });
    try {
      exchange.signal?.throwIfAborted();
      // The request is signed by now and sent only once, so nothing reads its body again. In chunks, because TLS
      // would otherwise encrypt a second copy of the whole.
      if (request.body instanceof Uint8Array && request.body.length > UPLOAD_CHUNK)
        request.body = Readable.from(
          chunksOf(request.body, (bytes, done) => {
            pace.moved(bytes);
            exchange.onProgress?.(done, uploadBytes);
          }),
        );
      exchange.sent = true;
      const { response } = await inner.handle(request, { abortSignal: ended.signal });
      pace.answered();
      const ok = response.statusCode >= 200 && response.statusCode < 300;
      const body = await readBody(response.body as Readable, {
        declared: request.method === "HEAD" ? 0 : declaredLength(response.headers),
        maxBytes: ok ? exchange.maxBytes : MAX_ERROR_BYTES,
        cut: !ok,
        moved: (bytes, done, total) => {
          pace.moved(bytes);
          if (ok && total !== null) exchange.onProgress?.(done, total);
        },
      });
      exchange.answer = { status: response.statusCode, headers: response.headers, body };
      response.body = Readable.from([body]); // what the client parses; an object's it leaves unread
      return { response };
    } catch (error) {
      // What the connection says after we have ended it is not the cause.
      exchange.failure = ended.signal.aborted ? ended.signal.reason : asConnectSilence(error);
      throw new Error("see the exchange"); // the client writes on what it catches, and a signal's reason is not ours
    } finally {
      pace.stop();
      exchange.signal?.removeEventListener("abort", onAbort);
      // An answer before the end of the upload (a 403, say) leaves the rest unsent: this closes the connection.
      if (request.body instanceof Readable && !request.body.readableEnded) ended.abort();
    }
  }

  return {
    handle: (request, options) => exchangeOnce(request, (options as ExchangeOptions).exchange),
    destroy: () => inner.destroy(),
    metadata: inner.metadata,
    updateHttpClientConfig: () => undefined, // the client's defaults are not for us
    httpHandlerConfigs: () => ({}),
  };
}

/** The handler reports its connect timeout in words only; the socket had not connected, so nothing was sent. */
function asConnectSilence(error: unknown): unknown {
  if (error instanceof Error && error.name === "TimeoutError" && error.message.includes("did not establish"))
    return new SilenceError("connect", "no connection in time");
  return error;
}

function* chunksOf(body: Uint8Array, moved: (bytes: number, done: number) => void): Generator<Uint8Array> {
  for (let at = 0; at < body.length; at += UPLOAD_CHUNK) {
    const chunk = body.subarray(at, at + UPLOAD_CHUNK);
    moved(chunk.length, at + chunk.length);
    yield chunk;
  }
}

function declaredLength(headers: Readonly<Record<string, string>>): number | null {
  const text = headers["content-length"];
  return text !== undefined && /^[0-9]{1,15}$/.test(text) ? Number(text) : null;
}

interface BodyLimits {
  readonly declared: number | null;
  readonly maxBytes: number;
  /** Whether a longer body is cut at `maxBytes` rather than refused. */
  readonly cut: boolean;
  moved(bytes: number, done: number, declared: number | null): void;
}

/** Leaving the loop early destroys the stream, and with it the connection: the rest is not waited for. */
async function readBody(stream: Readable, limits: BodyLimits): Promise<Uint8Array> {
  const { declared, maxBytes, cut, moved } = limits;
  if (declared !== null && declared > maxBytes && !cut) {
    stream.destroy();
    throw new OversizeError(`${declared} bytes declared, ${maxBytes} allowed`);
  }
  // With a length declared there is one buffer and no copy of it.
  let buffer = new Uint8Array(Math.min(declared ?? 0, maxBytes));
  let length = 0;
  try {
    for await (const chunk of stream as AsyncIterable<Uint8Array>) {
      moved(chunk.length, length + chunk.length, declared);
      const fits = chunk.subarray(0, maxBytes - length);
      if (fits.length < chunk.length && !cut) throw new OversizeError(`more than ${maxBytes} bytes`);
      if (length + fits.length > buffer.length) buffer = grow(buffer, length + fits.length, maxBytes);
      buffer.set(fits, length);
      length += fits.length;
      if (cut && length === maxBytes) break;
    }
  } catch (error) {
    if (error instanceof OversizeError) throw error;
    throw new TruncationError(
      `the connection ended after ${length} of ${declared ?? "an unknown number of"} bytes`,
      {
        cause: error,
      },
    );
  }
  if (declared !== null && length < Math.min(declared, maxBytes))
    throw new TruncationError(`the connection ended after ${length} of ${declared} bytes`);
  return buffer.subarray(0, length);
}

function grow(buffer: Uint8Array, needed: number, maxBytes: number): Uint8Array<ArrayBuffer> {
  const larger = new Uint8Array(Math.min(Math.max(needed, buffer.length * 2, 16 * 1024), maxBytes));
  larger.set(buffer);
  return larger;
}

interface Pace {
  /** Bytes went up or came down. */
  readonly moved: (bytes: number) => void;
  /** The answer's head has come. */
  readonly answered: () => void;
  readonly stop: () => void;
}

/**
 * Calls `onStall` after `silenceMs` without a byte, and also when bytes come, but slower than LEAST_SPEED: each byte
 * moves the deadline by the time it may take, and never further than `silenceMs` from now.
 */
function startPace(silenceMs: number, uploadBytes: number, onStall: () => void): Pace {
  // An upload's last bytes are still on their way when we have handed them over.
  let patience = silenceMs + Math.min(uploadBytes, KERNEL_BUFFER) / KERNEL_SPEED;
  let deadline = performance.now() + patience;
  const check = (): void => {
    const left = deadline - performance.now();
    if (left <= 0) onStall();
    else timer = setTimeout(check, left);
  };
  let timer = setTimeout(check, patience);
  return {
    moved: (bytes) => {
      deadline = Math.min(performance.now() + patience, deadline + bytes / LEAST_SPEED);
    },
    answered: () => {
      patience = silenceMs;
      deadline = performance.now() + patience;
      clearTimeout(timer);
      timer = setTimeout(check, patience);
    },
    stop: () => clearTimeout(timer),
  };
}
