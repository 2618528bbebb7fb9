// `vsync share export <env>`: config and key for a teammate, in one encrypted file. docs/formats.md section 5.

import { resolve } from "node:path";
import { encodeShare } from "@vsync/envelope";
import { type AuditInput, auditIntent } from "../audit/intent.ts";
import type { EnvConfig } from "../config/env-config.ts";
import { type OwnCredentialsFlags, openedBy, readOwnCredentials } from "../config/own-credentials.ts";
import { writeShareFile } from "../config/share-file.ts";
import type { Context, Said } from "../context.ts";
import { warnIfCommittable } from "../identity/committable.ts";
import { chosenSharePassphrase, generateSharePassphrase } from "../keys/share-passphrase.ts";
import { type Environment, withEnvironment } from "../vault/environment.ts";
import { knownGeneration, loadLedger } from "../vault/ledger.ts";
import type { CurrentVersion } from "../vault/remote.ts";
import { readStanding } from "../vault/standing.ts";

/** The credentials are the teammate's own; without them the share carries those of this machine. */
export interface ShareExportInput extends AuditInput, OwnCredentialsFlags {
  readonly env: string;
  /** `<repo>-<env>.share` in the current folder otherwise. */
  readonly out?: string;
  /** A passphrase for the file, a path or - for standard input; generated otherwise. */
  readonly passphraseFile?: string;
}

export interface ShareExportResult {
  readonly repo: string;
  readonly env: string;
  readonly file: string;
  /** Shown once; null when the user chose it. */
  readonly passphrase: string | null;
  /** Nothing was written. */
  readonly dryRun: boolean;
}

export async function shareExport(context: Context, input: ShareExportInput): Promise<ShareExportResult> {
  const { env } = input;
  const { host, flags } = context;
  const own = await readOwnCredentials(context, input);
  const chosen = await chosenSharePassphrase(context, input.passphraseFile);
  return await withEnvironment(context, env, async (environment, { located, passphrase: key }) => {
    // A share under a passphrase that is no longer in force would lock the teammate out.
    const { current } = await readStanding(environment);
    const repo = located.repository.name;
    const file = resolve(host.cwd, input.out ?? `${repo}-${env}.share`);
    const passphrase = chosen ?? (await generateSharePassphrase(host));
    const config = { ...shareableConfig(environment, current, own) };
    const share = await encodeShare(passphrase, { version: 1, repo, env, config, key: key.text }, (size) =>
      host.random(size),
    );
    if (!flags.dryRun) {
      warnIfCommittable(context, file);
      writeShareFile(file, share);
      const intent = auditIntent(environment, "export", input);
      const { timestamp, generation } = current ?? { timestamp: "", generation: 0 };
      if (intent !== null) await environment.writeAuditRow(intent, { timestamp, generation }, false);
    }
    return { repo, env, file, passphrase: chosen === null ? passphrase : null, dryRun: flags.dryRun };
  });
}

export function describeShareExport({ repo, env, file, passphrase, dryRun }: ShareExportResult): Said {
  if (dryRun) return { notes: [`would write ${repo}/${env} to ${file}`] };
  const notes = [`wrote ${repo}/${env} to ${file} (mode 0600)`];
  if (passphrase !== null) notes.push(`passphrase    ${passphrase}   (shown only now)`);
  notes.push(
    "send the file one way and the passphrase another: who has both can read and write every secret of it",
    "your teammate, in a clone of the repository: vsync share import <file>",
  );
  return { notes };
}

function shareableConfig(
  { config, local }: Environment,
  current: CurrentVersion | null,
  own: { readonly accessKeyId: string; readonly secretAccessKey: string } | null,
): EnvConfig {
  const { initProfile: _mine, ...rest } = config;
  const s3 = own === null ? config.s3 : openedBy(config.s3, own);
  const ledger = loadLedger(local.paths);
  // It would have the teammate insist on a seal that nobody has made yet.
  if (current?.seal === null && !ledger.sealed) return { ...rest, s3 };
  const minGen = Math.max(current?.generation ?? 0, knownGeneration(config, ledger));
  return { ...rest, s3, minGen };
}
