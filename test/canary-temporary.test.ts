// Temporary AWS credentials are marked: their session token belongs into one header of each request, and nowhere else but
// in a runtime token that was asked to hold it.

import { mkdirSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { EXIT_CODES } from "../packages/cli/src/exit-codes.ts";
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

const RUNS = hasPrograms("temporary credentials on their way", ["strace"], "apt-get install strace");
const { INPUT, ACCESS_DENIED } = EXIT_CODES;
const [TOKEN, EXPIRED] = [mark(), mark()];
const SECRET_KEY = "the secret key that comes with it";
const HEADER = "x-amz-security-token";

let hunt: Hunt;
const canaries = new Map([
  ["the session token", TOKEN],
  ["an expired token", EXPIRED],
]);

const COMMANDS: readonly (readonly [string[], (TraceOptions & { shows?: string[] })?])[] = [
  [["push", "demo"]],
  [["status", "--remote", "--json"]],
  [["pull", "demo", "--backup"]],
  [["diff", "demo", "--remote"]],
  [["audit", "demo", "--verify"]],
  [["doctor", "demo"]],
  [["run", "demo", "--", "env"]],
  [["run", "demo", "--remote", "--", "env"]],
  [["runtime-token", "demo"], { status: INPUT.status }],
  [
    ["runtime-token", "demo", "--temporary"],
    { shows: ["the session token in stdout", `${SECRET_KEY} in stdout`] },
  ],
  [["share", "export", "demo", "--out", "demo.share", "--passphrase-file", "-"], { input: mark() }],
  [["keystore", "export", "--all", "--out", "keys", "--passphrase-file", "-"], { input: mark() }],
  [["init", "other", "--bucket", "x", "--endpoint", "http://127.0.0.1:9"], { status: INPUT.status }],
  [["pull", "demo"], { status: ACCESS_DENIED.status, env: { AWS_SESSION_TOKEN: EXPIRED } }],
  [
    ["push", "demo", "--json", "--force"],
    { status: ACCESS_DENIED.status, env: { AWS_SESSION_TOKEN: EXPIRED } },
  ],
  [["rotate-passphrase", "demo"]],
];

describe.skipIf(!RUNS)("a marked session token", () => {
  beforeAll(async () => {
    const server = await startFakeS3({ sessionToken: TOKEN });
    hunt = await beginHunt(server, (_, where) => where === `header ${HEADER}`);
    const { machine } = hunt;
    const { endpoint, region, bucket, credentials } = server;
    canaries.set(SECRET_KEY, credentials.secretAccessKey);
    Object.assign(machine.env, {
      AWS_ACCESS_KEY_ID: credentials.accessKeyId,
      AWS_SECRET_ACCESS_KEY: credentials.secretAccessKey,
      AWS_SESSION_TOKEN: TOKEN,
    });
    const place = ["--endpoint", endpoint, "--region", region, "--bucket", bucket];
    await machine.vsync(["init", "demo", "--iterations", "100000", "--aws-profile", "default", ...place]);
    mkdirSync(machine.vault, { recursive: true });
    writeFileSync(join(machine.vault, ".env.demo"), "A=1\n");
  });

  afterAll(async () => {
    await hunt?.server.close();
    if (hunt !== undefined) rmSync(hunt.folder, { recursive: true, force: true });
  });

  test.each(COMMANDS.map(([args, options = {}]) => ({ command: args.join(" "), args, options })))(
    "is nowhere but in its header after: $command",
    async ({ args, options: { shows = [], ...options } }) => {
      const from = hunt.server.requests.length;
      const finished = await traced(hunt, args, options);
      expect(findEverywhere(hunt, canaries, finished)).toEqual(shows);
      const sent = hunt.server.requests.slice(from).map(({ headers }) => headers[HEADER]);
      expect(new Set(sent)).toEqual(
        new Set(sent.length === 0 ? [] : [options.env?.AWS_SESSION_TOKEN ?? TOKEN]),
      );
      expect(readdirSync(hunt.temporary)).toEqual([]);
      expect(carelessOpens(hunt, finished.calls)).toEqual([]);
      expect(openToOthers(hunt)).toEqual([]);
    },
  );
});
