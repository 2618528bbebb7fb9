// `vsync status`: am I in step with the team, and is anything broken? Looks, and changes nothing.

import { configuredEnvs } from "../config/env-config.ts";
import { knownRepositories } from "../config/known-repositories.ts";
import type { Context, Said } from "../context.ts";
import { findRepository } from "../identity/repository.ts";
import { examineEnvironment, type Subject } from "../status/examine.ts";
import { type KeyAccess, openKeyAccess } from "../status/key-access.ts";
import type { BucketState, EnvironmentStatus, Finding, FolderState } from "../status/status-types.ts";
import { formatAge, formatTable, visible } from "../terminal.ts";
import { countChanges } from "../vault/changes.ts";

export interface StatusInput {
  /** Asks the buckets too. */
  readonly remote?: boolean;
  /** Every repository on this machine. */
  readonly all?: boolean;
}

export interface StatusResult {
  /** The repository around the current folder; null with `all` where there is none. */
  readonly repo: string | null;
  readonly root: string | null;
  readonly environments: readonly EnvironmentStatus[];
  /** Of environments and of the machine, the broken ones first. */
  readonly findings: readonly Finding[];
  readonly remote: boolean;
  /** Every environment is clean and equal to its bucket; null when the buckets were not asked. */
  readonly inStep: boolean | null;
}

export async function status(
  context: Context,
  { remote = false, all = false }: StatusInput,
): Promise<StatusResult> {
  const { host, flags } = context;
  const here = findHere(context, all);
  const subjects: Subject[] = all
    ? knownRepositories(host).flatMap(({ repo, envs }) =>
        envs.map((env) => ({ repo, env, root: repo === here?.name ? here.root : null })),
      )
    : configuredEnvs(host, here?.name ?? "").map((env) => ({
        repo: here?.name ?? "",
        env,
        root: here?.root ?? null,
      }));
  const access = await openKeyAccess(context);
  const environments: EnvironmentStatus[] = [];
  if (remote) {
    environments.push(
      ...(await Promise.all(subjects.map((subject) => examineEnvironment(context, subject, access, true)))),
    );
  } else {
    for (const subject of subjects)
      environments.push(await examineEnvironment(context, subject, access, false));
  }
  const ofMachine = [
    ...aboutKeystore(context, access),
    ...(await keysWithoutConfig(context, access, all ? null : (here?.name ?? null))),
    ...keystoreProblem(access),
  ];
  const findings = [...environments.flatMap((environment) => environment.findings), ...ofMachine].sort(
    (a, b) => Number(b.level === "broken") - Number(a.level === "broken"),
  );
  const inStep = remote
    ? environments.every(({ folder, bucket }) => folder.state === "clean" && bucket?.state === "in-step")
    : null;
  return {
    repo: here?.name ?? flags.repo ?? null,
    root: here?.root ?? null,
    environments,
    findings,
    remote,
    inStep,
  };
}

export function describeStatus(result: StatusResult, nowMs: number): Said {
  const { repo, root, environments, findings, remote } = result;
  const title = repo === null ? "this machine" : `${visible(repo)}   ${visible(root ?? "")}`.trimEnd();
  return {
    out: [
      title,
      "",
      environments.length === 0
        ? "no environment is set up here: vsync init <env>, or with a teammate's share: vsync share import <file>"
        : tableOf(environments, repo, remote, nowMs),
      "",
      ...findings.map(describeFinding),
      ...(findings.length > 0 ? [""] : []),
      verdict(result),
    ].join("\n"),
  };
}

function tableOf(
  environments: readonly EnvironmentStatus[],
  repo: string | null,
  remote: boolean,
  nowMs: number,
): string {
  const isMixed = environments.some((environment) => environment.repo !== repo);
  const headings = ["environment", "vault folder", "gen", "synced", ...(remote ? ["bucket"] : []), "next"];
  const rows = environments.map(({ repo, env, folder, synced, bucket, next }) => [
    isMixed ? `${repo}/${env}` : env,
    describeFolder(folder),
    synced === null ? "-" : String(synced.generation),
    synced === null ? "never" : `${formatAge(nowMs - Date.parse(synced.at))} ago`,
    ...(remote ? [describeBucket(bucket, nowMs)] : []),
    next ?? "",
  ]);
  return formatTable(headings, rows);
}

