// `vsync push <env>`: publishes the vault folder.

import type { Context, Said } from "../context.ts";
import { countChanges, formatChanges, formatFiles } from "../vault/changes.ts";
import { withEnvironment } from "../vault/environment.ts";
import type { PushInput, PushResult } from "../vault/push.ts";

export async function push(context: Context, input: PushInput): Promise<PushResult> {
  const load = () => import("../vault/push.ts");
  const writesRow = !context.flags.dryRun && input.audit !== false;
  return await withEnvironment(
    context,
    input.env,
    async (environment) => await (await load()).pushVault(environment, input, context.flags.dryRun),
    { readsManifest: true, writesRow, load },
  );
}

export function describePush(result: PushResult): Said {
  const { env, published, generation, timestamp, files, bytes, superseded } = result;
  const count = countChanges(result);
  if (!published && count === 0) {
    return {
      notes: [`nothing changed since generation ${generation} (${timestamp}); nothing was published`],
    };
  }
  const what = count === 0 ? "no file differs" : formatChanges(result);
  if (!published) return { notes: [`would publish ${env} as generation ${generation + 1}: ${what}`] };
  const notes = [
    `published ${env} as generation ${generation} (${timestamp}): ${formatFiles(files, bytes)}`,
    what,
  ];
  if (superseded) notes.push(`somebody has published on top of it since: vsync pull ${env}`);
  return { notes };
}
