// One HTTP exchange of the S3 client, bounded in every direction: waiting, speed, and bytes of the answer.

import type { ClientRequest, IncomingMessage } from "node:http";
import { pipeline, Readable } from "node:stream";
import type { Progress } from "./object-store.ts";
import { type Pace, startPace } from "./s3-pace.ts";

export interface SignedRequest {
  readonly method: string;
  /** Percent-encoded, as signed. */
  readonly path: string;
  /** As signed; none unless given. */
  readonly query?: string;
  /** Signed; `host`, which is signed too, is for the transport to send. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: Uint8Array | undefined;
}

/** What came back. */
export interface Answer {
  readonly status: number;
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Uint8Array;
}

/** What a request is held to, and what is known of it when it fails. */
export interface Exchange {
  /** Most bytes of a successful answer's body. */
  readonly maxBytes: number;
  readonly signal: AbortSignal | undefined;
  readonly onProgress: Progress | undefined;
  /** Whether any of it may have reached the server. */
  sent: boolean;
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
  /** Follows no redirect and sends nothing twice. Rejects when there is no whole answer. */
  send(request: SignedRequest, exchange: Exchange): Promise<Answer>;
  /** Ends idle connections. */
  close(): void;
}

/** An error's XML is short; what is longer is somebody else's page. */
const MAX_ERROR_BYTES = 64 * 1024;

const UPLOAD_CHUNK = 256 * 1024;

export async function createTransport(
  endpoint: URL,
  limits: { connectMs: number; silenceMs: number },
): Promise<Transport> {
  const http = await loadHttp(endpoint);
  const agent = new http.Agent({ keepAlive: true });
  const server = {
    agent,
    // URLs write IPv6 addresses in brackets, sockets do not.
    hostname: endpoint.hostname.replace(/^\[|\]$/g, ""),
    port: endpoint.port,
    setHost: false,
  };

  async function send(
    { method, path, query = "", headers, body }: SignedRequest,
    exchange: Exchange,
  ): Promise<Answer> {
    exchange.signal?.throwIfAborted();
    const outgoing = http.request({
      ...server,
      method,
      path: query === "" ? path : `${path}?${query}`,
      headers: { "user-agent": "vsync", ...headers, host: endpoint.host },
    });
    const ended: { why?: unknown } = {};
    const end = (why: unknown): void => {
      if (!("why" in ended)) ended.why = why;
      outgoing.destroy();
    };
    const uploadBytes = body?.length ?? 0;
    const pace = startPace(limits.silenceMs, uploadBytes, () =>
      end(new SilenceError("answer", `no answer, or too slow a one, for ${limits.silenceMs} ms`)),
    );
    const onAbort = (): void => end(exchange.signal?.reason);
    exchange.signal?.addEventListener("abort", onAbort, { once: true });
    boundConnecting(outgoing, limits.connectMs, end);
    onceConnected(outgoing, endpoint.protocol === "https:" ? "secureConnect" : "connect", () => {
      exchange.sent = true;
    });
    let handedOver = uploadBytes > UPLOAD_CHUNK ? 0 : uploadBytes;
    try {
      const answered = answerTo(outgoing);
      upload(outgoing, body, (bytes, done) => {
        handedOver = done;
        pace.moved(bytes);
        exchange.onProgress?.(done, uploadBytes);
      });
      const incoming = await answered;
      pace.answered();
      const answer = await readAnswer(incoming, method, exchange, pace);
      if (isSuccess(answer.status) && handedOver < uploadBytes)
        throw new TruncationError(
          `the server said ${answer.status} to ${handedOver} of ${uploadBytes} bytes`,
        );
      return answer;
    } catch (error) {
      // What the connection says after we have ended it is not the cause.
      throw "why" in ended ? ended.why : error;
    } finally {
      pace.stop();
      exchange.signal?.removeEventListener("abort", onAbort);
      // An answer before the end of the upload (a 403, say) leaves the rest unsent: this closes the connection.
      if (!outgoing.writableFinished) outgoing.destroy();
    }
  }

  return { send, close: () => agent.destroy() };
}

/** Not imported where that can be helped: it loads the WebSocket client of Node 22.5 and later as well. */
async function loadHttp({ protocol }: URL): Promise<Pick<typeof import("node:http"), "request" | "Agent">> {
  if (protocol === "https:") return process.getBuiltinModule?.("node:https") ?? (await import("node:https"));
  return process.getBuiltinModule?.("node:http") ?? (await import("node:http"));
}

function answerTo(outgoing: ClientRequest): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    outgoing.on("response", resolve);
    // Without a listener such a request would never come to an end.
    outgoing.on("upgrade", (incoming, socket) => {
      socket.destroy();
      resolve(incoming);
    });
    outgoing.on("error", reject);
  });
}

/** In chunks where it is long: TLS would otherwise encrypt a second copy of the whole. */
function upload(
  outgoing: ClientRequest,
  body: Uint8Array | undefined,
  moved: (bytes: number, done: number) => void,
): void {
  if (body === undefined || body.length <= UPLOAD_CHUNK) outgoing.end(body);
  // What goes wrong is told by `outgoing` itself.
  else pipeline(Readable.from(chunksOf(body, moved)), outgoing, () => undefined);
}

async function readAnswer(
  incoming: IncomingMessage,
  method: string,
  { maxBytes, onProgress }: Exchange,
  pace: Pace,
): Promise<Answer> {
  const status = incoming.statusCode ?? 0;
  const ok = isSuccess(status);
  const headers: Record<string, string> = {};
  for (const [name, value] of Object.entries(incoming.headers)) {
    if (value !== undefined) headers[name] = Array.isArray(value) ? value.join(", ") : value;
  }
  const body = await readBody(incoming, {
    declared: method === "HEAD" ? 0 : declaredLength(headers),
    maxBytes: ok ? maxBytes : MAX_ERROR_BYTES,
    cut: !ok,
    moved: (bytes, done, total) => {
      pace.moved(bytes);
      if (ok && total !== null) onProgress?.(done, total);
    },
  });
  return { status, headers, body };
}

function isSuccess(status: number): boolean {
  return status >= 200 && status < 300;
}

/** Until then node keeps the request to itself. A connection that is used again has had its handshake. */
function onceConnected(
  outgoing: ClientRequest,
  handshakeDone: "connect" | "secureConnect",
  act: () => void,
): void {
  outgoing.on("socket", (socket) => {
    if (socket.connecting) socket.once(handshakeDone, act);
    else act();
  });
}

function boundConnecting(outgoing: ClientRequest, connectMs: number, end: (why: Error) => void): void {
  outgoing.on("socket", (socket) => {
    if (!socket.connecting) return;
    const timer = setTimeout(() => end(new SilenceError("connect", "no connection in time")), connectMs);
    const stop = (): void => clearTimeout(timer);
    socket.once("connect", stop).once("close", stop);
  });
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
