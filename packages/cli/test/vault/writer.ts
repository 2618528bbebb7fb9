// A writer on a machine of its own: vault folder and state in a temporary folder, and any store for a bucket.

import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import {
  expandKeys,
  judgeManifest,
  openBundle,
  parseTimestamp,
  readAuditLog,
  type VaultKeys,
} from "@vsync/envelope";
import type { ObjectStore } from "@vsync/store";
import { onTestFinished } from "vitest";
import type { Actor } from "../../src/audit/append.ts";
import { rowWriter } from "../../src/audit/write-row.ts";
import type { EnvConfig } from "../../src/config/env-config.ts";
import type { Environment } from "../../src/vault/environment.ts";
import { type PullInput, type PullResult, pullVault } from "../../src/vault/pull.ts";
import { type PushInput, type PushResult, pushVault } from "../../src/vault/push.ts";
import { openReadAhead } from "../../src/vault/read-ahead.ts";
import { recoverEarlierWork } from "../../src/vault/recover.ts";
import { expectManifest } from "../../src/vault/remote.ts";
import { statePaths } from "../../src/vault/state-paths.ts";

export const PREFIX = "shop/demo/";
export const KEYS: VaultKeys = await expandKeys(new Uint8Array(32).fill(7));
export const OTHER_KEYS: VaultKeys = await expandKeys(new Uint8Array(32).fill(8));

/** A clock that stands still until it is set. */
export interface Clock {
  nowMs: number;
}

export interface WriterOptions {
  readonly store: ObjectStore;
  readonly clock: Clock;
  readonly name?: string;
  readonly keys?: VaultKeys;
  /** Right after a rotation: the keys before it. */
  readonly former?: VaultKeys;
  readonly config?: Partial<EnvConfig>;
  /** Of the machine it says it runs on. */
  readonly platform?: NodeJS.Platform;
}

export interface Writer {
  readonly name: string;
  /** Holds `vault` and `state`. */
  readonly folder: string;
  readonly environment: Environment;
  readonly notes: string[];
  readonly warnings: string[];
  /** Each as the command of that name does it: earlier work is settled first. */
  push(input?: Partial<PushInput>): Promise<PushResult>;
  pull(input?: Partial<PullInput>): Promise<PullResult>;
  /** Any other command. */
  recover(): Promise<void>;
  edit(files: Readonly<Record<string, string | null>>): void;
  /** What the vault folder holds, or null when there is none. */
  vault(): Record<string, string> | null;
  /** The same machine with another connection to the bucket: the next process. */
  restarted(store: ObjectStore): Writer;
}

// In memory where that can be had: nobody pulls the plug here, and a thousand pushes need not wait for a disk.
const TEMPORARY = existsSync("/dev/shm") ? "/dev/shm" : tmpdir();

