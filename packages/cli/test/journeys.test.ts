// What people do with the command, from beginning to end, typed on terminals, with a folder for a bucket and with one on
// S3; kept in test/transcripts/journey-*.txt, the same words for both.

import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import type { TestS3 } from "../../../test/s3-server.ts";
import { describeWithS3 } from "../../../test/s3-suite.ts";
import { openShop, type Person, read, type Shop, write } from "./shop.ts";
import type { Answer } from "./terminal-session.ts";
import { entry, expectTranscript } from "./transcript.ts";

interface Step {
  readonly status?: number;
  readonly answers?: readonly Answer[];
  /** Variables beside those of the shop. */
  readonly env?: Readonly<Record<string, string>>;
}

interface Journey {
  readonly shop: Shop;
  /** Sets prod up for alice. */
  init(): Promise<void>;
  /** Types a line as somebody; the test fails unless it ends with `status`, which is 0 unless given. */
  as(who: Person, line: string, step?: Step): Promise<string>;
  /** What is handed from one to the other: a file. */
  hand(from: Person, to: Person, file: string): Promise<void>;
  ends(name: string): void;
}

const ENTER = "\r";

interface Bucket {
  /** Flags for `init`, as alice types them. */
  where(shop: Shop): string;
  /** What a screen says of it, as it would of the folder. */
  likeFolder(screen: string): string;
}

const FOLDER: Bucket = {
  where: () => '--endpoint "file://$HOME/../bucket" --bucket shop',
  likeFolder: (screen) => screen,
};

/** A place of its own for each journey. */
function onS3({ location, prefix }: TestS3): Bucket {
  const { endpoint, region, bucket, accessKeyId, secretAccessKey } = location;
  const own = `${prefix}${Math.random()}`;
  return {
    where(shop) {
      write(shop, "alice", "secret-key", secretAccessKey);
      return `--endpoint ${endpoint} --region ${region} --bucket ${bucket} --prefix ${own} --access-key ${accessKeyId} --secret-key-file ../secret-key`;
    },
    likeFolder: (screen) =>
      screen
        .replaceAll(`${endpoint}/${bucket}/${own}`, "file:///home/alice/../bucket/shop/acme_shop")
        .replaceAll(`${endpoint}, bucket ${bucket}`, "folder /home/bucket/shop"),
  };
}

async function begin(bucket: Bucket, people?: readonly Person[]): Promise<Journey> {
  const shop = await openShop(people);
  onTestFinished(() => shop.remove());
  const entries: string[] = [];
  const type = async (
    who: Person,
    line: string,
    { status = 0, answers = [], env = {} }: Step,
    label = line,
  ): Promise<string> => {
    const shown = await shop.type(who, line, { answers, env });
    const screen = bucket.likeFolder(shown.screen);
    entries.push(entry(shop, label, { ...shown, screen }, who));
    expect(shown.status, shown.screen).toBe(status);
    return shown.screen;
  };
  const init = (it: Bucket): string => `vsync init prod ${it.where(shop)} --iterations 100000`;
  return {
    shop,
    async init() {
      await type("alice", init(bucket), {}, init(FOLDER));
    },
    as: (who, line, step = {}) => type(who, line, step),
    async hand(from, to, file) {
      await shop.type(from, `cp ../${file} ../../${to}/${file}`);
    },
    ends: (name) => expectTranscript(`journey-${name}`, entries, bucket === FOLDER),
  };
}

/** What a share's or a key file's passphrase looks like where it is shown. */
function wordsIn(screen: string): string {
  return /[a-z]+(?:-[a-z]+){5}/.exec(screen)?.[0] ?? "";
}

/** A person of the team who has nothing but a share file and six words. */
async function joins(journey: Journey, from: Person, to: Person, screen: string): Promise<void> {
  await journey.hand(from, to, "prod.share");
  await journey.as(to, "vsync share import ../prod.share", {
    answers: [{ asked: "Passphrase of", keys: `${wordsIn(screen)}${ENTER}` }],
  });
  await journey.as(to, "vsync pull prod");
}

