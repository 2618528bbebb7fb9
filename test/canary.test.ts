// Secrets are marked, and looked for wherever they have no business: after every command, well ended or not, in what it says, in
// argv and environment of every child, in temporary and state files, in the bucket and in what the server was sent.

import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { startFakeS3 } from "../packages/store/test/fake-s3.ts";
import { hasPrograms } from "./programs.ts";
import {
  beginHunt,
  carelessOpens,
  findEverywhere,
  type Hunt,
  mark,
  openToOthers,
  type TraceOptions,
  traced,
} from "./secret-hunt.ts";

const RUNS = hasPrograms("secrets on their way", ["strace"], "apt-get install strace");
const VALUE = mark();
const CONTENT = mark();
const SHARE_WORDS = mark();
const FOREIGN_PASSPHRASE = mark();
const SECRET_KEY = "the bucket's secret key";

let hunt: Hunt;
const canaries = new Map([
  ["a value of the vault", VALUE],
  ["a file of the vault", CONTENT],
  ["the share's words", SHARE_WORDS],
  ["a passphrase in a variable", FOREIGN_PASSPHRASE],
]);

function mayHold(what: string, where: string): boolean {
  if (where.startsWith(`${hunt.machine.vault}/`)) return what.endsWith("of the vault");
  if (where.startsWith(join(hunt.machine.home, "keystore"))) return what === "the passphrase";
  return what === SECRET_KEY && where.startsWith(join(hunt.machine.home, ".config/vsync/config"));
}

/** `shows`: what it is there to hand over. */
const COMMANDS: readonly (readonly [string[], (TraceOptions & { shows?: string[] })?])[] = [
  [["push", "demo"]],
  [["push", "demo", "--json"]],
  [["status", "--remote", "--json"]],
  [["versions", "demo"]],
  [["audit", "demo", "--verify"]],
  [["diff", "demo", "--remote"]],
  [["pull", "demo", "--backup"]],
  [["restore", "demo", "previous"], { status: 1 }],
  [["runtime-token", "demo"], { shows: [`${SECRET_KEY} in stdout`] }],
  [["share", "export", "demo", "--out", "demo.share", "--passphrase-file", "-"], { input: SHARE_WORDS }],
  [
    ["share", "import", "demo.share", "--passphrase-file", "-", "--json"],
    { input: `${SHARE_WORDS}x`, status: 7 },
  ],
  [["doctor", "demo"], { status: 0 }],
  [["pull", "demo"], { status: 7, env: { VSYNC_PASSPHRASE: FOREIGN_PASSPHRASE } }],
  [["push", "demo", "--json", "--force"], { status: 7, env: { VSYNC_PASSPHRASE: FOREIGN_PASSPHRASE } }],
  [["rotate-passphrase", "demo", "--grace", "1h"]],
];

describe.skipIf(!RUNS)("a marked secret", () => {
  beforeAll(async () => {
    const server = await startFakeS3();
    hunt = await beginHunt(server, mayHold);
    const { machine } = hunt;
    const { endpoint, region, bucket, credentials } = server;
    canaries.set(SECRET_KEY, credentials.secretAccessKey);
    const place = [
      "--endpoint",
      endpoint,
      "--region",
      region,
      "--bucket",
      bucket,
      "--access-key",
      credentials.accessKeyId,
    ];
    await machine.vsync(["init", "demo", "--iterations", "100000", ...place, "--secret-key-file", "-"], {
      input: credentials.secretAccessKey,
    });
    const [keyFile = ""] = readdirSync(join(machine.home, "keystore"));
    canaries.set("the passphrase", readFileSync(join(machine.home, "keystore", keyFile), "utf8").trim());
    mkdirSync(machine.vault, { recursive: true });
    writeFileSync(join(machine.vault, ".env.demo"), `TOKEN=${VALUE}\n`);
    writeFileSync(join(machine.vault, "server.key"), CONTENT);
  });

  afterAll(async () => {
    await hunt?.server.close();
    if (hunt !== undefined) rmSync(hunt.folder, { recursive: true, force: true });
  });

  test.each(COMMANDS.map(([args, options = {}]) => ({ command: args.join(" "), args, options })))(
    "is nowhere after: $command",
    async ({ args, options: { shows = [], ...options } }) => {
      const finished = await traced(hunt, args, options);
      expect(findEverywhere(hunt, canaries, finished)).toEqual(shows);
      expect(readdirSync(hunt.temporary)).toEqual([]);
      expect(carelessOpens(hunt, finished.calls)).toEqual([]);
      expect(openToOthers(hunt)).toEqual([]);
    },
  );
});