export function temporaryFolder(): string {
  const folder = realpathSync(mkdtempSync(join(TEMPORARY, "vsync-vault-")));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

export function makeWriter(options: WriterOptions, folder: string = temporaryFolder()): Writer {
  const { store, clock, name = "ann", keys = KEYS, former, config } = options;
  const readAhead = openReadAhead(store);
  const state = join(folder, "state");
  mkdirSync(state, { recursive: true, mode: 0o700 });
  const vaultFolder = join(folder, "vault");
  const paths = statePaths(state);
  const notes: string[] = [];
  const warnings: string[] = [];
  const singleWriter = config?.singleWriter === true;
  const remote = { store, keys, prefix: PREFIX, env: "demo", singleWriter, readAhead };
  const actor: Actor = {
    hostname: name,
    localIp: "",
    osUser: name,
    gitEmail: `${name}@example.org`,
    vsyncVersion: "0",
    runtime: "test",
  };
  const environment: Environment = {
    config: { ...CONFIG, ...config },
    vaultFolder,
    remote,
    local: {
      paths,
      platform: options.platform ?? "linux",
      now: () => clock.nowMs,
      random: (size) => crypto.getRandomValues(new Uint8Array(size)),
    },
    terminal: {
      step: () => undefined,
      note: (text) => void notes.push(text),
      warn: (text) => void warnings.push(text),
    },
    writeAuditRow: rowWriter({ ...remote, ...(former && { former }) }, paths, {
      actor: () => actor,
      now: () => clock.nowMs,
      pause: async () => undefined,
      warn: (text) => void warnings.push(text),
    }),
  };
  const settled = async <T>(work: () => Promise<T>): Promise<T> => {
    if (!existsSync(paths.pending)) expectManifest(readAhead, PREFIX);
    await recoverEarlierWork(environment);
    return await work();
  };
  return {
    name,
    folder,
    environment,
    notes,
    warnings,
    push: (input) => settled(() => pushVault(environment, { env: "demo", ...input })),
    pull: (input) => settled(() => pullVault(environment, { env: "demo", ...input })),
    recover: () => settled(async () => undefined),
    edit: (files) => edit(vaultFolder, files),
    vault: () => readFolder(vaultFolder),
    restarted: (next) => makeWriter({ store: next, clock, name, keys, ...(config && { config }) }, folder),
  };
}

export interface PublishedVersion {
  readonly timestamp: string;
  readonly generation: number;
  readonly files: Record<string, string>;
}

/**
 * The history from the manifest back to its beginning, newest first. Throws when the bucket breaks a promise: a
 * manifest that does not verify, a bundle that is missing, altered or does not open, a generation left out.
 */
export async function readHistory(store: ObjectStore, keys: VaultKeys = KEYS): Promise<PublishedVersion[]> {
  const manifest = await store.get(`${PREFIX}manifest`);
  if (manifest === null) return [];
  const verdict = await judgeManifest(keys, PREFIX, manifest, 0);
  if (verdict.kind !== "verified") throw new Error(`the manifest's seal: ${verdict.kind}`);
  let { timestamp, generation, sha256 } = verdict.manifest as {
    timestamp: string;
    generation: number;
    sha256?: string;
  };
  const history: PublishedVersion[] = [];
  for (;;) {
    const bundle = await store.get(`${PREFIX}v=${timestamp}`);
    if (bundle === null) throw new Error(`bundle ${timestamp} is missing`);
    if (bundle.metadata.gen !== String(generation))
      throw new Error(`${timestamp} is not generation ${generation}`);
    const expected = { timestamp, sealed: true, ...(sha256 !== undefined && { sha256 }) };
    const files = await openBundle(keys, bundle.body, expected);
    history.push({ timestamp, generation, files: toText(files) });
    const previous = bundle.metadata["prev-ts"] ?? "";
    if (previous === "") break;
    if (parseTimestamp(previous) === null || previous >= timestamp)
      throw new Error(`${timestamp} follows ${previous}`);
    timestamp = previous;
    generation--;
    sha256 = undefined;
  }
  if (generation !== 1) throw new Error(`the history begins with generation ${generation}`);
  return history;
}

/** The audit log's rows; throws when its chain does not hold. */
export async function readAudit(
  store: ObjectStore,
  keys: VaultKeys = KEYS,
): Promise<{ action: string; version_ts: string; meta: string }[]> {
  const found = await store.get(`${PREFIX}audit.csv`);
  if (found === null) return [];
  const log = await readAuditLog(keys, found.body);
  if (log === null || log.firstBadRow !== null) throw new Error("the audit chain does not hold");
  return [...log.rows];
}

/** The error that a promise ends in. */
export async function failureOf(
  promise: Promise<unknown>,
): Promise<{ code: string; message: string; hint: string }> {
  try {
    await promise;
  } catch (error) {
    return error as { code: string; message: string; hint: string };
  }
  throw new Error("it succeeded");
}

const CONFIG: EnvConfig = {
  version: 1,
  s3: {
    endpoint: "https://s3.example",
    region: "r",
    bucket: "b",
    accessKeyId: "",
    secretAccessKey: "",
    useSsl: true,
  },
  encryption: { salt: "salt-of-the-tests", iterations: 100_000 },
  prefix: PREFIX,
  files: { vaultFolder: "vault" },
  audit: { enabled: true },
};

function edit(folder: string, files: Readonly<Record<string, string | null>>): void {
  mkdirSync(folder, { recursive: true });
  for (const [name, content] of Object.entries(files)) {
    const path = join(folder, name);
    mkdirSync(dirname(path), { recursive: true });
    if (content === null) rmSync(path);
    else writeFileSync(path, content, { mode: 0o600 });
  }
}

function readFolder(folder: string): Record<string, string> | null {
  if (!existsSync(folder)) return null;
  const names = readdirSync(folder, { recursive: true, encoding: "utf8" }).sort();
  const files = names.filter((name) => statSync(join(folder, name)).isFile());
  return Object.fromEntries(files.map((name) => [name, readFileSync(join(folder, name), "utf8")]));
}

function toText(files: ReadonlyMap<string, { bytes: Uint8Array }>): Record<string, string> {
  return Object.fromEntries([...files].map(([name, { bytes }]) => [name, new TextDecoder().decode(bytes)]));
}
