// Every command of README.md, of the command's own README and of the guides, run as it stands there, with a bucket of the
// test's own put in.

import { randomBytes } from "node:crypto";
import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { afterAll, beforeAll, beforeEach, describe, expect, onTestFinished, test } from "vitest";
import { openStore } from "../packages/store/src/index.ts";
import { blocksOf, follow, type World, writeVsync } from "./instructions.ts";
import { type Machine, makeMachine, run } from "./machine.ts";
import { describeWithS3 } from "./s3-suite.ts";

const project = dirname(dirname(fileURLToPath(import.meta.url)));

const GUIDES = readdirSync(join(project, "docs/guides"))
  .filter((name) => name.endsWith(".md"))
  .map((name) => join("docs/guides", name));

/** Those that are about keys for a bucket, which a folder has none of. */
const ON_S3 = ["docs/guides/iam-rotation.md"];

function read(document: string): string {
  return readFileSync(join(project, document), "utf8");
}

/** Three machines with a clone each; nothing of vsync but the command and, for applications, the library. */
async function makeWorld(folder: string): Promise<World> {
  const alice = await makeMachine(join(folder, "alice"));
  const bob = await makeMachine(join(folder, "bob"));
  const ci = await makeMachine(join(folder, "ci"));
  const bin = join(folder, "bin");
  writeVsync(bin, alice.main);
  for (const { repository } of [alice, bob, ci]) {
    const installed = join(repository, "node_modules/@muthuishere");
    mkdirSync(installed, { recursive: true });
    symlinkSync(join(project, "packages/s3-client"), join(installed, "vsync-s3-client"));
  }
  return { people: { alice, bob, ci }, bin, own: new Map(), secretKey: "" };
}

function temporaryFolder(): string {
  return realpathSync(mkdtempSync(join(tmpdir(), "vsync-documents-")));
}

describeWithS3("README.md", ({ location }) => {
  // The name of the repository is the place in the bucket, and no two runs share one.
  const name = `shop-${randomBytes(6).toString("hex")}`;
  let folder: string;

  beforeAll(() => {
    folder = temporaryFolder();
  });
  afterAll(async () => {
    rmSync(folder, { recursive: true, force: true });
    const store = await openStore(location);
    for await (const { key } of store.list(`acme_${name.replace("-", "_")}/`)) await store.delete(key);
    await store.close();
  });

  test("works from its first command to its last", async () => {
    const world = await makeWorld(folder);
    for (const { repository, env } of Object.values(world.people)) {
      const origin = `https://git.example/acme/${name}.git`;
      await run("git", ["remote", "set-url", "origin", origin], { cwd: repository, env });
      writeFileSync(join(repository, "../read-only-key"), location.secretAccessKey, { mode: 0o600 });
    }
    const own = new Map([
      ["https://s3.eu-central-1.amazonaws.com", location.endpoint],
      ["eu-central-1", location.region],
      ["my-secrets", location.bucket],
      ["AKIA...", location.accessKeyId],
    ]);
    await follow(blocksOf(read("README.md")), { ...world, own, secretKey: location.secretAccessKey });
  });
});

/** What the guides suppose: alice has prod and dev, pushed; an application has both halves of prod; bob has a clone. */
async function furnish(folder: string, flags: readonly string[]): Promise<World> {
  const world = await makeWorld(folder);
  const { alice } = world.people as { alice: Machine };
  for (const env of ["prod", "dev"]) {
    await alice.vsync(["init", env, "--iterations", "100000", ...flags]);
    const values = `DATABASE_URL=postgres://${env}.example/shop\nSESSION_KEY=0123456789abcdef\n`;
    writeFileSync(join(alice.repository, `infra/vault/${env}/.env.${env}`), values);
    await alice.vsync(["push", env]);
  }
  const outside = join(alice.repository, "..");
  const token = await alice.vsync(["runtime-token", "prod"]);
  writeFileSync(join(outside, "config"), token.stdout, { mode: 0o600 });
  await alice.vsync(["passphrase", "show", "prod", "--out", join(outside, "passphrase")]);
  const application = blocksOf(read("README.md")).find(({ file }) => file === "app.mjs");
  for (const { repository } of Object.values(world.people)) {
    writeFileSync(join(repository, ".env.example"), "DATABASE_URL=\nSESSION_KEY=\n");
    writeFileSync(join(repository, "app.mjs"), application?.text ?? "");
  }
  return world;
}

/** As the documents name a bucket, a reader has one of their own. */
const EXAMPLE =
  "--endpoint https://s3.eu-central-1.amazonaws.com --region eu-central-1 --bucket my-secrets --access-key AKIA...";

describe("of the guides", () => {
  let outside: string;
  let folder: string;
  let world: World;
  let kept: string;

  beforeAll(async () => {
    outside = temporaryFolder();
    folder = join(outside, "world");
    kept = join(outside, "kept");
    const bucket = ["--endpoint", pathToFileURL(join(folder, "buckets")).href, "--bucket", "shop"];
    const furnished = await furnish(folder, bucket);
    world = { ...furnished, own: new Map([[EXAMPLE, bucket.join(" ")]]), secretKey: "made-up" };
    for (const { repository } of Object.values(world.people)) {
      writeFileSync(join(repository, "../read-only-key"), "made-up", { mode: 0o600 });
      writeFileSync(join(repository, "../teammates-key"), "made-up", { mode: 0o600 });
    }
    cpSync(folder, kept, { recursive: true, preserveTimestamps: true, verbatimSymlinks: true });
  });
  beforeEach(() => {
    rmSync(folder, { recursive: true });
    cpSync(kept, folder, { recursive: true, preserveTimestamps: true, verbatimSymlinks: true });
  });
  afterAll(() => rmSync(outside, { recursive: true, force: true }));

  test.each(GUIDES.filter((guide) => !ON_S3.includes(guide)))("%s does what it says", async (guide) => {
    await follow(blocksOf(read(guide)), world);
  });
});

test("packages/cli/README.md does what it says", async () => {
  const folder = temporaryFolder();
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  await follow(blocksOf(read("packages/cli/README.md")), await makeWorld(folder));
});

describeWithS3("of the guides", ({ location, prefix }) => {
  let folder: string;
  beforeAll(() => {
    folder = temporaryFolder();
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  test.each(ON_S3)("%s does what it says", async (guide) => {
    const { endpoint, region, bucket, accessKeyId, secretAccessKey } = location;
    const key = join(folder, "key");
    writeFileSync(key, secretAccessKey, { mode: 0o600 });
    const where = ["--endpoint", endpoint, "--region", region, "--bucket", bucket, "--prefix", prefix];
    const world = await furnish(folder, [...where, "--access-key", accessKeyId, "--secret-key-file", key]);
    for (const { repository } of Object.values(world.people)) {
      writeFileSync(join(repository, "../read-only-key"), secretAccessKey, { mode: 0o600 });
    }
    const own = new Map([["AKIA...", accessKeyId]]);
    await follow(blocksOf(read(guide)), { ...world, own, secretKey: secretAccessKey });
  });
});

test("README.md has no command outside of its blocks, and CI runs those that this test does not", () => {
  const text = read("README.md");
  expect(text.match(/^ {4}\S.*$/gm)).toBeNull();
  const left = blocksOf(text).filter(({ notRun }) => notRun !== null);
  const [tryIt, install] = left;
  expect(left).toHaveLength(2);
  expect(install?.text).toBe("npm install --global @muthuishere/vsync\n");
  for (const line of tryIt?.text.trim().split("\n") ?? []) expect(read(".ci/run")).toContain(line);
});
