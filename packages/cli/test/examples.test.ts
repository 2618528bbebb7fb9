// Every example of `--help`, typed into sh on a terminal; what each command then shows is kept in test/transcripts.

import type { Command } from "commander";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { EXAMPLES } from "../src/examples.ts";
import { buildProgram } from "../src/program.ts";
import { type LineOptions, must, openFurnishedShop, type Person, read, type Shop } from "./shop.ts";
import type { Answer } from "./terminal-session.ts";
import { entry, expectTranscript } from "./transcript.ts";

interface Circumstances extends Pick<LineOptions, "env"> {
  /** What is run before, by the same person. */
  readonly before?: string;
  /** alice unless given. */
  readonly who?: Person;
  readonly answers?: (shop: Shop) => readonly Answer[];
}

const ENTER = "\r";
const yes: Circumstances = { answers: () => [{ asked: "Yes / ● No", keys: `y` }] };

/** For bob's second machine, which is alice's first. */
const FROM_ALICE = `cd ../../alice/shop && HOME="$PWD/.." VSYNC_KEYSTORE="file:$PWD/../keystore" \
  vsync keystore export --all --out ../../bob/laptop.keys --passphrase-file ../../bob/words`;

/** What an example needs beside the shop as it is. */
const CIRCUMSTANCES: Readonly<Record<string, Circumstances>> = {
  "vsync get prod DATABASE_URL": { before: "vsync pull prod" },
  'psql "$(vsync get prod DATABASE_URL)"': { before: "vsync pull prod" },
  "vsync sync prod gh --gh-repo acme/shop --dry-run": { before: "vsync pull prod" },
  "vsync sync prod gh --gh-repo acme/shop --gh-environment production --prune": { before: "vsync pull prod" },
  "vsync set prod DATABASE_URL": {
    answers: () => [{ asked: "DATABASE_URL", keys: `postgres://typed.example/shop${ENTER}` }],
  },
  "vsync use": { before: "vsync use dev" },
  "vsync passphrase show prod": yes,
  "vsync profile add aws --endpoint https://s3.eu-central-1.amazonaws.com --region eu-central-1 --bucket my-secrets":
    {
      answers: () => [
        { asked: "Access key", keys: `AKIAIOSFODNN7EXAMPLE${ENTER}` },
        { asked: "Secret", keys: `not-a-real-key${ENTER}` },
      ],
    },
  "vsync profile show work --reveal": yes,
  "vsync share import ../prod.share": {
    who: "bob",
    answers: (shop) => [{ asked: "Passphrase of", keys: `${read(shop, "bob", "words").trim()}${ENTER}` }],
  },
  "vsync share import ../prod.share --passphrase-file ../words": { who: "bob" },
  "vsync keystore import ../laptop.keys": {
    who: "bob",
    before: FROM_ALICE,
    answers: (shop) => [{ asked: "Passphrase of", keys: `${read(shop, "bob", "words").trim()}${ENTER}` }],
  },
  "vsync keystore import ../laptop.keys --passphrase-file ../words": { who: "bob", before: FROM_ALICE },
};

describe("of the examples", () => {
  let shop: Shop;
  let startAgain: () => void;

  beforeAll(async () => {
    shop = await openFurnishedShop();
    startAgain = shop.snapshot();
  });
  beforeEach(() => startAgain());
  afterAll(() => shop?.remove());

  test.each(declaredPaths())("those of %s work", async (path) => {
    const entries = [];
    for (const line of EXAMPLES[path] ?? []) {
      startAgain();
      const { who = "alice", before, env, answers } = CIRCUMSTANCES[line] ?? {};
      if (before !== undefined) await must(shop, who, before);
      const shown = await shop.type(who, line, {
        ...(env && { env }),
        ...(answers && { answers: answers(shop) }),
      });
      expect.soft(shown, `${line}\n${shown.screen}`).toMatchObject({ status: 0 });
      entries.push(entry(shop, line, shown));
    }
    expectTranscript(path.replaceAll(" ", "-"), entries);
  });
});

test("every command has two examples, and its help shows them", () => {
  expect(Object.keys(EXAMPLES).sort()).toEqual(declaredPaths().sort());
  for (const path of declaredPaths()) {
    const shown = helpOf(path).split("\nExamples:\n")[1];
    expect(shown, path).toBe(`${EXAMPLES[path]?.map((line) => `  ${line}`).join("\n")}\n`);
  }
});

function declaredPaths(): string[] {
  const below = (command: Command, group: string): string[] =>
    command
      .createHelp()
      .visibleCommands(command)
      .filter((child) => command.commands.includes(child))
      .flatMap((child) =>
        child.commands.length > 0 ? below(child, `${group}${child.name()} `) : [`${group}${child.name()}`],
      );
  return below(
    buildProgram(async () => undefined),
    "",
  );
}

function helpOf(path: string): string {
  let command = buildProgram(async () => undefined);
  for (const name of path.split(" "))
    command = command.commands.find((child) => child.name() === name) as Command;
  let text = "";
  command.configureOutput({
    writeOut: (more) => {
      text += more;
    },
  });
  command.outputHelp();
  return text;
}
