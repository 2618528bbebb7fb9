// Publishing under a fresh key over a vault that nobody here can open: `init --take-over`, docs/formats.md section 6,
// "Take-over and loss". The only way to replace a manifest that does not verify.

import { parseTimestamp, readGeneration } from "@vsync/envelope";
import type { StoredObject } from "@vsync/store";
import { auditIntent } from "../audit/intent.ts";
import type { Context } from "../context.ts";
import { recordCommit, requireCommitted } from "./commit.ts";
import { withEnvironment } from "./environment.ts";
import { locate } from "./located.ts";
import { loadPending } from "./pending.ts";
import { FIRST, publish, type Replaced } from "./publish.ts";
import { loadFreshKey } from "./put-aside.ts";
import { getManifest } from "./remote.ts";
import { listVault, readVault, recordListing } from "./vault-folder.ts";

const GENERATION_BOUND = 2 ** 40;
/** No clock is wrong by more; what is dated later would date all versions after it. */
const MAX_BELIEVED_AHEAD_MS = 365 * 86_400_000;

/**
 * Publishes the vault folder, empty or not, in place of whatever manifest stands there. Config and key are new already;
 * `onSwapped` is called as soon as the manifest is, or may be, under them.
 */
export async function takeOver(context: Context, env: string, onSwapped: () => void): Promise<void> {
  await withEnvironment(context, env, async (environment) => {
    const { remote, local, vaultFolder, writeAuditRow } = environment;
    const found = await getManifest(remote);
    const listing = listVault(vaultFolder);
    const read = listing === null ? null : readVault(listing);
    const outcome = await publish(remote, local, {
      operation: "take-over",
      files: read?.files ?? new Map(),
      replaces: found === null ? FIRST : withoutTrust(found, local.now()),
      packed: read === null ? null : recordListing(read.listing, local.now()),
      audit: auditIntent(environment, "take-over", {}),
    });
    if (outcome.kind === "committed" || outcome.kind === "unknown") onSwapped();
    await requireCommitted(remote, outcome);
    await recordCommit(local.paths, outcome.pending, writeAuditRow);
  });
}

/**
 * What became of a take-over that an earlier run began: `published`, perhaps only now; `begun`, when config and key are
 * in place and nothing is under them; null: there is none. Throws while the bucket does not tell.
 */
export async function settleTakeOver(
  context: Context,
  env: string,
): Promise<
  { readonly became: "published"; readonly passphraseIn: string } | { readonly became: "begun" } | null
> {
  const { paths } = locate(context, env);
  if (loadPending(paths)?.operation === "take-over") {
    const source = await withEnvironment(context, env, async (_, { recovered, passphrase }) =>
      recovered?.became === "committed" ? passphrase.source : null,
    );
    if (source !== null) return { became: "published", passphraseIn: source };
  }
  return loadFreshKey(paths)?.takeOver ? { became: "begun" } : null;
}

// Nothing in that manifest is authenticated for us: it gives an order to stay in, and no field is carried over.
function withoutTrust({ etag, body, metadata }: StoredObject, nowMs: number): Replaced {
  const timestamp = new TextDecoder().decode(body).trim();
  const generation = readGeneration(metadata);
  const publishedMs = parseTimestamp(timestamp);
  const isBelieved = publishedMs !== null && publishedMs <= nowMs + MAX_BELIEVED_AHEAD_MS;
  return {
    etag,
    timestamp: isBelieved ? timestamp : null,
    generation: generation !== null && generation + 1 < GENERATION_BOUND ? generation : 0,
  };
}
