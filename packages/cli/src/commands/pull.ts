// `vsync pull <env>`: brings a version from the bucket into the vault folder.

import type { Context, Said } from "../context.ts";
import { type OlderVersionInput, readOldPassphrase } from "../keys/old-passphrase.ts";
import { countChanges, formatChanges, formatFiles } from "../vault/changes.ts";
import { withEnvironment } from "../vault/environment.ts";
import type { PullResult, PullInput as VaultPullInput } from "../vault/pull.ts";

export interface PullInput extends Omit<VaultPullInput, "oldPassphrase">, OlderVersionInput {}

export async function pull(context: Context, input: PullInput): Promise<PullResult> {
  const oldPassphrase = await readOldPassphrase(context, input);
  const load = () => import("../vault/pull.ts");
  const { dryRun } = context.flags;
  return await withEnvironment(
    context,
    input.env,
    async (environment) => await (await load()).pullVault(environment, { ...input, oldPassphrase }, dryRun),
    { readsManifest: true, writesRow: !dryRun && input.audit !== false, load },
  );
}

export function describePull(result: PullResult): Said {
  const { env, updated, generation, timestamp, files, bytes, backup } = result;
  const at = `generation ${generation} (${timestamp})`;
  const count = countChanges(result);
  if (!updated && count === 0) return { notes: [`${env} is at ${at} already`] };
  const what = formatChanges(result);
  if (!updated) return { notes: [`would bring ${env} to ${at}: ${what}`] };
  const notes = [`${env} is at ${at}: ${formatFiles(files, bytes)}`, what];
  if (backup !== null)
    notes.push(
      `what was there before is kept, encrypted, in ${backup}; to look into it: vsync backup diff ${env}`,
    );
  return { notes };
}
