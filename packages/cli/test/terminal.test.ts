import { PassThrough, Writable } from "node:stream";
import { describe, expect, test } from "vitest";
import { CliError } from "../src/cli-error.ts";
import type { Flags } from "../src/context.ts";
import { createTerminal, formatSize, type Terminal, visible } from "../src/terminal.ts";

interface Screen {
  readonly terminal: Terminal;
  out(): string;
  err(): string;
}

function open(options: { tty?: boolean; flags?: Partial<Flags>; env?: Record<string, string> } = {}): Screen {
  const isTTY = options.tty ?? false;
  const texts = { out: "", err: "" };
  const collect = (name: "out" | "err"): PassThrough =>
    Object.assign(new PassThrough(), { isTTY }).on("data", (chunk) => {
      texts[name] += String(chunk);
    });
  const streams = {
    stdin: Object.assign(new PassThrough(), { isTTY }),
    stdout: collect("out"),
    stderr: collect("err"),
  };
  const flags = { json: false, quiet: false, noInput: false, yes: false, dryRun: false, ...options.flags };
  const terminal = createTerminal(streams, options.env ?? {}, flags);
  return { terminal, out: () => texts.out, err: () => texts.err };
}

describe("what comes from outside cannot drive the terminal", () => {
  const hostile: readonly (readonly [string, string, string])[] = [
    ["an escape sequence", "\u001b[2Jgone", "\\x1b[2Jgone"],
    ["a hyperlink (OSC 8)", "\u001b]8;;http://evil\u0007x", "\\x1b]8;;http://evil\\x07x"],
    ["the clipboard (OSC 52)", "\u001b]52;c;aGk=\u001b\\", "\\x1b]52;c;aGk=\\x1b\\"],
    ["a one-byte CSI", "\u009b31m", "\\x9b31m"],
    ["a carriage return", "ok\rno", "ok\\x0dno"],
    ["a backspace", "a\bb", "a\\x08b"],
    ["DEL", "\u007f", "\\x7f"],
    ["NUL", "\0", "\\x00"],
    ["a right-to-left override", "a\u202eb", "a\\u202eb"],
    ["an isolate", "\u2066x\u2069", "\\u2066x\\u2069"],
    ["an Arabic letter mark", "\u061c", "\\u061c"],
    ["a line separator", "\u2028", "\\u2028"],
  ];

  test.each(hostile)("%s in a note, a warning, an error and its hint", (_, text, shown) => {
    const { terminal, err } = open();
    terminal.note(text);
    terminal.warn(text);
    terminal.fail(new CliError("INPUT", text, text));
    expect(err()).toBe(`${shown}\nwarning: ${shown}\nvsync: ${shown}\n  ${shown}\n`);
  });

  test.each(hostile)("%s in data, on a terminal", (_, text, shown) => {
    const { terminal, out } = open({ tty: true });
    terminal.out(text);
    expect(out()).toBe(shown);
  });

  test.each(hostile)("%s in JSON, which still means the same", (_, text) => {
    const { terminal, out } = open({ flags: { json: true } });
    terminal.finish({ text }, {});
    expect(out()).toMatch(/^[\n -~]*$/);
    expect(JSON.parse(out())).toEqual({ text });
  });

  test("a line break or tab in a single value", () => {
    expect(visible("name\nvsync: done\t")).toBe("name\\x0avsync: done\\x09");
  });
});

test("data on a pipe is not touched", () => {
  const { terminal, out } = open();
  terminal.out("a\u001b[1m\r\n\u202e");
  expect(out()).toBe("a\u001b[1m\r\n\u202e");
});

test("ordinary text of any language is not touched", () => {
  const text = "Zürich 東京 👩‍👩‍👧 עברית العربية\ttab\nline";
  const { terminal, err } = open();
  terminal.note(text);
  expect(err()).toBe(`${text}\n`);
});

describe("--json", () => {
  test("puts the result on stdout as one document, and nothing else", () => {
    const { terminal, out, err } = open({ flags: { json: true } });
    terminal.finish({ generation: 3 }, { out: "for people", notes: ["a note"] });
    expect(JSON.parse(out())).toEqual({ generation: 3 });
    expect(err()).toBe("a note\n");
  });

  test("puts a failure on stdout as one document, and nothing else", () => {
    const { terminal, out, err } = open({ flags: { json: true } });
    terminal.fail(new CliError("CONFLICT", "what", "do this"));
    expect(JSON.parse(out())).toEqual({ error: { code: "CONFLICT", message: "what", hint: "do this" } });
    expect(err()).toBe("");
  });
});

