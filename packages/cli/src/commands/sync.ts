// `vsync sync <env> <target>`: sends the values of the vault folder to where a platform keeps its secrets, through that
// platform's own command, on its standard input.

import { parseEnv, scalarsFile, type VaultFiles } from "@vsync/envelope";
import { type AuditInput, auditIntent } from "../audit/intent.ts";
import { CliError } from "../cli-error.ts";
import type { Context, Said } from "../context.ts";
import { makeChanges, type Outcome, reachDestination, whileLooking } from "../fanout/fan-out.ts";
import { agree, placeDoubt, policyDoubt, rememberPlace } from "../fanout/place.ts";
import { type Extra, makePlan, type Plan, prepareValues } from "../fanout/plan.ts";
import type { Change, Destination, Platform, Target } from "../fanout/platform.ts";
import { type FannedOut, openRecord } from "../fanout/record.ts";
import { chooseRouting, type Routing, type RoutingFlags, type Sender } from "../fanout/routing.ts";
import { type Policy, type Selection, selectValues } from "../fanout/selection.ts";
import { visible } from "../terminal.ts";
import { type Environment, withEnvironment } from "../vault/environment.ts";
import { locateVault } from "../vault/local-vault.ts";
import type { Located } from "../vault/located.ts";
import type { AuditIntent } from "../vault/pending.ts";
import { isPushDue, readScalars } from "../vault/scalars.ts";
import { readStanding } from "../vault/standing.ts";
import { listVault, readVault, syncedHere } from "../vault/vault-folder.ts";

export interface SyncInput extends AuditInput, RoutingFlags {
  readonly env: string;
  readonly target: Target;
  readonly inlineFileSuffix?: readonly string[];
  readonly excludeProperty?: readonly string[];
  /** Removes what vsync put there and the vault does not have any more. */
  readonly prune?: boolean;
}

/** Names as the platform has them; with --dry-run what would be done. */
export interface SyncResult {
  readonly env: string;
  readonly target: Target;
  readonly destination: string;
  readonly dryRun: boolean;
  readonly policy: Policy;
  /** Names of the vault that the policy left out. */
  readonly excluded: readonly string[];
  readonly created: readonly string[];
  readonly updated: readonly string[];
  readonly removed: readonly string[];
  readonly same: readonly string[];
  /** There, but not in the vault. */
  readonly extra: readonly Extra[];
}

interface Run {
  readonly context: Context;
  readonly input: SyncInput;
  readonly located: Located;
  readonly sender: Sender;
  readonly policy: Policy;
}

interface Sight {
  readonly destination: Destination;
  readonly selection: Selection;
  readonly record: FannedOut;
  readonly plan: Plan;
}

const PLATFORMS: Readonly<Record<Target, () => Promise<Platform>>> = {
  gh: async () => (await import("../fanout/github.ts")).github,
  gcp: async () => (await import("../fanout/google.ts")).google,
  aws: async () => (await import("../fanout/amazon.ts")).amazon,
  azure: async () => (await import("../fanout/azure.ts")).azure,
  vault: async () => (await import("../fanout/hashicorp.ts")).hashicorp,
};

export async function sync(context: Context, input: SyncInput): Promise<SyncResult> {
  const { env, target } = input;
  const policy = checkPolicy(input);
  const platform = await PLATFORMS[target]();
  requireStdin(context, platform);
  const located = await locateVault(context, env);
  const { config, repository } = located;
  const sender: Sender = { repo: repository.name, env, config, platform, target };
  const run: Run = { context, input, located, sender, policy };
  const routing = await chooseRouting(context, sender, ownFlags(input));
  announce(run, routing);
  if (context.flags.dryRun) return await preview(run, routing);
  return await withEnvironment(context, env, (environment) => carryOut(run, routing, environment));
}

