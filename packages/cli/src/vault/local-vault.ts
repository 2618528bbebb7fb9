// The vault folder for commands that otherwise ask neither the keystore nor the bucket.

import { existsSync } from "node:fs";
import type { Context } from "../context.ts";
import { type Located, locate } from "./located.ts";

/** As locate, but a pull that a crash interrupted is settled first: the vault folder may lie aside. */
export async function locateVault(context: Context, env: string): Promise<Located> {
  const located = locate(context, env);
  if (existsSync(located.paths.swap)) {
    const { withEnvironment } = await import("./environment.ts");
    await withEnvironment(context, env, async () => undefined);
  }
  return located;
}