test("--quiet silences notes and steps, not warnings and errors", () => {
  const { terminal, out, err } = open({ tty: true, flags: { quiet: true }, env: { NO_COLOR: "1" } });
  terminal.note("note");
  terminal.step(1, 2, "step");
  terminal.progress(2 ** 21, 2 ** 22);
  terminal.warn("warning");
  terminal.finish({}, { out: "data", notes: ["note"] });
  expect([out(), err()]).toEqual(["data\n", "warning: warning\n"]);
});

describe("colour, steps and progress", () => {
  const show = ({ terminal }: Screen): void => {
    terminal.step(2, 4, "encrypting 14 files, 36 KiB");
    terminal.progress(3 * 2 ** 20, 6 * 2 ** 20);
    terminal.warn("careful");
  };

  test("are for terminals", () => {
    const screen = open({ tty: true });
    show(screen);
    expect(screen.err()).toContain("[2/4]\u001b[0m encrypting 14 files, 36 KiB\n");
    expect(screen.err()).toContain("\r      3.0 MiB of 6.0 MiB\u001b[K\n\u001b[33mwarning:");
  });

  test.each<[string, Parameters<typeof open>[0]]>([
    ["without a terminal", {}],
    ["with NO_COLOR", { tty: true, env: { NO_COLOR: "1" } }],
    ["with CI", { tty: true, env: { CI: "true" } }],
    ["with --json", { tty: true, flags: { json: true } }],
  ])("are not there %s", (_, options) => {
    const screen = open(options);
    show(screen);
    expect(screen.err()).toBe("warning: careful\n");
  });

  test("bytes that have all moved end their line, once; the next transfer has a line of its own", () => {
    const { terminal, err } = open({ tty: true });
    for (const done of [1, 2, 2]) terminal.progress(done * 2 ** 20, 2 ** 21);
    terminal.note("done");
    terminal.progress(2 ** 21, 2 ** 21);
    const [half, whole] = ["1.0", "2.0"].map((size) => `\r      ${size} MiB of 2.0 MiB\u001b[K`);
    expect(err()).toBe(`${half}${whole}\ndone\n${whole}\n`);
  });

  test("bytes are counted above 1 MiB only", () => {
    const { terminal, err } = open({ tty: true });
    terminal.progress(1, 2 ** 20);
    expect(err()).toBe("");
  });
});

describe("questions", () => {
  test.each<[string, Parameters<typeof open>[0]]>([
    ["without a terminal", {}],
    ["with --no-input", { tty: true, flags: { noInput: true } }],
  ])("%s are errors", async (_, options) => {
    const { terminal } = open(options);
    expect(terminal.interactive).toBe(false);
    await expect(terminal.ask("Bucket")).rejects.toMatchObject({ code: "INPUT" });
    await expect(terminal.askSecret("Key")).rejects.toMatchObject({ code: "INPUT" });
    await expect(terminal.confirm("Sure?")).rejects.toMatchObject({ code: "INPUT" });
  });

  test("--yes answers a confirmation", async () => {
    await expect(open({ flags: { yes: true } }).terminal.confirm("Sure?")).resolves.toBe(true);
  });
});

describe("flush", () => {
  const broken = (code: string): Terminal => {
    const stdout = new Writable({
      write: (_chunk, _encoding, done) => done(Object.assign(new Error(code), { code })),
    });
    const flags = { json: false, quiet: false, noInput: false, yes: false, dryRun: false };
    return createTerminal({ stdin: new PassThrough(), stdout, stderr: new PassThrough() }, {}, flags);
  };

  test("is silent about a reader that went away", async () => {
    const terminal = broken("EPIPE");
    terminal.out("data");
    await expect(terminal.flush()).resolves.toBeUndefined();
  });

  test("fails when the disk behind stdout is full", async () => {
    const terminal = broken("ENOSPC");
    terminal.out("data");
    await expect(terminal.flush()).rejects.toMatchObject({ code: "LOCAL_IO" });
  });
});

test.each([
  [0, "0 bytes"],
  [1023, "1023 bytes"],
  [36_900, "36 KiB"],
  [1024 ** 2, "1.0 MiB"],
  [1.55 * 1024 ** 2, "1.6 MiB"],
])("%i bytes are shown as %s", (bytes, shown) => {
  expect(formatSize(bytes)).toBe(shown);
});
