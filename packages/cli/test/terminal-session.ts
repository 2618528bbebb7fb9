// A shell's command line on a real terminal: what somebody types, and what the screen shows in the end.

import { spawn } from "@lydell/node-pty";

/** One answer: when the screen shows `asked`, these keys are typed. */
export interface Answer {
  readonly asked: string;
  readonly keys: string;
}

export interface Shown {
  readonly status: number;
  /** As a terminal without end would have it on its screen. */
  readonly screen: string;
}

export interface Shell {
  readonly cwd: string;
  readonly env: Readonly<Record<string, string>>;
  readonly answers?: readonly Answer[];
  /** Told of everything as it is written, control sequences and all. */
  readonly onWritten?: (written: string) => void;
}

/** Runs the line with sh on a terminal. Ends it, and fails, when an answer is not asked for within a minute. */
export async function typeLine(line: string, { cwd, env, answers = [], onWritten }: Shell): Promise<Shown> {
  const pty = spawn("sh", ["-c", line], {
    cwd,
    env: { ...env },
    cols: 200,
    rows: 60,
    name: "xterm-256color",
  });
  const waiting = [...answers];
  let written = "";
  let from = 0;
  pty.onData((data) => {
    written += data;
    onWritten?.(written);
    const [next] = waiting;
    const at = next === undefined ? -1 : render(written).indexOf(next.asked, from);
    if (next === undefined || at < 0) return;
    from = at + next.asked.length;
    waiting.shift();
    pty.write(next.keys);
  });
  const deadline = setTimeout(() => pty.kill("SIGKILL"), 60_000);
  const status = await new Promise<number>((resolve) => {
    pty.onExit(({ exitCode, signal }) => resolve(signal ? 128 + signal : exitCode));
  });
  clearTimeout(deadline);
  const screen = render(written);
  if (waiting.length > 0) throw new Error(`never asked for ${JSON.stringify(waiting[0]?.asked)}:\n${screen}`);
  return { status, screen };
}

// What @clack/prompts and vsync use: the cursor up, down, left, right and to a column, and erasing.
const ESCAPE = "\u001b";
const CONTROL = new RegExp(
  `${ESCAPE}(?:\\[(?<privately>\\?)?(?<count>\\d*)[\\d;]*(?<what>[A-Za-z])|[()][A-Z0-9]|[=>78])`,
  "y",
);

/** The lines that are left on the screen. */
export function render(written: string): string {
  const lines: string[][] = [[]];
  let [row, column] = [0, 0];
  const lineAt = (index: number): string[] => {
    while (lines.length <= index) lines.push([]);
    return lines[index] as string[];
  };
  for (let at = 0; at < written.length; ) {
    CONTROL.lastIndex = at;
    const control = CONTROL.exec(written);
    if (control !== null) {
      at += control[0].length;
      const { privately, count = "", what } = control.groups ?? {};
      if (privately !== undefined) continue;
      const n = Number(count || 1);
      if (what === "A") row = Math.max(0, row - n);
      if (what === "B") row += n;
      if (what === "C") column += n;
      if (what === "D") column = Math.max(0, column - n);
      if (what === "G") column = n - 1;
      if (what === "K") erase(lineAt(row), column, Number(count || 0));
      if (what === "J") {
        lineAt(row).length = Math.min(lineAt(row).length, column);
        lines.length = row + 1;
      }
      continue;
    }
    const character = String.fromCodePoint(written.codePointAt(at) as number);
    at += character.length;
    if (character === "\r") column = 0;
    else if (character === "\n") row++;
    else if (character === "\b") column = Math.max(0, column - 1);
    else if (character >= " ") {
      const line = lineAt(row);
      while (line.length < column) line.push(" ");
      line[column++] = character;
    }
  }
  return lines
    .map((line) => line.join("").trimEnd())
    .join("\n")
    .trimEnd();
}

function erase(line: string[], column: number, how: number): void {
  if (how === 0) line.length = Math.min(line.length, column);
  else line.fill(" ", 0, how === 2 ? line.length : column + 1);
}
