// A command's calls to a real Secret Service, and a way to end the command, or the service, at one of them.

import assert from "node:assert/strict";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { bareEnvironment } from "../../../../test/machine.ts";
import * as service from "../secret-service.ts";
import { type BusProxy, type CallMoment, startBusProxy } from "./bus-proxy.ts";
import type { Strike } from "./strikes.ts";
import { predicted } from "./system-calls.ts";
import { checkHalfDone, checkKeychainFailure } from "./trial.ts";
import { type Ended, makeWorld, start, type World } from "./world.ts";

/** A world where Bob's passphrases are in gnome-keyring, and his commands reach it by a bus that sees each call. */
export interface KeychainWorld extends World {
  readonly proxy: BusProxy;
  /** Of the keyring itself. */
  readonly desk: service.DeskEnvironment;
}

export async function makeKeychainWorld(): Promise<KeychainWorld> {
  let proxy: BusProxy | undefined;
  const desk: service.DeskEnvironment = bareEnvironment();
  const world = await makeWorld(async (folder, home) => {
    const runtime = join(folder, "run");
    mkdirSync(runtime, { mode: 0o700 });
    Object.assign(desk, { HOME: home, XDG_RUNTIME_DIR: runtime });
    const bus = await service.startBus(folder, desk);
    desk.DBUS_SESSION_BUS_ADDRESS = bus.address;
    const front = await startBusProxy(join(folder, "bus"), bus.address);
    proxy = front;
    service.startKeyring(desk);
    return {
      variables: { XDG_RUNTIME_DIR: runtime, DBUS_SESSION_BUS_ADDRESS: front.address },
      read: () => service.readKeyring(desk),
      end: () => service.endKeyring(desk),
      begin: () => service.startKeyring(desk),
      async close() {
        await front.close();
        await bus.close();
      },
    };
  });
  return { ...world, proxy: proxy as BusProxy, desk };
}

interface CallPoint extends CallMoment {
  readonly call: string;
}

/** Runs the command undisturbed and lists its calls to the keychain. */
async function listCalls(
  { proxy, ...world }: KeychainWorld,
  args: readonly string[],
): Promise<{ readonly ended: Ended; readonly calls: readonly string[] }> {
  proxy.at(null);
  const ended = await start(world, args, { node: predicted() }).ended;
  return { ended, calls: proxy.calls };
}

/** Killed before each call has reached the keychain, and after its effect, before the answer. */
export function killedAtCalls(world: KeychainWorld): Strike<CallPoint> {
  const { proxy } = world;
  return {
    name: "killed at a call to the keychain",
    async list(_, args) {
      const { ended, calls } = await listCalls(world, args);
      const moments = ["before", "after"] as const;
      return {
        ended,
        points: calls.flatMap((call, index) => moments.map((when) => ({ index, call, when }))),
      };
    },
    describe: ({ index, call, when }) => `${call} (${index}, ${when})`,
    async hit(_, args, { call, ...moment }) {
      const process = start(world, args, { node: predicted() });
      proxy.at(moment, async () => {
        process.kill();
        await process.ended;
        return "dropped";
      });
      const ended = await process.ended;
      assert.equal(ended.signal, "SIGKILL", `not killed: ${ended.stdout}${ended.stderr}`);
      assert.deepEqual([proxy.calls.length, proxy.calls.at(-1)], [moment.index + 1, call]);
      return ended;
    },
    check: checkHalfDone,
  };
}

interface FailurePoint {
  readonly index: number;
  readonly call: string;
  readonly trouble: "locked" | "gone";
}

/** Locked or gone from each call on, and there again when the command has given up. */
export function failingAtCalls(world: KeychainWorld): Strike<FailurePoint> {
  const { proxy, desk } = world;
  return {
    name: "with a keychain that fails",
    async list(_, args) {
      const { ended, calls } = await listCalls(world, args);
      const troubles = ["locked", "gone"] as const;
      return {
        ended,
        points: calls.flatMap((call, index) => troubles.map((trouble) => ({ index, call, trouble }))),
      };
    },
    describe: ({ index, call, trouble }) => `${trouble} at ${call} (${index})`,
    async hit(_, args, { index, call, trouble }) {
      proxy.at({ index, when: "before" }, async () => {
        if (trouble === "locked") service.lockKeyring(desk);
        else service.endKeyring(desk);
        return "passed on";
      });
      const ended = await start(world, args, { node: predicted() }).ended;
      assert.equal(proxy.calls[index], call);
      if (trouble === "locked") service.endKeyring(desk); // a keyring that starts is unlocked, as by a login
      service.startKeyring(desk);
      return ended;
    },
    check: checkKeychainFailure,
  };
}
