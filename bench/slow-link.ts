// A connection to a server on this machine on which everything takes longer: what the client sends arrives late.

import { once } from "node:events";
import { type AddressInfo, connect, createServer } from "node:net";

export interface SlowLink {
  /** `http://127.0.0.1:port` */
  readonly endpoint: string;
  /** How late what is sent from now on arrives, in milliseconds. */
  delay: number;
  close(): void;
}

export async function startSlowLink(to: string): Promise<SlowLink> {
  const { hostname, port } = new URL(to);
  const state = { delay: 0 };
  const server = createServer((client) => {
    const target = connect(Number(port), hostname);
    for (const socket of [client, target]) socket.setNoDelay().on("error", () => socket.destroy());
    // Timers of one delay fire in the order in which they were set.
    const later = (act: () => void) => (state.delay === 0 ? act() : void setTimeout(act, state.delay));
    client.on("data", (chunk) => later(() => target.write(chunk)));
    client.on("end", () => later(() => target.end()));
    target.on("data", (chunk) => client.write(chunk));
    target.on("end", () => client.end());
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return Object.assign(state, {
    endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    close: () => server.close(),
  });
}
