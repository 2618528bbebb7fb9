// A D-Bus that stands in front of the real one, passes on what goes by, and can have something happen at one call.

import { once } from "node:events";
import { createConnection, createServer, type Socket } from "node:net";

/** One moment of one call. */
export interface CallMoment {
  /** From 0, among the calls since `at` or the beginning. */
  readonly index: number;
  /** `before`: the keychain has not seen it. `after`: its work is done, and the caller has no answer. */
  readonly when: "before" | "after";
}

export interface BusProxy {
  /** For DBUS_SESSION_BUS_ADDRESS. */
  readonly address: string;
  /** Names of the methods called, of whatever is on the bus but the bus itself. */
  readonly calls: readonly string[];
  /** Counts anew, and does this once at that moment; then the call, or its answer, is passed on or is not. */
  at(moment: CallMoment | null, does?: () => Promise<"passed on" | "dropped">): void;
  close(): Promise<void>;
}

/** Listens on `path`; `address` is that of the real one, `unix:path=` or as dbus-daemon prints it. */
export async function startBusProxy(path: string, address: string): Promise<BusProxy> {
  const bus = /unix:path=([^,]+)/.exec(address)?.[1] as string;
  let calls: string[] = [];
  let moment: CallMoment | null = null;
  const nothing = async (): Promise<"passed on"> => "passed on";
  let act: () => Promise<"passed on" | "dropped"> = nothing;
  const happen = async (index: number, when: CallMoment["when"]): Promise<boolean> => {
    if (moment?.index !== index || moment.when !== when) return true;
    moment = null;
    return (await act()) === "passed on";
  };
  const open = new Set<Socket>();
  const server = createServer((client) => {
    const real = createConnection(bus);
    // By serial: of calls whose answers are still to come.
    const indexOf = new Map<number, number>();
    for (const socket of [client, real]) {
      open.add(socket);
      socket.on("error", () => undefined).on("close", () => open.delete(socket));
    }
    void pass(client, real, async ({ type, member, destination, serial }) => {
      if (type !== METHOD_CALL || destination === "org.freedesktop.DBus") return true;
      const index = calls.push(member) - 1;
      indexOf.set(serial, index);
      return await happen(index, "before");
    });
    void pass(real, client, async ({ replySerial }) => {
      const index = indexOf.get(replySerial);
      return index === undefined || (await happen(index, "after"));
    });
  });
  server.listen(path);
  await once(server, "listening");
  return {
    address: `unix:path=${path}`,
    get calls() {
      return calls;
    },
    at(next, does = nothing) {
      calls = [];
      moment = next;
      act = does;
    },
    async close() {
      for (const socket of open) socket.destroy();
      server.close();
      await once(server, "close");
    },
  };
}

/** Whole messages, each when `isToPass` is done with it. */
async function pass(from: Socket, to: Socket, isToPass: (header: Header) => Promise<boolean>): Promise<void> {
  let rest: Buffer = Buffer.alloc(0);
  try {
    for await (const chunk of from) {
      rest = Buffer.concat([rest, chunk as Buffer]);
      for (let length = firstLength(rest); length <= rest.length; length = firstLength(rest)) {
        const isMessage = rest[0] === LITTLE_ENDIAN;
        if (!isMessage || (await isToPass(readHeader(rest)))) to.write(rest.subarray(0, length));
        rest = rest.subarray(length);
      }
    }
  } catch {
    // One end was killed; the other is told so.
  }
  to.end();
}

const LITTLE_ENDIAN = 0x6c; // "l"
const METHOD_CALL = 1;

/** Of the message, or of the line of the handshake before all messages, at the beginning; infinite while it is not known. */
function firstLength(bytes: Buffer): number {
  if (bytes[0] !== LITTLE_ENDIAN) {
    const end = bytes.indexOf("\r\n");
    return end < 0 ? Number.POSITIVE_INFINITY : end + 2;
  }
  if (bytes.length < 16) return Number.POSITIVE_INFINITY;
  return aligned(16 + bytes.readUInt32LE(12), 8) + bytes.readUInt32LE(4);
}

interface Header {
  readonly type: number;
  readonly serial: number;
  /** 0 where it is no answer. */
  readonly replySerial: number;
  readonly member: string;
  readonly destination: string;
}

/** D-Bus specification, "Message Format": an array of (code, variant), each at a multiple of 8. */
function readHeader(bytes: Buffer): Header {
  const fields = new Map<number, string | number>();
  const end = 16 + bytes.readUInt32LE(12);
  for (let at = 16; at < end; at = aligned(at, 8)) {
    const code = bytes.readUInt8(at);
    const type = String.fromCharCode(bytes.readUInt8(at + 2));
    at += 4;
    if (type === "g") {
      at += bytes.readUInt8(at) + 2;
      continue;
    }
    const value = bytes.readUInt32LE(at);
    at += 4;
    fields.set(code, type === "u" ? value : bytes.toString("utf8", at, at + value));
    if (type !== "u") at += value + 1;
  }
  return {
    type: bytes.readUInt8(1),
    serial: bytes.readUInt32LE(8),
    replySerial: Number(fields.get(5) ?? 0),
    member: String(fields.get(3) ?? ""),
    destination: String(fields.get(6) ?? ""),
  };
}

function aligned(offset: number, to: number): number {
  return Math.ceil(offset / to) * to;
}
