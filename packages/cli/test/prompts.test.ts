// The built command on a real terminal: what it asks, what it shows, and how it is interrupted.

import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { stripVTControlCharacters } from "node:util";
import { type IPty, spawn } from "@lydell/node-pty";
import { describe, expect, onTestFinished, test } from "vitest";
import { bareEnvironment, run } from "../../../test/machine.ts";
import { makeWorkplace, type Workplace } from "./workplace.ts";

const MAIN = fileURLToPath(new URL("../dist/main.js", import.meta.url));
const ENTER = "\r";
const CTRL_C = "\u0003";
const CTRL_U = "\u0015";

interface Session {
  /** Waits until the screen shows `text` after what was waited for before. */
  shows(text: string): Promise<void>;
  type(keys: string): void;
  /** Everything shown so far. */
  text(): string;
  readonly exit: Promise<number>;
}

function environment({ home }: Workplace): Record<string, string> {
  return { ...bareEnvironment(), HOME: home, VSYNC_KEYSTORE: `file:${join(home, "keystore")}` } as Record<
    string,
    string
  >;
}

/** Runs it on a terminal, through a shell where `after` says what to run when it has ended. */
function onTerminal(place: Workplace, args: readonly string[], { after }: { after?: string } = {}): Session {
  const [file, argv] =
    after === undefined
      ? [process.execPath, [MAIN, ...args]]
      : ["sh", ["-c", `"$@"; ${after}`, "sh", process.execPath, MAIN, ...args]];
  const pty: IPty = spawn(file, argv, { cwd: place.root, env: environment(place), cols: 200, rows: 50 });
  let shown = "";
  let seen = 0;
  let ended = false;
  let wake = (): void => undefined;
  pty.onData((data) => {
    shown += data;
    wake();
  });
  const exit = new Promise<number>((resolve) => {
    pty.onExit(({ exitCode }) => {
      ended = true;
      wake();
      resolve(exitCode);
    });
  });
  onTestFinished(() => {
    if (!ended) pty.kill();
  });
  return {
    exit,
    text: () => stripVTControlCharacters(shown),
    type: (keys) => pty.write(keys),
    async shows(text) {
      for (;;) {
        const at = stripVTControlCharacters(shown).indexOf(text, seen);
        if (at >= 0) {
          seen = at + text.length;
          return;
        }
        if (ended)
          throw new Error(
            `ended without showing ${JSON.stringify(text)}:\n${stripVTControlCharacters(shown)}`,
          );
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
    },
  };
}

const vsync = async (place: Workplace, ...args: string[]): Promise<void> => {
  await run(process.execPath, [MAIN, ...args], { cwd: place.root, env: environment(place) });
};

const initialised = async (): Promise<Workplace> => {
  const place = makeWorkplace();
  await vsync(
    place,
    "init",
    "demo",
    "--endpoint",
    place.bucket.endpoint,
    "--bucket",
    "bucket",
    "--iterations",
    "100000",
  );
  return place;
};

const passphraseOf = (place: Workplace): string =>
  readFileSync(join(place.home, "keystore", encodeURIComponent("acme_shop/demo")), "utf8");

describe("init", () => {
  test("asks for what no flag says, shows numbered steps, and does it", async () => {
    const place = makeWorkplace();
    writeFileSync(join(place.root, ".env.demo"), "A=1\n");
    const session = onTerminal(place, ["init", "demo"]);
    await session.shows("Endpoint");
    session.type(`s3.example.com${ENTER}`);
    await session.shows("--endpoint https://s3.example.com");
    session.type(`${CTRL_U}${place.bucket.endpoint}${ENTER}`);
    await session.shows("Bucket");
    session.type(`bucket${ENTER}`);
    await session.shows("Move .env.demo into the vault folder?");
    session.type("y");
    await session.shows("[1/3] reaching");
    await session.shows("next: vsync push demo");
    expect(await session.exit).toBe(0);
    expect(readdirSync(join(place.root, "infra/vault/demo"))).toEqual([".env.demo"]);
  });

  test("never shows the secret key that is typed", async () => {
    const session = onTerminal(makeWorkplace(), [
      "init",
      "demo",
      "--endpoint",
      "http://127.0.0.1:9",
      "--bucket",
      "nowhere",
    ]);
    await session.shows("Access key id");
    session.type(`AKIDEXAMPLE${ENTER}`);
    await session.shows("Secret key of AKIDEXAMPLE");
    session.type(`canary-secret${ENTER}`);
    expect(await session.exit).toBe(3);
    expect(session.text()).not.toContain("canary");
  });

  test("does not take an empty answer", async () => {
    const place = makeWorkplace();
    const session = onTerminal(place, ["init", "demo", "--endpoint", place.bucket.endpoint]);
    await session.shows("Bucket");
    session.type(ENTER);
    await session.shows("an answer is needed");
    session.type(`bucket${ENTER}`);
    expect(await session.exit).toBe(0);
  });

  test("asks what to do about an environment that exists", async () => {
    const place = await initialised();
    const before = passphraseOf(place);
    const session = onTerminal(place, ["init", "demo"]);
    await session.shows("acme_shop/demo exists on this machine");
    session.type(ENTER);
    await session.shows("kept acme_shop/demo");
    expect(await session.exit).toBe(0);
    expect(passphraseOf(place)).toBe(before);
  });

  test("asks nothing with --no-input", async () => {
    const session = onTerminal(makeWorkplace(), ["init", "demo", "--no-input"]);
    await session.shows("give --endpoint <url> or --profile <name>");
    expect(await session.exit).toBe(1);
  });
});

describe("Ctrl-C at a question", () => {
  test.each([
    ["a question", [], "Endpoint"],
    [
      "a secret",
      ["--endpoint", "http://127.0.0.1:9", "--bucket", "nowhere", "--access-key", "id"],
      "Secret key of id",
    ],
  ])("(%s) exits 130, restores the terminal and changes nothing", async (_, flags, question) => {
    const place = makeWorkplace();
    const session = onTerminal(place, ["init", "demo", ...flags], { after: 'echo "status=$?"; stty -a' });
    await session.shows(question);
    session.type(CTRL_C);
    await session.shows("status=130");
    await session.exit;
    const settings = session.text().slice(session.text().indexOf("status=130"));
    expect(settings).toMatch(/[ ;]icanon[ ;]/);
    expect(settings).toMatch(/[ ;\n]echo[ ;]/);
    expect([readdirSync(place.root), readdirSync(place.home)]).toEqual([[".git"], []]);
  });
});

describe("passphrase show", () => {
  test("shows it after a yes", async () => {
    const place = await initialised();
    const session = onTerminal(place, ["passphrase", "show", "demo"]);
    await session.shows("Show the passphrase of acme_shop/demo here?");
    expect(session.text()).not.toContain(passphraseOf(place));
    session.type("y");
    await session.shows(passphraseOf(place));
    expect(await session.exit).toBe(0);
  });

  test.each([
    ["a no", "n"],
    ["Enter alone", ENTER],
    ["Ctrl-C", CTRL_C],
  ])("does not show it after %s", async (_, key) => {
    const place = await initialised();
    const session = onTerminal(place, ["passphrase", "show", "demo"]);
    await session.shows("Show the passphrase");
    session.type(key);
    expect(await session.exit).toBe(key === CTRL_C ? 130 : 1);
    expect(session.text()).not.toContain(passphraseOf(place));
  });
});
