// A real Secret Service for tests: gnome-keyring on a D-Bus of its own, with HOME and XDG_RUNTIME_DIR of the test.

import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { hasPrograms } from "../../../test/programs.ts";

/** HOME, XDG_RUNTIME_DIR and DBUS_SESSION_BUS_ADDRESS among others. */
export type DeskEnvironment = NodeJS.ProcessEnv;

export interface Bus {
  readonly address: string;
  close(): Promise<void>;
}

/** Whether `suite` can have one here. */
export function hasSecretService(suite: string): boolean {
  const programs = ["dbus-daemon", "dbus-send", "gnome-keyring-daemon", "secret-tool"];
  const how = "apt-get install -y --no-install-recommends dbus gnome-keyring libsecret-tools";
  return hasPrograms(suite, programs, how) && process.platform === "linux";
}

/** A bus with its socket in `folder`, on which nothing starts by itself. `policy` is one more rule for it. */
export async function startBus(folder: string, env: DeskEnvironment, policy = ""): Promise<Bus> {
  const config = join(folder, "bus.conf");
  writeFileSync(
    config,
    `<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
      "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
    <busconfig>
      <type>session</type>
      <listen>unix:dir=${folder}</listen>
      <policy context="default">
        <allow send_destination="*"/><allow receive_sender="*"/><allow own="*"/>${policy}
      </policy>
    </busconfig>`,
  );
  const daemon = spawn("dbus-daemon", [`--config-file=${config}`, "--nofork", "--print-address=1"], {
    env,
    stdio: ["ignore", "pipe", "ignore"],
  });
  const [address] = (await once(createInterface(daemon.stdout), "line")) as [string];
  return {
    address,
    async close() {
      daemon.kill();
      await once(daemon, "exit");
    },
  };
}

/** Starts the keyring, its login collection unlocked with an empty password. It ends with its bus. */
export function startKeyring(env: DeskEnvironment): void {
  execFileSync("gnome-keyring-daemon", ["--unlock", "--components=secrets"], {
    env,
    input: "\n",
    stdio: ["pipe", "ignore", "ignore"],
  });
  awaitKeyring(env, true); // it returns before it has taken its name on the bus
}

export function endKeyring(env: DeskEnvironment): void {
  const answer = askBus(env, "GetConnectionUnixProcessID");
  process.kill(Number(/uint32 (\d+)/.exec(answer)?.[1]), "SIGKILL");
  awaitKeyring(env, false);
}

function awaitKeyring(env: DeskEnvironment, isThere: boolean): void {
  const giveUp = Date.now() + 20_000;
  while (askBus(env, "NameHasOwner").includes("true") !== isThere) {
    if (Date.now() > giveUp) throw new Error(`gnome-keyring-daemon is ${isThere ? "not" : "still"} there`);
  }
}

function askBus(env: DeskEnvironment, method: string): string {
  const to = ["--session", "--print-reply", "--dest=org.freedesktop.DBus", "/org/freedesktop/DBus"];
  const ask = [...to, `org.freedesktop.DBus.${method}`, "string:org.freedesktop.secrets"];
  return execFileSync("dbus-send", ask, { env, encoding: "utf8" });
}

function askSecrets(env: DeskEnvironment, method: string, ...args: string[]): string {
  const to = ["--session", "--print-reply", "--dest=org.freedesktop.secrets", "/org/freedesktop/secrets"];
  return execFileSync("dbus-send", [...to, `org.freedesktop.Secret.Service.${method}`, ...args], {
    env,
    encoding: "utf8",
  });
}

export function lockKeyring(env: DeskEnvironment): void {
  askSecrets(env, "Lock", "array:objpath:/org/freedesktop/secrets/collection/login");
}

/** How many items the keyring has for an account of vsync. */
export function countItems(env: DeskEnvironment, account: string): number {
  const found = askSecrets(env, "SearchItems", `dict:string:string:service,tools.vsync,username,${account}`);
  return found.match(/object path/g)?.length ?? 0;
}

/** All that vsync has in an unlocked keyring, by account, as somebody else's program sees it. */
export function readKeyring(env: DeskEnvironment): Record<string, string> {
  const search = ["search", "--all", "service", "tools.vsync"];
  const said = execFileSync("secret-tool", search, {
    env,
    encoding: "utf8",
    stdio: ["ignore", "pipe", "ignore"],
  });
  const found = said.matchAll(/^label = keyring:(.+)@tools\.vsync\nsecret = (.*)$/gm);
  return Object.fromEntries([...found].map(([, account, secret]) => [account as string, secret as string]));
}
