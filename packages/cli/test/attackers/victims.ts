// What attackers attack: an environment at generation 3 beside another one, a writer in step with it, and applications with
// a token of now and one of the beginning. Every command tries its work on the same state, and says what came of it.

import { cpSync, mkdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { openWith } from "@muthuishere/vsync-s3-client";
import { type ObjectStore, openStore, type StoreLocation } from "@vsync/store";
import { afterAll } from "vitest";
import type { TestS3 } from "../../../../test/s3-server.ts";
import { toCliError } from "../../src/cli-error.ts";
import { audit } from "../../src/commands/audit.ts";
import { doctor } from "../../src/commands/doctor.ts";
import { init } from "../../src/commands/init.ts";
import { pull } from "../../src/commands/pull.ts";
import { push } from "../../src/commands/push.ts";
import { restore } from "../../src/commands/restore.ts";
import { runtimeToken } from "../../src/commands/runtime-token.ts";
import { status } from "../../src/commands/status.ts";
import { versions } from "../../src/commands/versions.ts";
import { openKeystore } from "../../src/keys/keystore.ts";
import { makeWorkplace, type Workplace } from "../workplace.ts";

export interface Kept {
  readonly body: Uint8Array;
  readonly metadata: Readonly<Record<string, string>>;
}

/** Objects by key. */
export type Objects = ReadonlyMap<string, Kept>;

export const PROD = "acme_shop/prod/";
export const DEV = "acme_shop/dev/";

/** As the attacker has it: keys begin with those of environments, wherever in the bucket they are. */
export type AttackedBucket = Pick<ObjectStore, "get" | "put" | "delete" | "list">;

/** The attacker has the bucket and what it held before. */
export type Attack = (reach: Pick<Victims, "bucket" | "states">) => Promise<void>;

export interface Victims {
  readonly place: Workplace;
  readonly bucket: AttackedBucket;
  /** Of prod, as its seals have it. */
  readonly prefix: string;
  /** The bucket after each generation of prod; the last one is what attacks begin with. */
  readonly states: readonly Objects[];
  /** Of an application that was deployed now, and of one deployed at generation 1. */
  readonly token: string;
  readonly oldToken: string;
  readonly passphrase: string;
  /** Puts bucket and machine back to how they were. */
  reset(): Promise<void>;
  /** What each of these says, each on the attacked state itself. */
  outcomes(attack: Attack): Promise<Outcomes>;
}

export const COMMANDS = [
  "open",
  "open, old token",
  "status",
  "versions",
  "audit --verify",
  "pull",
  "push",
  "push --force",
  "restore",
] as const;
/** Those that leave bucket and machine as they are, and can come one after the other. */
const LOOKING: ReadonlySet<string> = new Set(COMMANDS.slice(1, 5));
export type Outcomes = Readonly<Record<(typeof COMMANDS)[number], string>>;

/** In a folder, or below a prefix on S3. For a whole file: they are put back to how they were before each attack. */
export async function makeVictims(s3?: TestS3): Promise<Victims> {
  const place = makeWorkplace("https://git.example/acme/shop.git", (remove) => afterAll(remove));
  const location: StoreLocation = s3?.location ?? {
    ...place.bucket,
    region: "",
    accessKeyId: "",
    secretAccessKey: "",
  };
  const { endpoint, region, bucket: name, accessKeyId: accessKey, secretAccessKey: stdin } = location;
  const there = s3 && { region, prefix: `${s3.prefix}acme_shop`, accessKey, secretKeyFile: "-" };
  for (const env of ["prod", "dev"]) {
    const input = { env, endpoint, bucket: name, ...there, iterations: 100_000 };
    await init(place.context({ stdin }), input);
  }
  const store = await openStore(location);
  afterAll(() => store.close());
  const bucket = below(s3?.prefix ?? "", store);
  const states: Objects[] = [];
  const tokens: string[] = [];
  for (const value of ["1", "2", "3"]) {
    for (const env of ["dev", "prod"]) {
      edit(place, env, `${env} ${value}`);
      await push(place.context(), { env });
    }
    tokens.push((await runtimeToken(place.context(), { env: "prod" })).config);
    states.push(await copyOf(bucket));
  }
  const keystore = await openKeystore(place.context().host);
  const passphrase = (await keystore.get("acme_shop/prod")) as string;
  const kept = join(place.folder, "kept");
  // The folders themselves are kept: the state names them by inode, and a copy must not get that of one that is gone.
  mkdirSync(kept);
  for (const part of ["home", "shop"]) renameSync(join(place.folder, part), join(kept, part));
  const reset = async (): Promise<void> => {
    await putBack(bucket, states.at(-1) as Objects);
    for (const part of ["home", "shop"]) {
      rmSync(join(place.folder, part), { recursive: true, force: true });
      cpSync(join(kept, part), join(place.folder, part), { recursive: true, preserveTimestamps: true });
    }
  };
  await reset();
  const victims = {
    place,
    bucket,
    prefix: `${s3?.prefix ?? ""}${PROD}`,
    states,
    token: tokens[2] as string,
    oldToken: tokens[0] as string,
    passphrase,
  };
  return {
    ...victims,
    reset,
    async outcomes(attack) {
      const said: [string, string][] = [];
      for (const command of COMMANDS) {
        if (!LOOKING.has(command)) {
          await reset();
          await attack(victims);
        }
        said.push([command, await outcomeOf(() => run(victims, command))]);
      }
      return Object.fromEntries(said) as Outcomes;
    },
  };
}

async function run(
  { place, token, oldToken, passphrase }: Omit<Victims, "reset" | "outcomes">,
  command: (typeof COMMANDS)[number],
): Promise<string> {
  const context = place.context();
  switch (command) {
    case "open":
      return await openAs(token, passphrase);
    case "open, old token":
      return await openAs(oldToken, passphrase);
    case "pull":
      return `generation ${(await pull(context, { env: "prod", force: true })).generation}`;
    case "push":
    case "push --force": {
      edit(place, "prod", "prod 4");
      const { generation } = await push(context, { env: "prod", force: command === "push --force" });
      return `publishes ${generation}`;
    }
    case "status": {
      const { environments } = await status(context, { remote: true });
      const found = environments.find(({ env }) => env === "prod")?.bucket;
      return found?.state === "problem" ? found.code : (found?.state ?? "nothing");
    }
    case "versions": {
      const { versions: found, ended } = await versions(context, { env: "prod" });
      return `lists ${found.length}${ended === null ? "" : ", and says where it ends"}`;
    }
    case "restore":
      return `publishes ${(await restore(context, { env: "prod", version: "previous" })).generation}`;
    case "audit --verify":
      return (await audit(context, { env: "prod", verify: true })).findings?.length === 0 ? "holds" : "?";
  }
}

export async function openAs(config: string, passphrase: string): Promise<string> {
  const vault = await openWith({ config, passphrase }).catch((error: { code: string }) => error.code);
  if (typeof vault === "string") return vault;
  const said = `${vault.getEnv("VALUE")}, generation ${vault.generation()}`;
  await vault.close();
  return said;
}

export async function outcomeOf(work: () => Promise<string>): Promise<string> {
  try {
    return await work();
  } catch (error) {
    return toCliError(error).code;
  }
}

/** What doctor says of the environment that is not `ok`. */
export async function doctorsComplaints({ place }: Victims): Promise<string[]> {
  const { checks } = await doctor(place.context(), { env: "prod" });
  return checks
    .filter(({ level, name }) => level !== "ok" && name.startsWith("prod:"))
    .map(({ name }) => name);
}

export function edit({ root }: Workplace, env: string, value: string): void {
  const folder = join(root, "infra/vault", env);
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, `.env.${env}`), `VALUE='${value}'\n`, { mode: 0o600 });
}

/** The part of a store whose keys begin so, without that beginning. */
function below(prefix: string, store: ObjectStore): AttackedBucket {
  return {
    get: (key) => store.get(prefix + key),
    put: (key, body, options) => store.put(prefix + key, body, options),
    delete: (key) => store.delete(prefix + key),
    async *list(start) {
      for await (const found of store.list(prefix + start)) {
        yield { ...found, key: found.key.slice(prefix.length) };
      }
    },
  };
}

async function copyOf(bucket: AttackedBucket): Promise<Objects> {
  const objects = new Map<string, Kept>();
  for await (const { key } of bucket.list("")) {
    const found = await bucket.get(key);
    if (found !== null) objects.set(key, { body: found.body, metadata: found.metadata });
  }
  return objects;
}

/** Makes the bucket hold these objects and no others. */
export async function putBack(bucket: AttackedBucket, objects: Objects): Promise<void> {
  for await (const { key } of bucket.list("")) if (!objects.has(key)) await bucket.delete(key);
  for (const [key, { body, metadata }] of objects) await bucket.put(key, body, { metadata });
}
