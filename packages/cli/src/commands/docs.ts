// `vsync docs [topic]`: the runbooks for providers, from the package itself.

import { readdirSync, readFileSync } from "node:fs";
import { CliError } from "../cli-error.ts";
import type { Said } from "../context.ts";
import { formatTable, visible } from "../terminal.ts";

export interface DocsResult {
  /** Null: the list. */
  readonly topic: string | null;
  /** Markdown; the list is one line for each topic. */
  readonly text: string;
}

// The build puts the documents beside the code; in a checkout they are where they are written.
const FOLDERS = [
  new URL("./docs/", import.meta.url),
  new URL("../../../../docs/providers/", import.meta.url),
];

export async function docs({ topic }: { readonly topic?: string }): Promise<DocsResult> {
  const folder = FOLDERS.find(isThere);
  if (folder === undefined)
    throw new CliError(
      "LOCAL_IO",
      "the documents are not beside this installation",
      "npm install -g @muthuishere/vsync",
    );
  const topics = readdirSync(folder)
    .flatMap((file) => /^(.+)\.md$/.exec(file)?.[1] ?? [])
    .sort();
  const read = (name: string): string => readFileSync(new URL(`${name}.md`, folder), "utf8").trimEnd();
  if (topic === undefined) {
    const titles = topics.map((name) => [name, /^# (.*)/.exec(read(name))?.[1] ?? ""]);
    return { topic: null, text: formatTable(["topic", ""], titles) };
  }
  if (topics.includes(topic)) return { topic, text: read(topic) };
  throw new CliError(
    "USAGE",
    `there is no topic "${visible(topic)}"`,
    `vsync docs   lists them: ${topics.join(", ")}`,
  );
}

export function describeDocs({ topic, text }: DocsResult): Said {
  return { out: text, notes: topic === null ? ["to read one: vsync docs <topic>"] : [] };
}

function isThere(folder: URL): boolean {
  try {
    return readdirSync(folder).length > 0;
  } catch {
    return false;
  }
}
