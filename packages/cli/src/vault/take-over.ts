// Publishing under a fresh key over a vault that nobody here can open: `init --take-over`, docs/formats.md section 6,
// "Take-over and loss". The only way to replace a manifest that does not verify.

import { parseTimestamp, readGeneration } from "@vsync/envelope";
import type { StoredObject } from "@vsync/store";
import { auditIntent } from "../audit/intent.ts";
import type { Context } from "../context.ts";
import { recordCommit, requireCommitted } from "./commit.ts";
import { type Environment, withEnvironment } from "./environment.ts";
import { FIRST, publish, type Replaced } from "./publish.ts";
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
  const work = async (environment: Environment): Promise<void> => {
    const { remote, local, vaultFolder, terminal, writeAuditRow } = environment;
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
    const count = read?.files.size ?? 0;
    const what = count === 0 ? "an empty vault" : `${count} ${count === 1 ? "file" : "files"}`;
    terminal.note(`published ${what} as generation ${outcome.pending.generation}`);
  };
  await withEnvironment(context, env, work, { inSetup: true });
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
