// The built command on a real Secret Service: gnome-keyring on a D-Bus of its own, in a HOME of its own.

import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, onTestFinished, test } from "vitest";
import { bareEnvironment, type Finished, run } from "../../../test/machine.ts";
import { EXIT_CODES } from "../src/exit-codes.ts";
import { countItems, hasSecretService, lockKeyring, startBus, startKeyring } from "./secret-service.ts";
import { makeWorkplace, type Workplace } from "./workplace.ts";

const MAIN = fileURLToPath(new URL("../dist/main.js", import.meta.url));
const { LOCAL_IO } = EXIT_CODES;

const RUNS = hasSecretService("everything on a real keychain");

interface Desk extends Workplace {
  readonly env: NodeJS.ProcessEnv;
  vsync(
    args: readonly string[],
    options?: { status?: number; env?: Record<string, string> },
  ): Promise<Finished>;
}

/** A workplace whose variables name `bus`, and no file keystore. */
function sitDown(bus: string): Desk {
  const place = makeWorkplace();
  const runtime = join(place.folder, "run");
  mkdirSync(runtime, { mode: 0o700 });
  const env = {
    ...bareEnvironment(),
    HOME: place.home,
    XDG_RUNTIME_DIR: runtime,
    DBUS_SESSION_BUS_ADDRESS: bus,
  };
  return {
    ...place,
    env,
    vsync: (args, options = {}) =>
      run(process.execPath, [MAIN, ...args], {
        cwd: place.root,
        ...options,
        env: { ...env, ...options.env },
      }),
  };
}

/** A desk with a bus of its own, which ends with the test. `policy` is one more rule for that bus. */
async function withBus(policy = ""): Promise<Desk> {
  const place = sitDown("");
  const bus = await startBus(place.folder, place.env, policy);
  onTestFinished(() => bus.close());
  place.env.DBUS_SESSION_BUS_ADDRESS = bus.address;
  return place;
}

const initFlags = ({ bucket }: Workplace): string[] => [
  "init",
  "demo",
  "--endpoint",
  bucket.endpoint,
  "--bucket",
  bucket.bucket,
  "--iterations",
  "100000",
];

async function failure(
  desk: Desk,
  args: readonly string[],
  env: Record<string, string> = {},
): Promise<{ code: string; message: string; hint: string }> {
  const { stdout } = await desk.vsync([...args, "--json"], { status: LOCAL_IO.status, env });
  return JSON.parse(stdout).error;
}

