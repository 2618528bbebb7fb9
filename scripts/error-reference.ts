// Writes docs/errors.md from the tables in the sources: the command's exit codes, and the library's classes with what
// stands above each of them.

import { readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { EXIT_CODES } from "../packages/cli/src/exit-codes.ts";
import * as library from "../packages/s3-client/src/index.ts";

const CLASSES = new URL("../packages/envelope/src/errors.ts", import.meta.url);

/** The whole document. */
export function errorReference(): string {
  return `${[
    "# Errors",
    "<!-- Made by `pnpm reference` from the sources; a test compares the two. -->",
    "Messages say what happened, why, and what to run next. They are for people and may change; codes and exit statuses stay.",
    "## Of the command",
    "The exit status is 0 when it is done. Otherwise (with `--json` the code is in the [document](json.md#which-failure)):",
    table(
      ["status", "code", "means"],
      Object.entries(EXIT_CODES).map(([code, { status, meaning }]) => [`${status}`, `\`${code}\``, meaning]),
    ),
    "`vsync run` ends with the status of the command that it ran ([run](cli.md#run)).",
    "## Of the library",
    "Everything that is thrown on purpose is a `VSyncError` with a `code`, and most have a class of their own. If a whole vault cannot be had, `open` throws; it never goes on with the environment alone.",
    table(["class", "code", "means"], [...exportedClasses(), ...OTHER_CODES]),
  ].join("\n\n")}\n`;
}

/** Those without a class: mistakes of a program, and a runtime that cannot. */
const OTHER_CODES: readonly (readonly string[])[] = [
  [
    "`VSyncError`",
    "`VSYNC_CONTENT_NOT_FOUND`",
    "`getAsContent` was asked for a name that the vault does not have.",
  ],
  ["`VSyncError`", "`VSYNC_CLOSED`", "The handle was used after `close`."],
  [
    "`VSyncError`",
    "`VSYNC_KEY_DERIVATION_REFUSED`",
    "The runtime refuses so many iterations, as Workers do above 100,000.",
  ],
];

function exportedClasses(): string[][] {
  const text = readFileSync(CLASSES, "utf8");
  const declared = text.matchAll(
    /^\/\*\* (.*) \*\/\nexport class (\w+) extends VSyncError \{[^}]*super\("(\w+)"/gm,
  );
  return [...declared]
    .filter(([, , name = ""]) => name in library)
    .map(([, means = "", name, code]) => [`\`${name}\``, `\`${code}\``, means]);
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const lines = [head, head.map(() => "---"), ...rows];
  return lines.map((cells) => `| ${cells.join(" | ")} |`).join("\n");
}

const document = fileURLToPath(new URL("../docs/errors.md", import.meta.url));
if (process.argv[1] === fileURLToPath(import.meta.url)) writeFileSync(document, errorReference());