export function describeSync({
  dryRun,
  destination,
  created,
  updated,
  removed,
  same,
  extra,
}: SyncResult): Said {
  const list = (word: string, names: readonly string[]) => names.map((name) => `${word}  ${visible(name)}`);
  const lines = [
    ...list("create", created),
    ...list("update", updated),
    ...list("remove", removed),
    ...(dryRun ? list("same  ", same) : []),
    ...(dryRun ? list("extra ", namesOf(extra)) : []),
  ];
  const prunable = namesOf(extra.filter(({ ours }) => ours));
  const count = `${created.length} created, ${updated.length} updated, ${removed.length} removed, ${same.length} the same`;
  const notes = [dryRun ? `(a plan: nothing was sent to ${destination})` : `${destination}: ${count}`];
  if (prunable.length > 0) {
    const names = prunable.map(visible).join(", ");
    notes.push(`put there by vsync, and not in the vault any more: ${names}; to remove: --prune`);
  }
  return { ...(lines.length > 0 && { out: lines.join("\n") }), notes };
}

async function preview(run: Run, routing: Routing): Promise<SyncResult> {
  const sight = await look(run, routing);
  for (const doubt of doubtsAbout(run, sight)) run.context.terminal.warn(doubt);
  return toResult(run, sight, sight.plan.changes);
}

async function carryOut(run: Run, routing: Routing, environment: Environment): Promise<SyncResult> {
  const { context, input, sender } = run;
  const intent = auditIntent(environment, "sync", input);
  const sight = await look(run, routing);
  const { destination, record, plan } = sight;
  await agree(context, doubtsAbout(run, sight));
  rememberPlace(context, sender, destination.routing);
  record.begin(run.policy);
  context.terminal.step(3, 3, `sending ${plan.changes.length} changes`);
  const outcome = await makeChanges(context, sender.platform, destination, plan.changes, record);
  if (intent !== null && plan.changes.length > 0) await audit(run, environment, intent, destination, outcome);
  const result = toResult(run, sight, outcome.done);
  if (outcome.failed.length > 0) throw incomplete(result, outcome);
  return result;
}

/** Refuses what cannot be sent, then asks the platform, and changes nothing. */
async function look({ context, input, located, sender, policy }: Run, routing: Routing): Promise<Sight> {
  const { terminal } = context;
  const { platform, target } = sender;
  const { pairs, files } = readValues(located, policy);
  const selection = selectValues(pairs, files, policy);
  for (const name of selection.unknownExclusions) {
    terminal.warn(`--exclude-property ${visible(name)}: the vault has no such name`);
  }
  const prepared = prepareValues(platform, routing, selection.selected);
  const where = platform.describe(routing);
  terminal.step(1, 3, `looking at ${where}`);
  const destination = await reachDestination(context, platform, routing);
  const record = openRecord(located.paths, `${target} ${destination.id}`);
  terminal.step(2, 3, `comparing ${prepared.length} values`);
  const plan = await whileLooking(platform, where, () =>
    makePlan(platform, destination, prepared, record.names, input.prune === true),
  );
  return { destination, selection, record, plan };
}

function doubtsAbout({ context, sender, policy }: Run, { destination, record }: Sight): string[] {
  const doubts = [placeDoubt(context, sender, destination.routing), policyDoubt(record.policy, policy)];
  return doubts.filter((doubt) => doubt !== null);
}

/** All of one state of the folder where contents of files are needed too. */
function readValues(
  located: Located,
  { inlineFileSuffixes }: Policy,
): { pairs: ReadonlyMap<string, string>; files: VaultFiles } {
  const { pairs } = readScalars(located);
  const listing = inlineFileSuffixes.length > 0 ? listVault(located.vaultFolder) : null;
  if (listing === null) return { pairs, files: new Map() };
  const { files } = readVault(listing);
  const scalars = files.get(scalarsFile(files, located.env) ?? "");
  return { pairs: scalars === undefined ? new Map() : parseEnv(scalars.bytes), files };
}

