// The commands of a document, as somebody would run them: its shell blocks, typed on a terminal from top to bottom.
//
// What stands behind the language of a block says how it is run (GitHub and the site show none of it):
//
//   ```sh                    on alice's machine, in her clone
//   ```sh as=bob             on a teammate's
//   ```sh status=5           the block must end with that status
//   ```sh not-run="reason"   not at all
//   ```sh without=<path>     after a misfortune: what is there, beside the clone, is gone
//   ```js file=app.mjs       is that file in alice's clone (with `as`, in theirs) from here on

import { copyFileSync, mkdirSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type Answer, typeLine } from "../packages/cli/test/terminal-session.ts";
import type { Machine } from "./machine.ts";

export interface Block {
  readonly language: string;
  readonly text: string;
  /** In its document. */
  readonly line: number;
  readonly as: string;
  readonly status: number;
  /** Why it is not run; null: it is. */
  readonly notRun: string | null;
  readonly file: string | null;
  /** What is lost before; null: nothing. */
  readonly without: string | null;
}

const DIRECTIVE = /^(as|status|not-run|file|without)=(?:"([^"]+)"|([\w./-]+))$/;

/** The fenced blocks of a document. A directive that nobody knows is an error. */
export function blocksOf(markdown: string): Block[] {
  const fences = [...markdown.matchAll(/^( *)```(\S+)?(?: (.*))?\n([\s\S]*?)^ *```$/gm)];
  return fences.map(({ 1: indent = "", 2: language = "", 3: info = "", 4: text = "", index }) => {
    const line = markdown.slice(0, index).split("\n").length;
    const given = new Map<string, string>();
    for (const word of info.match(/[\w-]+="[^"]*"|\S+/g) ?? []) {
      const [, name, quoted, bare] = DIRECTIVE.exec(word) ?? [];
      if (name === undefined) throw new Error(`line ${line}: nobody knows what ${word} means`);
      given.set(name, quoted ?? bare ?? "");
    }
    return {
      language,
      text: text.replaceAll(new RegExp(`^${indent}`, "gm"), ""),
      line,
      as: given.get("as") ?? "alice",
      status: Number(given.get("status") ?? 0),
      notRun: given.get("not-run") ?? null,
      file: given.get("file") ?? null,
      without: given.get("without") ?? null,
    };
  });
}

export interface World {
  readonly people: Readonly<Record<string, Machine>>;
  /** With `vsync` in it, and no stand-in for anything else. */
  readonly bin: string;
  /** What a reader puts in for what a document names as an example: an address, a bucket, a key. */
  readonly own: ReadonlyMap<string, string>;
  /** What they type when `vsync init` asks for the secret key. */
  readonly secretKey: string;
}

/** A folder with `vsync` as an installation would put it there. */
export function writeVsync(bin: string, main: string): void {
  mkdirSync(bin, { recursive: true });
  writeFileSync(join(bin, "vsync"), `#!/bin/sh\nexec "${process.execPath}" "${main}" "$@"\n`, {
    mode: 0o755,
  });
}

/** Runs the blocks one after the other; fails at the first that ends otherwise than it says. */
export async function follow(blocks: readonly Block[], world: World): Promise<void> {
  let words = "";
  for (const block of blocks) {
    if (block.notRun !== null) continue;
    const machine = world.people[block.as];
    if (machine === undefined) throw new Error(`line ${block.line}: who is ${block.as}?`);
    if (block.file !== null) writeFileSync(join(machine.repository, block.file), block.text);
    if (block.without !== null) rmSync(join(machine.repository, "..", block.without), { recursive: true });
    if (block.language !== "sh") continue;
    const lines = inOwnWords(block.text, world.own);
    const { status, screen } = await typeLine(`set -e\n${lines}`, {
      cwd: machine.repository,
      env: {
        ...(machine.env as Record<string, string>),
        PATH: `${world.bin}:${process.env.PATH}`,
        LANG: "C.UTF-8",
        TERM: "xterm-256color",
      },
      answers: answersTo(lines, { ...world, words }),
    });
    if (status !== block.status)
      throw new Error(`line ${block.line}: status ${status}, not ${block.status}\n${lines}\n${screen}`);
    words = /\b[a-z]+(?:-[a-z]+){5}\b/.exec(screen)?.[0] ?? words;
    handOver(world, block.as);
  }
}

function inOwnWords(text: string, own: ReadonlyMap<string, string>): string {
  const joined = text.replaceAll(/\\\n\s*/g, "");
  return [...own].reduce((line, [example, mine]) => line.replaceAll(example, mine), joined);
}

const ENTER = "\r";

/** What each line asks for on a terminal, by what it leaves out. */
function answersTo(text: string, { secretKey, words }: { secretKey: string; words: string }): Answer[] {
  return text.split("\n").flatMap((line): Answer[] => {
    const command = line.replace(/\s+#.*$/, "");
    // The one key of the test is no new one to `--edit`, which asks for the secret of a new one only.
    if (/vsync (init|profile add) (?!.*(--edit|--secret-key-file)).*--access-key/.test(command))
      return [{ asked: "Secret", keys: `${secretKey}${ENTER}` }];
    if (/vsync (share|keystore) import /.test(command) && !command.includes("--passphrase-file"))
      return [{ asked: "Passphrase of", keys: `${words}${ENTER}` }];
    const [, name] = /vsync set \S+ (\w+)$/.exec(command) ?? [];
    return name === undefined ? [] : [{ asked: name, keys: `postgres://db.example/typed${ENTER}` }];
  });
}

/** Files that are made to be sent to somebody arrive beside everybody else's clone. */
function handOver({ people }: World, from: string): void {
  const sender = people[from] as Machine;
  const outside = join(sender.repository, "..");
  const sent = readdirSync(outside).filter((name) => /\.(share|keys)$|-words$/.test(name));
  for (const [name, { repository }] of Object.entries(people)) {
    if (name === from) continue;
    for (const file of sent) copyFileSync(join(outside, file), join(repository, "..", file));
  }
}
