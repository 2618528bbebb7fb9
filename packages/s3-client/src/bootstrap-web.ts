// The two inputs and the environment where there is no node: module. Some of these runtimes have a process.env.

import { ConfigMissingError } from "@vsync/envelope";
import type { Inputs } from "./inputs.ts";

export function environmentValue(name: string): string | null {
  const { process } = globalThis as { process?: { env?: Record<string, unknown> } };
  const value = process?.env?.[name];
  return typeof value === "string" ? value : null;
}

export async function readInputs(): Promise<Inputs> {
  return { config: readInput("VSYNC_CONFIG"), passphrase: readInput("VSYNC_PASSPHRASE") };
}

function readInput(name: string): string {
  if (environmentValue(`${name}_FILE`) !== null) {
    throw new ConfigMissingError(
      `${name}_FILE is set, and this runtime has no files; set ${name}, or call openWith`,
    );
  }
  const value = environmentValue(name);
  if (value === null) {
    throw new ConfigMissingError(
      `${name} is not set here; get it from your platform's bindings and call openWith`,
    );
  }
  return value;
}