function checkPolicy({ inlineFileSuffix = [], excludeProperty = [] }: SyncInput): Policy {
  const unfit = inlineFileSuffix.find((suffix) => !/^[\w.-]+$/.test(suffix));
  if (unfit !== undefined) {
    const message = `"${visible(unfit)}" cannot be the end of a name`;
    throw new CliError("USAGE", message, "give letters, digits and _: --inline-file-suffix _FILE");
  }
  return { inlineFileSuffixes: inlineFileSuffix, excludeProperties: excludeProperty };
}

function requireStdin({ host }: Context, { command, opensStdin }: Platform): void {
  if (!opensStdin || host.platform !== "win32") return;
  const message = `on Windows ${command} takes a value from a file or an argument only, where others could read it`;
  throw new CliError("INPUT", message, "run vsync in WSL, or in CI on Linux");
}

function announce({ context, input, located, sender, policy }: Run, routing: Routing): void {
  const { note } = context.terminal;
  const { inlineFileSuffixes, excludeProperties } = policy;
  const suffixes = inlineFileSuffixes.map((suffix) => `*${suffix}`).join(", ");
  note(`to          ${sender.platform.describe(routing)}`);
  note(`from        ${located.config.files.vaultFolder}`);
  note(`file names  ${suffixes === "" ? "sent as they are" : `${suffixes}: the file's content is sent`}`);
  note(`left out    ${excludeProperties.map(visible).join(", ") || "nothing"}`);
  if (input.prune) note("pruning     what vsync put there and the vault has not");
  if (isPushDue(located)) {
    note(`the vault folder may have changes that are not in the bucket yet: vsync push ${input.env}`);
  }
}

function toResult(
  { context, input, sender, policy }: Run,
  { destination, selection, plan }: Sight,
  changes: readonly Change[],
): SyncResult {
  const named = (kind: Change["kind"]) => namesOf(changes.filter((change) => change.kind === kind)).sort();
  return {
    env: input.env,
    target: input.target,
    destination: sender.platform.describe(destination.routing),
    dryRun: context.flags.dryRun,
    policy,
    excluded: selection.excluded,
    created: named("create"),
    updated: named("update"),
    removed: named("remove"),
    same: plan.same,
    extra: plan.extra,
  };
}

/** All is done by now; a bucket that cannot be reached must not make it look otherwise. */
async function audit(
  { context, input, located }: Run,
  environment: Environment,
  intent: AuditIntent,
  { id }: Destination,
  { done, failed }: Outcome,
): Promise<void> {
  try {
    // Nothing is added to a log that somebody else's key may have closed.
    const { ledger } = await readStanding(environment);
    const version = syncedHere(ledger, null, located.vaultFolder) ?? { timestamp: "", generation: 0 };
    const count = (kind: Change["kind"]) => String(done.filter((change) => change.kind === kind).length);
    const counts = { created: count("create"), updated: count("update"), removed: count("remove") };
    const meta = {
      ...intent.meta,
      target: input.target,
      place: id,
      ...counts,
      failed: String(failed.length),
    };
    const edited = isPushDue(located) ? { edited: "true" } : {};
    await environment.writeAuditRow({ ...intent, meta: { ...meta, ...edited } }, version, false);
  } catch (error) {
    context.terminal.warn(`no audit row was written: ${(error as Error).message}`);
  }
}

function incomplete(result: SyncResult, { done, failed }: Outcome): CliError {
  const { destination } = result;
  const names = failed.map(({ name }) => visible(name)).join(", ");
  const details = { ...result, failed };
  const [first] = failed;
  const code = done.length > 0 || first === undefined ? "PARTIAL" : first.code;
  const arrived = `${done.length} of ${done.length + failed.length} changes reached ${destination}`;
  return new CliError(code, `${arrived}; not: ${names}`, "put right what is said above, then run it again", {
    details,
  });
}

function namesOf(items: readonly { readonly name: string }[]): string[] {
  return items.map(({ name }) => name);
}

function ownFlags(input: SyncInput): RoutingFlags {
  const { env, target, inlineFileSuffix, excludeProperty, prune, audit, note, meta, ...flags } = input;
  return flags;
}