describe.skipIf(!RUNS)("the Secret Service", () => {
  test("holds the passphrase under service and username, and nothing else does", async () => {
    const desk = await withBus();
    startKeyring(desk.env);
    await desk.vsync(initFlags(desk));
    expect(countItems(desk.env, "acme_shop/demo")).toBe(1);
    await desk.vsync(["passphrase", "show", "demo", "--out", "p"]);
    const passphrase = readFileSync(join(desk.root, "p"), "utf8");
    expect(passphrase).toMatch(/^[A-Za-z0-9+/]{43}=$/);
    const elsewhere = execFileSync("grep", ["-rl", "--", passphrase, desk.folder], { encoding: "utf8" });
    expect(elsewhere).toBe(`${join(desk.root, "p")}\n`);
  });

  test("serves the whole way: init, push, runtime-token", async () => {
    const desk = await withBus();
    startKeyring(desk.env);
    await desk.vsync(initFlags(desk));
    writeFileSync(join(desk.root, "infra/vault/demo/.env.demo"), "A=1\n");
    await desk.vsync(["push", "demo"]);
    expect((await desk.vsync(["runtime-token", "demo"])).stdout).toMatch(/^vsync-cfg-v1:/);
  });

  test("is listed by keystore list, and tried out by doctor, which leaves nothing in it", async () => {
    const desk = await withBus();
    startKeyring(desk.env);
    await desk.vsync(initFlags(desk));
    const { checks } = JSON.parse((await desk.vsync(["doctor", "--json"])).stdout);
    expect(checks).toContainEqual(
      expect.objectContaining({
        name: "keystore",
        level: "ok",
        says: expect.stringMatching(/keeps, returns/),
      }),
    );
    const { environments } = JSON.parse((await desk.vsync(["keystore", "list", "--json"])).stdout);
    expect(environments).toEqual([
      { repo: "acme_shop", env: "demo", config: true, key: true, earlierKey: false },
    ]);
    lockKeyring(desk.env);
    expect((await failure(desk, ["keystore", "list"])).message).toMatch(/^the Secret Service is locked/);
  });

  test("keeps the old passphrase beside the new one when init overwrites", async () => {
    const desk = await withBus();
    startKeyring(desk.env);
    await desk.vsync(initFlags(desk));
    // Somebody may have put secrets under it from now on.
    await desk.vsync(["passphrase", "show", "demo", "--out", "../shown"]);
    await desk.vsync([...initFlags(desk), "--overwrite"]);
    expect([countItems(desk.env, "acme_shop/demo"), countItems(desk.env, "acme_shop/demo#replaced")]).toEqual(
      [1, 1],
    );
  });

  test("has no passphrase for an environment of another machine: NOT_CONFIGURED", async () => {
    const desk = await withBus();
    startKeyring(desk.env);
    await desk.vsync(initFlags(desk), { env: { VSYNC_KEYSTORE: `file:${desk.home}/keystore` } });
    const { stdout } = await desk.vsync(["push", "demo", "--json"], {
      status: EXIT_CODES.NOT_CONFIGURED.status,
    });
    expect(JSON.parse(stdout).error.message).toBe(
      "the Secret Service holds no passphrase for acme_shop/demo",
    );
  });

  test("that is locked says so, for reading and for writing", async () => {
    const desk = await withBus();
    startKeyring(desk.env);
    await desk.vsync(initFlags(desk));
    lockKeyring(desk.env);
    for (const args of [
      ["push", "demo"],
      [...initFlags(desk), "--overwrite"],
      ["passphrase", "show", "demo", "--out", "p"],
    ]) {
      const { message, hint } = await failure(desk, args);
      expect(message).toMatch(/^the Secret Service is locked and was not unlocked/);
      expect(hint).toMatch(/^unlock it .*VSYNC_KEYSTORE=file:.*VSYNC_PASSPHRASE_FILE/);
    }
    expect(existsSync(join(desk.root, "p"))).toBe(false);
  });

  test("that is locked when a new environment is to be stored leaves nothing behind", async () => {
    const desk = await withBus();
    startKeyring(desk.env);
    lockKeyring(desk.env);
    const { message } = await failure(desk, initFlags(desk));
    expect(message).toMatch(/^the Secret Service is locked/);
    expect(readdirSync(desk.root)).toEqual([".git"]);
    expect(existsSync(join(desk.home, ".config/vsync/config/acme_shop/env_demo"))).toBe(false);
  });

  test("that refuses vsync says so", async () => {
    const desk = await withBus('<deny send_interface="org.freedesktop.Secret.Service"/>');
    startKeyring(desk.env);
    const { message, hint } = await failure(desk, initFlags(desk));
    expect(message).toMatch(/^the Secret Service refused vsync's request/);
    expect(hint).toMatch(/^allow vsync/);
  });
});

describe.skipIf(!RUNS)("without a Secret Service", () => {
  test("a bus that nobody offers secrets on is an error that names the ways out, and no file is written", async () => {
    const desk = await withBus();
    const { message, hint } = await failure(desk, initFlags(desk));
    expect(message).toMatch(/^there is no keychain to use here/);
    for (const way of ["VSYNC_PASSPHRASE_FILE", "VSYNC_PASSPHRASE", "VSYNC_KEYSTORE=file:"])
      expect(hint).toContain(way);
    expect([readdirSync(desk.root), readdirSync(desk.home)]).toEqual([[".git"], []]);
  });

  test("the hint's command works as it stands, for a new environment", async () => {
    const desk = sitDown("unix:path=/nowhere");
    const { hint } = await failure(desk, initFlags(desk));
    const command = /export VSYNC_KEYSTORE=\S+/.exec(hint)?.[0];
    const ask = `${command} && printf %s "$VSYNC_KEYSTORE"`;
    const setting = execFileSync("sh", ["-c", ask], { env: { HOME: desk.home }, encoding: "utf8" });
    await desk.vsync(initFlags(desk).slice(0, 6), { env: { VSYNC_KEYSTORE: setting } });
    expect(readdirSync(join(desk.home, ".vsync-keys"))).toEqual(["acme_shop%2Fdemo"]);
  });

  test("no bus at all is the same error, and the kernel's keyring is not taken instead", async () => {
    const desk = sitDown("unix:path=/nowhere");
    const { message } = await failure(desk, initFlags(desk));
    expect(message).toMatch(/^there is no keychain to use here/);
    expect(readdirSync(desk.home)).toEqual([]);
  });

  test.each<[string, (desk: Desk) => Record<string, string>]>([
    ["VSYNC_PASSPHRASE", () => ({ VSYNC_PASSPHRASE: "correct horse battery staple" })],
    [
      "VSYNC_PASSPHRASE_FILE",
      ({ folder }) => {
        writeFileSync(join(folder, "p"), "correct horse battery staple\n", { mode: 0o600 });
        return { VSYNC_PASSPHRASE_FILE: join(folder, "p") };
      },
    ],
    ["VSYNC_KEYSTORE=file:", ({ home }) => ({ VSYNC_KEYSTORE: `file:${home}/keystore` })],
  ])("%s does instead", async (_, variables) => {
    const desk = sitDown("unix:path=/nowhere");
    const env = variables(desk);
    await desk.vsync(initFlags(desk).slice(0, 6), { env });
    writeFileSync(join(desk.root, "infra/vault/demo/.env.demo"), "A=1\n");
    await desk.vsync(["push", "demo"], { env });
  });
});
