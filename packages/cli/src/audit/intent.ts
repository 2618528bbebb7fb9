// The audit row that a command owes once its work is done.

import { toHex } from "@vsync/envelope";
import { CliError } from "../cli-error.ts";
import type { Environment } from "../vault/environment.ts";
import type { AuditIntent } from "../vault/pending.ts";
import type { AuditAction } from "./actions.ts";

/** What audited commands take from the command line. */
export interface AuditInput {
  readonly audit?: boolean;
  readonly note?: string;
  readonly meta?: Readonly<Record<string, string>>;
}

/** The row that a command owes, or null when none is wanted. */
export function auditIntent(
  { config, local }: Environment,
  action: AuditAction,
  { audit, note, meta }: AuditInput,
): AuditIntent | null {
  const taken = Object.keys(meta ?? {}).find((key) => OWN_META.has(key));
  if (taken !== undefined) {
    const message = `--meta ${taken}=... is a field that vsync writes itself`;
    throw new CliError("USAGE", message, "choose another name for it");
  }
  if (audit === false || !config.audit.enabled) return null;
  return { action, meta: { id: toHex(local.random(8)), ...(note !== undefined && { note }), ...meta } };
}

/** Fields of a row's meta that vsync writes itself. */
export const OWN_META: ReadonlySet<string> = new Set([
  "id",
  "note",
  "prev",
  "prev_sha256",
  "prev_chain",
  "_truncated",
]);
