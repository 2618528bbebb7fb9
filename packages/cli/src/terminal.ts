// The only place that writes to stdout and stderr, and the only one that asks. stdout is data, stderr is for people.
// Everything for people is escaped on its way out, so nothing from a file name, a bucket or a server can move the
// cursor, recolour, or hide what follows.

import type { Readable, Writable } from "node:stream";
import { CliError } from "./cli-error.ts";
import type { Flags, Said } from "./context.ts";

export interface Terminal {
  /** Whether somebody is there to be asked: stdin and stderr are terminals and --no-input was not given. */
  readonly interactive: boolean;
  /** Data, to stdout; escaped only when stdout is a terminal. The caller ends its lines. */
  out(text: string): void;
  /** A line for people; not shown with --quiet. */
  note(text: string): void;
  /** A line for people that --quiet does not silence. */
  warn(text: string): void;
  /** One numbered step of long work: `[2/4] encrypting 14 files, 36 KiB`. Shown only on a terminal. */
  step(index: number, total: number, text: string): void;
  /** Bytes of an upload or a download; shown only on a terminal, and only above 1 MiB. */
  progress(done: number, total: number): void;
  /** The questions. Each needs `interactive`; Ctrl-C restores the echo and throws CliError INTERRUPTED. */
  ask(question: string, options?: AskOptions): Promise<string>;
  askSecret(question: string): Promise<string>;
  confirm(question: string): Promise<boolean>;
  choose<T extends string>(question: string, choices: readonly Choice<T>[]): Promise<T>;
  /** A command's last word: the result as one JSON document with --json, else what it has to say. */
  finish(result: unknown, said: Said): void;
  /** A failure: one JSON document on stdout with --json, else message and hint on stderr. */
  fail(error: CliError): void;
  /** Waits until everything written is out; throws when stdout could not take it (a full disk, say). */
  flush(): Promise<void>;
}

export interface AskOptions {
  /** What an empty answer means. */
  readonly initial?: string;
  /** Says what is wrong with an answer; null when it is fine. */
  readonly problem?: (answer: string) => string | null;
}

export interface Choice<T extends string> {
  readonly value: T;
  readonly label: string;
}

export interface Streams {
  readonly stdin: Readable & { readonly isTTY?: boolean };
  readonly stdout: Writable & { readonly isTTY?: boolean };
  readonly stderr: Writable & { readonly isTTY?: boolean };
}

const PROGRESS_FROM = 1024 * 1024;

export function createTerminal(
  streams: Streams,
  env: Readonly<Record<string, string | undefined>>,
  flags: Flags,
): Terminal {
  const { stdout, stderr } = streams;
  // Asked for when it is needed: Node opens stdin at the first touch, which most runs can do without.
  const isInteractive = (): boolean =>
    streams.stdin.isTTY === true && stderr.isTTY === true && !flags.noInput;
  const lively = stderr.isTTY === true && !flags.json && !env.NO_COLOR && !env.CI;
  let outFailure: Error | null = null;
  let shownPercent = -1;
  /** Progress has left the cursor at the end of its line. */
  let isMidLine = false;

  // A reader that went away (`vsync versions | head -1`) has had what it wanted; anything else is a failure.
  stdout.on("error", (error: NodeJS.ErrnoException) => {
    if (error.code !== "EPIPE") outFailure ??= error;
  });
  stderr.on("error", () => undefined);

  const paint = (code: number, text: string): string => (lively ? `\u001b[${code}m${text}\u001b[0m` : text);
  const people = (text: string): void => {
    stderr.write(isMidLine ? `\n${text}` : text);
    isMidLine = false;
    shownPercent = -1;
  };
  const warn = (text: string): void => people(`${paint(33, "warning:")} ${escapeText(text)}\n`);
  const note = (text: string): void => {
    if (!flags.quiet) people(`${escapeText(text)}\n`);
  };
  const out = (text: string): void => void stdout.write(stdout.isTTY === true ? escapeText(text) : text);
  const prompts = async (question: string): Promise<typeof import("./prompts.ts")> => {
    if (!isInteractive())
      throw new CliError("INPUT", `no terminal to ask "${question}" on`, "vsync <command> --help");
    return await import("./prompts.ts");
  };

  return {
    get interactive() {
      return isInteractive();
    },
    out,
    note,
    warn,
    step(index, total, text) {
      if (lively && !flags.quiet) people(`${paint(2, `[${index}/${total}]`)} ${escapeText(text)}\n`);
    },
    progress(done, total) {
      if (!lively || flags.quiet || total <= PROGRESS_FROM) return;
      const percent = Math.floor((done / total) * 100);
      if (percent === shownPercent) return;
      shownPercent = percent;
      isMidLine = done < total;
      stderr.write(`\r      ${formatSize(done)} of ${formatSize(total)}\u001b[K${isMidLine ? "" : "\n"}`);
    },
    async ask(question, options = {}) {
      return (await prompts(question)).ask(streams, escapeText(question), options);
    },
    async askSecret(question) {
      return (await prompts(question)).askSecret(streams, escapeText(question));
    },
    async confirm(question) {
      if (flags.yes) return true;
      return (await prompts(question)).confirm(streams, escapeText(question));
    },
    async choose(question, choices) {
      return (await prompts(question)).choose(streams, escapeText(question), choices);
    },
    finish(result, said) {
      if (flags.json) stdout.write(`${toJson(result)}\n`);
      else if (said.out !== undefined) out(`${said.out}\n`);
      for (const line of said.notes ?? []) note(line);
      if (stdout.isTTY === true) for (const line of said.advice ?? []) note(line);
    },
    fail(error) {
      const { code, message, hint, details } = error;
      if (flags.json)
        stdout.write(
          `${toJson({ error: { code, message, hint, ...(details !== undefined && { details }) } })}\n`,
        );
      else
        people(
          `${paint(31, "vsync:")} ${escapeText(message)}\n${hint === "" ? "" : `  ${escapeText(hint)}\n`}`,
        );
    },
    async flush() {
      await Promise.all([drained(stdout), drained(stderr)]);
      if (outFailure !== null) {
        throw new CliError("LOCAL_IO", `stdout could not be written: ${outFailure.message}`, "", {
          cause: outFailure,
        });
      }
    },
  };
}

