// A process of writers for the load test: each with a machine of its own, all on one vault.

import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { rowWriter } from "../../packages/cli/src/audit/write-row.ts";
import { toCliError } from "../../packages/cli/src/cli-error.ts";
import type { Environment } from "../../packages/cli/src/vault/environment.ts";
import { pullVault } from "../../packages/cli/src/vault/pull.ts";
import { pushVault } from "../../packages/cli/src/vault/push.ts";
import { recoverEarlierWork } from "../../packages/cli/src/vault/recover.ts";
import { statePaths } from "../../packages/cli/src/vault/state-paths.ts";
import type { VaultKeys } from "../../packages/envelope/src/index.ts";
import { type ObjectStore, openStore } from "../../packages/store/src/index.ts";
import {
  type Acknowledged,
  count,
  ENV,
  FILES,
  keysOf,
  newMark,
  readTask,
  report,
  takeTurns,
} from "./task.ts";

const task = readTask();
const keys = await keysOf(task);
const store = await openStore(task.location);

const acknowledged: Acknowledged[] = [];
const denied: string[] = [];
const publishMs: number[] = [];
const failures: Record<string, number> = {};
let unknown = 0;
let conflicts = 0;
let lostRows = 0;

const machines = new Map<number, Environment>();
for (let number = task.first; number < task.first + task.count; number++) {
  machines.set(number, makeMachine(number, keys, store));
}
await takeTurns(task, async (number) => await publishOne(machines.get(number) as Environment));
await store.close();
report({ acknowledged, denied, unknown, publishMs, conflicts, failures, lostRows });

/** What a person does: pull, edit, push. After a conflict the next turn begins with the pull that it asks for. */
async function publishOne(environment: Environment): Promise<void> {
  const mark = newMark();
  try {
    await recoverEarlierWork(environment);
    if (await isPublished(environment)) await pullVault(environment, { env: ENV, force: true, audit: false });
    for (const name of FILES) write(join(environment.vaultFolder, name), `MARK=${mark}\n`);
    const start = performance.now();
    const { published, timestamp, generation } = await pushVault(environment, { env: ENV });
    publishMs.push(performance.now() - start);
    if (published) acknowledged.push({ timestamp: timestamp as string, generation, mark });
  } catch (error) {
    const { code, message } = toCliError(error);
    if (code === "OUTCOME_UNKNOWN") unknown++;
    else denied.push(mark);
    if (code === "CONFLICT") conflicts++;
    else count(failures, `${code}: ${message}`);
  }
}

async function isPublished({ remote }: Environment): Promise<boolean> {
  return (await remote.store.head(`${remote.prefix}manifest`)) !== null;
}

function makeMachine(number: number, keys: VaultKeys, store: ObjectStore): Environment {
  const folder = join(task.folder, `${number}`);
  const state = join(folder, "state");
  mkdirSync(state, { recursive: true, mode: 0o700 });
  const paths = statePaths(state);
  const remote = { store, keys, prefix: task.prefix, env: ENV, singleWriter: false };
  const warn = (text: string): void => {
    if (text.startsWith("no audit row")) lostRows++;
  };
  return {
    config: {
      version: 1,
      s3: { ...task.location, useSsl: false },
      encryption: { salt: task.salt, iterations: task.iterations },
      prefix: task.prefix,
      files: { vaultFolder: "vault" },
      audit: { enabled: true },
    },
    vaultFolder: join(folder, "vault"),
    remote,
    local: {
      paths,
      platform: process.platform,
      now: Date.now,
      random: (size) => crypto.getRandomValues(new Uint8Array(size)),
    },
    terminal: { step: () => undefined, note: () => undefined, warn },
    writeAuditRow: rowWriter(remote, paths, {
      actor: () => ({
        hostname: `machine-${number}`,
        localIp: "",
        osUser: `writer-${number}`,
        gitEmail: "",
        vsyncVersion: "0",
        runtime: "load",
      }),
      now: Date.now,
      pause: (atMostMs) => delay(Math.random() * atMostMs),
      warn,
    }),
  };
}

function write(path: string, text: string): void {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  writeFileSync(path, text, { mode: 0o600 });
}
