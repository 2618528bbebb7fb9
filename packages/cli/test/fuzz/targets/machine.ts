// What a writer's machine keeps, and what is typed there: JSON files, configuration, names, arguments.

import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { CommanderError } from "commander";
import fc from "fast-check";
import { stateOfProcess } from "../../../../store/src/process-name.ts";
import { CliError } from "../../../src/cli-error.ts";
import { loadEnvConfig, saveEnvConfig } from "../../../src/config/env-config.ts";
import { envConfigPath, profilesFolder } from "../../../src/config/paths.ts";
import { ensurePrivateDir } from "../../../src/config/private-file.ts";
import { loadProfile, saveProfile } from "../../../src/config/profiles.ts";
import { openRecord } from "../../../src/fanout/record.ts";
import { nodeHost } from "../../../src/host.ts";
import { findRepository, normaliseName, parseOrigin } from "../../../src/identity/repository.ts";
import { buildProgram } from "../../../src/program.ts";
import { visible } from "../../../src/terminal.ts";
import { usageError } from "../../../src/usage-error.ts";
import { loadLedger, saveLedger } from "../../../src/vault/ledger.ts";
import { loadPending, savePending } from "../../../src/vault/pending.ts";
import { statePaths } from "../../../src/vault/state-paths.ts";
import { gzip, json } from "../sealing.ts";
import { bytes, endsIn, type Inputs, JSON_SYNTAX, must, STEERS, type Target, text } from "../target.ts";

const home = mkdtempSync(join(tmpdir(), "vsync-fuzz-home-"));
process.on("exit", () => rmSync(home, { recursive: true, force: true }));
// No git and no keychain is asked: a file beside the folder says which repository it is.
const host = {
  ...nodeHost(),
  env: { XDG_CONFIG_HOME: join(home, "config"), XDG_STATE_HOME: join(home, "state") },
  homedir: home,
  cwd: join(home, "work"),
};
const paths = statePaths(join(home, "state", "vsync", "shop", "prod"));
const profile = join(profilesFolder(host), "p.json");
const envConfig = envConfigPath(host, "shop", "prod");
const marker = join(host.cwd, ".vsync");
for (const file of [paths.ledger, profile, envConfig, marker]) ensurePrivateDir(dirname(file));

const WORDS = [...JSON_SYNTAX, "-1", "1e999", '"version":2', "\0"];

const files = [{ name: ".env", size: 3, mtimeNs: "1", ctimeNs: "2", inode: "3" }];
const synced = {
  timestamp: "20260102-030405",
  generation: 3,
  operation: "push",
  folder: { path: "/a", inode: "1:2" },
  recordedAt: 5,
  files,
};
const ledger = {
  version: 1,
  sealed: true,
  highest: { generation: 3, writeId: "00", timestamp: "20260102-030405" },
  waivedMinGen: 0,
  auditChain: null,
  synced,
};
const pending = {
  version: 1,
  operation: "push",
  timestamp: "20260102-030405",
  generation: 3,
  writeId: "00",
  baseEtag: null,
  previousTimestamp: "",
  manifestMetadata: { gen: "3" },
  synced,
  audit: { action: "push", meta: { id: "00" } },
};
const sent = {
  version: 1,
  places: { "github acme/shop": { names: ["A"], inlineFileSuffixes: [], excludeProperties: [] } },
};
const config = {
  version: 1,
  s3: {
    endpoint: "https://s3.example",
    region: "r",
    bucket: "b",
    accessKeyId: "a",
    secretAccessKey: "s",
    useSsl: true,
  },
  encryption: { salt: "0123456789", iterations: 600000 },
  prefix: "",
  files: { vaultFolder: "infra/vault/prod" },
  audit: { enabled: true },
};
const stored = {
  version: 1,
  endpoint: "https://s3.example",
  region: "r",
  bucket: "b",
  accessKeyId: "a",
  secretAccessKey: "s",
};

const anyJson = fc.json({ maxDepth: 5 }).map(bytes);

function jsonInputs(example: Readonly<Record<string, unknown>>, wraps: Inputs["wraps"] = []): Inputs {
  const fields = Object.fromEntries(
    Object.entries(example).map(([name, value]) => [
      name,
      fc.oneof(
        { weight: 8, arbitrary: fc.constant(value) },
        { weight: 1, arbitrary: fc.jsonValue({ maxDepth: 3 }) },
      ),
    ]),
  );
  return {
    inner: [json(example)],
    made: fc.oneof({ weight: 4, arbitrary: fc.record(fields).map(json) }, { weight: 1, arbitrary: anyJson }),
    wraps,
    words: WORDS,
  };
}

/** A file that is read, written as it was read, and read the same again; or one that is refused with what to do. */
function file<T>(
  name: string,
  path: string,
  inputs: Inputs,
  load: () => T | null,
  save: (value: T) => void,
): Target {
  return {
    name,
    inputs,
    feed: (input) =>
      endsIn([CliError], () => {
        writeFileSync(path, input, { mode: 0o600 });
        const loaded = load();
        if (loaded === null) return "none";
        save(loaded);
        must(show(load()) === show(loaded), "saving and loading it again gives something else");
        return "loaded";
      }),
  };
}

