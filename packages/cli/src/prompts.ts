// The questions, asked on stderr through @clack/prompts; loaded only when there is somebody to ask.

import * as clack from "@clack/prompts";
import { CliError } from "./cli-error.ts";
import type { AskOptions, Choice, Streams } from "./terminal.ts";

export async function ask(
  streams: Streams,
  message: string,
  { initial, problem }: AskOptions,
): Promise<string> {
  const answer = await clack.text({
    ...common(streams),
    message,
    ...(initial === undefined ? {} : { placeholder: initial, defaultValue: initial }),
    validate: (value) => problem?.(value || (initial ?? "")) ?? undefined,
  });
  return answered(answer);
}

export async function askSecret(streams: Streams, message: string): Promise<string> {
  return answered(await clack.password({ ...common(streams), message }));
}

export async function confirm(streams: Streams, message: string): Promise<boolean> {
  return answered(await clack.confirm({ ...common(streams), message, initialValue: false }));
}

export async function choose<T extends string>(
  streams: Streams,
  message: string,
  choices: readonly Choice<T>[],
): Promise<T> {
  const options = choices.map(({ value, label }) => ({ value: value as string, label }));
  return answered(await clack.select({ ...common(streams), message, options })) as T;
}

function common({ stdin, stderr }: Streams): { input: Streams["stdin"]; output: Streams["stderr"] } {
  return { input: stdin, output: stderr };
}

function answered<T>(answer: T): Exclude<T, symbol> {
  if (typeof answer === "symbol") throw new CliError("INTERRUPTED", "interrupted; nothing was changed", "");
  return answer as Exclude<T, symbol>;
}
