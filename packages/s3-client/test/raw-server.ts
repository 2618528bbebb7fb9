// A TCP server on loopback that says exactly what a test wants it to, and when.

import { type AddressInfo, createServer, type Server, type Socket } from "node:net";

export interface RawServer extends AsyncDisposable {
  readonly port: number;
  /** The next connection, or one that came already. */
  connection(): Promise<Socket>;
  /** Resolves when no connection is open any more. */
  idle(): Promise<void>;
}

/** Each connection goes to `converse`, whose errors about broken connections do not count. */
export async function serveRaw(converse: (socket: Socket) => void = () => {}): Promise<RawServer> {
  return watch(createServer(), (socket) => {
    socket.resume();
    converse(socket);
  });
}

export async function watch(server: Server, converse: (socket: Socket) => void): Promise<RawServer> {
  const open = new Set<Socket>();
  const arrived: Socket[] = [];
  let changed: () => void = () => {};
  const change = () =>
    new Promise<void>((resolve) => {
      changed = resolve;
    });
  server.on("connection", (socket: Socket) => {
    open.add(socket);
    arrived.push(socket);
    socket.on("error", () => {});
    socket.on("close", () => {
      open.delete(socket);
      changed();
    });
    changed();
    converse(socket);
  });
  server.listen(0, "127.0.0.1");
  await new Promise((resolve) => server.once("listening", resolve));
  return {
    port: (server.address() as AddressInfo).port,
    connection: async () => {
      while (arrived.length === 0) await change();
      return arrived.shift() as Socket;
    },
    idle: async () => {
      while (open.size > 0) await change();
    },
    [Symbol.asyncDispose]: async () => {
      for (const socket of open) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** Calls back with each request's head, as text. */
export function onRequest(socket: Socket, answer: (head: string) => void): void {
  let received = "";
  socket.on("data", (chunk) => {
    received += chunk.toString("latin1");
    const end = received.indexOf("\r\n\r\n");
    if (end < 0) return;
    const head = received.slice(0, end);
    received = received.slice(end + 4);
    answer(head);
  });
}
