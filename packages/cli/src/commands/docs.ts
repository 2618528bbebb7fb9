// `vsync docs [topic]`: the runbooks for providers, from the package itself.

import { installation } from "#installation";
import { CliError } from "../cli-error.ts";
import type { Said } from "../context.ts";
import { didYouMean } from "../nearest.ts";
import { formatTable, visible } from "../terminal.ts";

export interface DocsResult {
  /** Null: the list. */
  readonly topic: string | null;
  /** Markdown; the list is one line for each topic. */
  readonly text: string;
}

export async function docs({ topic }: { readonly topic?: string }): Promise<DocsResult> {
  const documents = installation.readDocuments();
  if (documents.size === 0)
    throw new CliError(
      "LOCAL_IO",
      "the documents are not beside this installation",
      "npm install -g @muthuishere/vsync",
    );
  if (topic === undefined) {
    const titles = [...documents].map(([name, text]) => [name, /^# (.*)/.exec(text)?.[1] ?? ""]);
    return { topic: null, text: formatTable(["topic", ""], titles) };
  }
  const text = documents.get(topic);
  if (text !== undefined) return { topic, text: text.trimEnd() };
  throw new CliError(
    "USAGE",
    `there is no topic "${visible(topic)}"${didYouMean(topic, [...documents.keys()])}`,
    `vsync docs   lists them: ${[...documents.keys()].join(", ")}`,
  );
}

export function describeDocs({ topic, text }: DocsResult): Said {
  return { out: text, advice: topic === null ? ["to read one: vsync docs <topic>"] : [] };
}
