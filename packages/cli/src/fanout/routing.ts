// Where an environment's values go on each platform: from flags, else as saved in its config. docs/formats.md section 9.

import { CliError } from "../cli-error.ts";
import type { EnvConfig } from "../config/env-config.ts";
import type { Context } from "../context.ts";
import { visible } from "../terminal.ts";
import type { Platform, Target } from "./platform.ts";

/** Whose values go where. */
export interface Sender {
  readonly repo: string;
  readonly env: string;
  readonly config: EnvConfig;
  readonly platform: Platform;
  readonly target: Target;
}

/** By the fields' keys. */
export type Routing = Readonly<Record<string, string>>;

/** What the command line says, for every target. */
export interface RoutingFlags {
  readonly ghRepo?: string;
  readonly ghEnvironment?: string;
  readonly gcpProject?: string;
  readonly gcpLocations?: string;
  readonly awsRegion?: string;
  readonly awsProfile?: string;
  readonly awsPrefix?: string;
  readonly azureVault?: string;
  readonly azureUnderscores?: string;
  readonly vaultAddress?: string;
  readonly vaultNamespace?: string;
  readonly vaultMount?: string;
  readonly vaultPath?: string;
}

export interface RoutingField {
  /** In the config. */
  readonly key: string;
  readonly input: keyof RoutingFlags;
  /** `--gh-repo <owner/name>` */
  readonly flag: string;
  /** For people: `GitHub repository`. */
  readonly what: string;
  readonly form: RegExp;
  readonly required: boolean;
  /** Stands in where nothing is given or saved. */
  readonly variable?: string;
}

/**
 * The routing flags, all of them together, take the place of what is saved: a part of each would be a third place that
 * nobody named.
 */
export async function chooseRouting(
  context: Context,
  { platform, target, config }: Sender,
  flags: RoutingFlags,
): Promise<Routing> {
  refuseForeignFlags(platform, target, flags);
  const given = platform.fields.some(({ input }) => flags[input] !== undefined);
  const saved = savedRouting(config, platform, target);
  if (!given && saved !== null) return saved;
  const entries: [string, string][] = [];
  for (const field of platform.fields) {
    const value = flags[field.input] ?? (await fallback(context, field));
    if (value === null) continue;
    if (!field.form.test(value)) {
      throw new CliError(
        "INPUT",
        `"${visible(value)}" cannot be the ${field.what}`,
        `give another: ${field.flag}`,
      );
    }
    entries.push([field.key, value]);
  }
  return Object.fromEntries(entries);
}

/** Null when none is saved, or none that this release could use. */
export function savedRouting({ sync }: EnvConfig, { fields }: Platform, target: Target): Routing | null {
  const saved = isRecord(sync) ? sync[target] : undefined;
  if (!isRecord(saved)) return null;
  // It may have come with a share: what becomes an argument of a command is held to its form each time.
  const sound = fields.every(({ key, form, required }) => {
    const value = saved[key];
    return value === undefined ? !required : typeof value === "string" && form.test(value);
  });
  const strings = Object.entries(saved).filter(([, value]) => typeof value === "string");
  return sound ? (Object.fromEntries(strings) as Routing) : null;
}

/** The config with this routing saved in it. */
export function withRouting(config: EnvConfig, target: Target, routing: Routing): EnvConfig {
  return { ...config, sync: { ...(isRecord(config.sync) ? config.sync : {}), [target]: routing } };
}

function refuseForeignFlags({ fields }: Platform, target: Target, flags: RoutingFlags): void {
  const own = new Set<string>(fields.map(({ input }) => input));
  const foreign = Object.entries(flags).find(([name, value]) => value !== undefined && !own.has(name));
  if (foreign === undefined) return;
  const flag = `--${foreign[0].replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
  throw new CliError("USAGE", `${flag} is not for ${target}`, "leave it out");
}

async function fallback({ host, terminal }: Context, field: RoutingField): Promise<string | null> {
  const { what, flag, form, required, variable } = field;
  const found = variable === undefined ? undefined : host.env[variable];
  if (found) return found;
  if (!required) return null;
  if (terminal.interactive) {
    return await terminal.ask(what, {
      problem: (answer) => (form.test(answer) ? null : `that cannot be the ${what}`),
    });
  }
  throw new CliError("INPUT", `no ${what} was given, and none is saved`, `the same command with ${flag}`);
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