function journeys(open: () => Bucket): void {
  test("alone: from nothing to a running application", async () => {
    const { init, as, ends } = await begin(open());
    await init();
    await as("alice", "vsync set prod DATABASE_URL", {
      answers: [{ asked: "DATABASE_URL", keys: `postgres://db.example/shop${ENTER}` }],
    });
    await as("alice", "vsync diff prod");
    await as("alice", 'vsync push prod --note "the first one"');
    await as("alice", "vsync run prod -- sh -c 'echo connecting to $DATABASE_URL'");
    await as("alice", "vsync runtime-token prod --out ../config");
    await as("alice", "vsync passphrase show prod --out ../passphrase");
    await as("alice", "vsync status --remote");
    ends("alone");
  });

  test("two people: a share, a conflict, and both in step", async () => {
    const journey = await begin(open());
    const { init, as, ends } = journey;
    await init();
    await as("alice", "echo one | vsync set prod API_KEY -");
    await as("alice", "vsync push prod");
    await joins(journey, "alice", "bob", await as("alice", "vsync share export prod --out ../prod.share"));
    await as("bob", "vsync get prod API_KEY");
    await as("bob", "echo two | vsync set prod API_KEY -");
    await as("bob", 'vsync push prod --note "a second key"');
    await as("alice", "echo three | vsync set prod API_KEY -");
    await as("alice", "vsync push prod", { status: 5 });
    await as("alice", "vsync pull prod", { status: 6 });
    await as("alice", "vsync pull prod --backup");
    await as("alice", "vsync get prod API_KEY");
    await as("alice", "vsync status --remote");
    ends("two-people");
  });

  test("CI without a keychain: variables instead, and clear errors without them", async () => {
    const { shop, init, as, ends } = await begin(open());
    await init();
    await as("alice", "echo one | vsync set prod API_KEY -");
    await as("alice", "vsync push prod");
    await as("alice", "vsync passphrase show prod --out ../passphrase");
    rmSync(join(shop.home("alice"), "keystore"), { recursive: true });
    const CI = { CI: "1" };
    await as("alice", "vsync push prod < /dev/null", { status: 4, env: CI });
    const variables = { ...CI, VSYNC_PASSPHRASE: read(shop, "alice", "passphrase").trim() };
    await as("alice", "vsync check prod --schema infra/vault/prod/.env.prod < /dev/null", { env: variables });
    await as("alice", "vsync run prod --remote -- sh -c 'echo $API_KEY; env | grep -c ^VSYNC_' < /dev/null", {
      env: variables,
      status: 1, // grep's, which found none
    });
    await as("alice", "vsync set prod API_KEY < /dev/null", { env: variables, status: 1 });
    await as("alice", "echo two | vsync set prod API_KEY - && vsync push prod --json < /dev/null", {
      env: variables,
    });
    ends("ci");
  });

  test("a new laptop: every environment by one file, and in step at once", async () => {
    const { init, as, hand, ends } = await begin(open(), ["alice", "laptop"]);
    await init();
    await as("alice", "echo one | vsync set prod API_KEY -");
    await as("alice", "vsync push prod");
    const screen = await as("alice", "vsync keystore export --all --out ../keys");
    await hand("alice", "laptop", "keys");
    await as("laptop", "vsync status");
    await as("laptop", "vsync keystore import ../keys", {
      answers: [{ asked: "Passphrase of", keys: `${wordsIn(screen)}${ENTER}` }],
    });
    await as("laptop", "vsync pull prod");
    await as("laptop", "vsync get prod API_KEY");
    await as("laptop", "echo two | vsync set prod API_KEY - && vsync push prod");
    await as("laptop", "vsync status --remote");
    ends("new-laptop");
  });

  test("somebody leaves: rotation, a new share, and the old key opens nothing new", async () => {
    const journey = await begin(open());
    const { init, as, ends } = journey;
    await init();
    await as("alice", "echo one | vsync set prod API_KEY -");
    await as("alice", "vsync push prod");
    await joins(journey, "alice", "bob", await as("alice", "vsync share export prod --out ../prod.share"));
    await as("alice", "vsync rotate-passphrase prod");
    await as("alice", "echo two | vsync set prod API_KEY -");
    await as("alice", "vsync push prod");
    await as("bob", "vsync pull prod", { status: 7 });
    await as("bob", "vsync share import ../prod.share", {
      status: 7,
      answers: [{ asked: "Passphrase of", keys: `not-the-six-words-of-it${ENTER}` }],
    });
    await as("alice", "rm ../prod.share");
    await joins(journey, "alice", "bob", await as("alice", "vsync share export prod --out ../prod.share"));
    await as("bob", "vsync get prod API_KEY");
    await as("alice", "vsync audit prod --verify");
    ends("somebody-leaves");
  });

  test("a wrong push, and the way back", async () => {
    const { shop, init, as, ends } = await begin(open());
    await init();
    await as("alice", "echo one | vsync set prod API_KEY -");
    await as("alice", "vsync push prod");
    writeFileSync(join(shop.home("alice"), "shop/infra/vault/prod/.env.prod"), "API_KEY=oops\n");
    await as("alice", 'vsync push prod --note "late at night"');
    await as("alice", "vsync versions prod --key API_KEY");
    await as("alice", "vsync diff prod --version previous --reveal");
    await as("alice", 'vsync restore prod previous --note "back to the key that works"');
    await as("alice", "vsync pull prod");
    await as("alice", "vsync get prod API_KEY");
    await as("alice", "vsync versions prod");
    ends("wrong-push");
  });
}

describe("on a folder", () => journeys(() => FOLDER));
describeWithS3("on the S3 server", (s3) => journeys(() => onS3(s3)));