/** As JSON, maps and sets as lists. */
function show(value: unknown): string {
  return JSON.stringify(value, (_key, field) =>
    field instanceof Map || field instanceof Set ? [...field] : field,
  );
}

const program = buildProgram(async () => undefined);
function quiet(command: typeof program): void {
  command.exitOverride().configureOutput({ writeOut: () => undefined, writeErr: () => undefined });
  for (const child of command.commands) quiet(child);
}
quiet(program);
const flags = program.commands.flatMap((command) => [
  command.name(),
  ...command.options.map(({ long }) => long ?? ""),
]);
const argument = fc.oneof(
  fc.constantFrom(
    ...flags,
    "prod",
    "dev",
    "a=b",
    "=b",
    "a=",
    "-",
    "--",
    "7d",
    "0",
    "1e3",
    "-5",
    "__proto__=x",
  ),
  fc.string({ maxLength: 8 }),
);

export const MACHINE: readonly Target[] = [
  file(
    "ledger",
    paths.ledger,
    jsonInputs(ledger),
    () => loadLedger(paths),
    (value) => saveLedger(paths, value),
  ),
  file(
    "pending publish",
    paths.pending,
    jsonInputs(pending),
    () => loadPending(paths),
    (value) => savePending(paths, value, new Uint8Array(1)),
  ),
  file(
    "record of what was sent",
    paths.fannedOut,
    jsonInputs(sent),
    () => openRecord(paths, "github acme/shop").names,
    () => openRecord(paths, "github acme/shop").begin({ inlineFileSuffixes: [], excludeProperties: [] }),
  ),
  file(
    "profile",
    profile,
    jsonInputs(stored),
    () => loadProfile(host, "p"),
    (value) => saveProfile(host, "p", value),
  ),
  file(
    "environment's config",
    envConfig,
    jsonInputs(config, [gzip]),
    () => loadEnvConfig(host, "shop", "prod"),
    (value) => saveEnvConfig(host, "shop", "prod", value),
  ),
  {
    name: "repository's name",
    inputs: {
      inner: [
        "repo=shop\n",
        "repo = acme_shop",
        "git@git.example:acme/shop.git",
        "https://user:pw@git.example:8443/a/b/c.git",
        "file:///srv/x.git",
        "C:\\x\\y",
      ].map(bytes),
      words: ["repo", "=", "\n", " ", "/", ":", "@", "..", ".git", "://", "con", "\\", "-"],
      maxBytes: 4096,
    },
    feed: (input) =>
      endsIn([CliError], () => {
        writeFileSync(marker, input);
        const given = text(input);
        const { address } = parseOrigin(given);
        // What a URL says before its host is a password as often as not.
        const [, secret] = /^https:\/\/[^/@:]*:([^/@]{4,})@[^/:@]+\/.+$/.exec(given) ?? [];
        must(secret === undefined || !address.includes(secret), "a password in the origin");
        const { name } = findRepository(host, "shop");
        must(normaliseName(name) === name && /^[a-z0-9][a-z0-9._]*$/.test(name), "a name that is none");
        return `named ${name === "shop"}`;
      }),
  },
  {
    name: "process's name",
    inputs: {
      inner: [bytes(`${process.pid}.1.0123456789abcdef`), bytes("99999.12.0123456789abcdef")],
      words: [".", "0", "9999999999", "-1"],
      maxBytes: 256,
    },
    feed: (input) => String(stateOfProcess(text(input))),
  },
  {
    name: "arguments",
    inputs: {
      inner: [
        '["push","prod","--meta","a=b"]',
        '["rotate-passphrase","prod","--grace","7d"]',
        '["run","dev","--","npm","start"]',
      ].map(bytes),
      made: fc.array(argument, { maxLength: 7 }).map(json),
      words: ["--", "-", "=", '","', "--meta", "--help", "__proto__", "\\u0000"],
      maxBytes: 400,
    },
    feed: (input) =>
      endsIn([CliError], async () => {
        let args: unknown;
        try {
          args = JSON.parse(text(input));
        } catch {
          return "none";
        }
        if (!Array.isArray(args) || !args.every((arg) => typeof arg === "string")) return "none";
        try {
          await program.parseAsync(args, { from: "user" });
        } catch (error) {
          throw error instanceof CommanderError ? usageError(error, program) : error;
        }
        return `understood ${args[0]}`;
      }),
  },
  {
    name: "text for a terminal",
    inputs: {
      inner: [
        "plain",
        "\u001b[31mred",
        "\u001b]8;;http://x\u0007",
        "\u001b]52;c;QQ==\u0007",
        "\r",
        "\u202e",
        "\u2028",
      ].map(bytes),
      made: fc.string({ unit: "binary", maxLength: 60 }).map(bytes),
      words: ["\u001b[", "\u001b]", "\u0007", "\u009b", "\u200f", "\u2066", "\r", "\b"],
      maxBytes: 4096,
    },
    feed: (input) => {
      const shown = visible(text(input));
      must(!STEERS.test(shown), "something that a terminal obeys");
      return String(shown === text(input));
    },
  },
];