function describeFolder(folder: FolderState): string {
  switch (folder.state) {
    case "clean":
      return "clean";
    case "missing":
      return "no vault";
    case "never-synced":
      return "never synced";
    case "changed":
      return `changed ${countChanges(folder.changes)}`;
    case "unknown":
      return `unknown: ${folder.why}`;
  }
}

function describeBucket(bucket: BucketState | null, nowMs: number): string {
  switch (bucket?.state) {
    case "in-step":
      return "in step";
    case "empty":
      return "nothing pushed";
    case "manifest-gone":
      return "manifest gone";
    case "behind": {
      const { by, publisher } = bucket;
      const who = publisher && `: ${publisher.who}, ${formatAge(nowMs - Date.parse(publisher.when))} ago`;
      return `behind by ${by}${who ?? ""}`;
    }
    case "problem":
      return PROBLEMS[bucket.code] ?? "not usable";
    case undefined:
      return "not asked";
  }
}

const PROBLEMS: Readonly<Partial<Record<string, string>>> = {
  UNREACHABLE: "unreachable",
  ACCESS_DENIED: "access denied",
  WRONG_PASSPHRASE: "another passphrase",
  ROLLBACK: "rolled back",
  CORRUPT: "damaged",
  NOT_CONFIGURED: "not set up",
};

function describeFinding({ level, about, problem, fix }: Finding): string {
  const subject = about === null ? "" : `${visible(about)}: `;
  return `${level === "broken" ? "!" : "-"} ${subject}${visible(problem)}${fix === "" ? "" : `\n    ${visible(fix)}`}`;
}

function verdict({ environments, findings, inStep }: StatusResult): string {
  const broken = findings.filter(({ level }) => level === "broken").length;
  const first =
    broken === 0 ? "nothing is broken" : `${broken} thing${broken === 1 ? " needs" : "s need"} mending (!)`;
  if (environments.length === 0) return first;
  if (inStep === null) return `${first}; whether the team is ahead, the bucket tells: vsync status --remote`;
  const isUnknown = environments.some(({ bucket }) => bucket?.state === "problem");
  const team = inStep
    ? "in step with the team"
    : isUnknown
      ? "in step with the team or not, no bucket has told of all"
      : "not in step with the team";
  return `${team}; ${first}`;
}

function findHere(
  { host, flags }: Context,
  all: boolean,
): { readonly name: string; readonly root: string } | null {
  try {
    return findRepository(host, flags.repo);
  } catch (error) {
    if (all) return null; // the current folder has no part in it
    throw error;
  }
}

function aboutKeystore({ host }: Context, { fromVariables, description }: KeyAccess): Finding[] {
  if (fromVariables || !host.env.VSYNC_KEYSTORE) return [];
  const problem = `passphrases lie in the clear in ${description}: your programs, backups and whoever takes the disk can read them`;
  return [{ level: "note", about: null, problem, fix: "where there is a keychain: unset VSYNC_KEYSTORE" }];
}

function keystoreProblem(access: KeyAccess): Finding[] {
  const problem = access.problem();
  return problem === null
    ? []
    : [{ level: "broken", about: null, problem: problem.message, fix: problem.hint }];
}

async function keysWithoutConfig(
  { host }: Context,
  access: KeyAccess,
  repo: string | null,
): Promise<Finding[]> {
  const accounts = (await access.accounts()) ?? [];
  return accounts.flatMap((account): Finding[] => {
    const [, name = "", env = ""] = /^([^/#]+)\/([^/#]+)$/.exec(account) ?? [];
    if (env === "" || (repo !== null && name !== repo) || configuredEnvs(host, name).includes(env)) return [];
    const problem = `${access.description} holds its passphrase, but there is no config for it on this machine`;
    return [{ level: "note", about: account, problem, fix: "vsync share import <file>" }];
  });
}