/** For one value from outside within a line: escapes line breaks and tabs too, so that it cannot start a line. */
export function visible(value: string): string {
  return escapeText(value).replace(/[\n\t]/g, escapeCharacter);
}

/** 36 KiB, 1.5 MiB: for people. */
export function formatSize(bytes: number): string {
  if (bytes < 1024) return `${bytes} bytes`;
  const mebibytes = bytes / 1024 ** 2;
  return mebibytes < 1 ? `${Math.round(bytes / 1024)} KiB` : `${mebibytes.toFixed(1)} MiB`;
}

/** `3 minutes`, `2 days`: for people. */
export function formatAge(ms: number): string {
  const units = [
    ["day", 86_400_000],
    ["hour", 3_600_000],
    ["minute", 60_000],
  ] as const;
  const [unit, length] = units.find(([, length]) => ms >= length) ?? ["second", 1000];
  const count = Math.max(0, Math.floor(ms / length));
  return `${count} ${unit}${count === 1 ? "" : "s"}`;
}

/** Columns under their headings, two spaces apart; what comes from outside cannot break a line. */
export function formatTable(headings: readonly string[], rows: readonly (readonly string[])[]): string {
  const cells = [headings, ...rows.map((row) => row.map(visible))];
  const widths = headings.map((_, column) => Math.max(...cells.map((row) => row[column]?.length ?? 0)));
  return cells
    .map((row) =>
      row
        .map((cell, column) => cell.padEnd(widths[column] as number))
        .join("  ")
        .trimEnd(),
    )
    .join("\n");
}

// C0 but for tab and line feed, DEL, C1, and what changes the direction of text or breaks a line.
const UNSAFE = /(?![\t\n])[\p{Cc}\p{Bidi_Control}\u2028\u2029]/gu;

function escapeText(text: string): string {
  return text.replace(UNSAFE, escapeCharacter);
}

function escapeCharacter(character: string): string {
  const code = character.charCodeAt(0);
  return code < 0x100
    ? `\\x${code.toString(16).padStart(2, "0")}`
    : `\\u${code.toString(16).padStart(4, "0")}`;
}

// The same document for every JSON parser, and nothing in it that a terminal would obey.
function toJson(value: unknown): string {
  return JSON.stringify(value, null, 2).replace(
    UNSAFE,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}

async function drained(stream: Writable): Promise<void> {
  // Its callback comes after those of all earlier writes, and with their error if there was one.
  await new Promise<void>((resolve) => stream.write("", () => setImmediate(resolve)));
}
