import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { audit } from "../../src/commands/audit.ts";
import { init } from "../../src/commands/init.ts";
import { describeSync, sync } from "../../src/commands/sync.ts";
import { loadEnvConfig } from "../../src/config/env-config.ts";
import { isAlive, makeWorkbench, publish, ROUTES, type Workbench } from "./workbench.ts";

const env = "prod";
const lines = (count: number) =>
  Array.from({ length: count }, (_, n) => `NAME_${n + 10}=value${n}\n`).join("");
const without = (target: keyof typeof ROUTES) =>
  Object.fromEntries(Object.keys(ROUTES[target]).map((key) => [key, undefined]));
const configOf = (bench: Workbench, of = env) => loadEnvConfig(bench.context().host, "acme_shop", of);

describe("failures", () => {
  test("one that fails does not keep the others back; each is named, and the next run sends what is missing", async () => {
    const bench = await makeWorkbench();
    bench.fill({ ".env.prod": "A=1\nB=secret-b\nC=3\n" });
    bench.behave("gcp", { fail: { B: "ERROR: INTERNAL: it was <stdin> that broke" } });
    const context = bench.context();
    await expect(sync(context, { env, target: "gcp", ...ROUTES.gcp })).rejects.toMatchObject({
      code: "PARTIAL",
      message: "2 of 3 changes reached Google Secret Manager, project acme-shop; not: B",
      details: {
        created: ["A", "C"],
        failed: [{ name: "B", why: "ERROR: INTERNAL: it was *** that broke" }],
      },
    });
    expect(context.said().err).toContain(
      "warning: B was not created: ERROR: INTERNAL: it was *** that broke",
    );
    bench.behave("gcp", {});
    expect(await bench.run("gcp")).toMatchObject({ created: ["B"], same: ["A", "C"] });
  });

  test("when nothing arrived the code says why", async () => {
    const bench = await makeWorkbench();
    bench.fill({ ".env.prod": "A=1\n" });
    bench.behave("azure", { fail: { set: "ERROR: (Forbidden) Caller is not authorized to perform action" } });
    await expect(bench.run("azure")).rejects.toMatchObject({ code: "ACCESS_DENIED" });
  });

  test("a platform that shows no value gets them all, as one that one may only write to", async () => {
    const bench = await makeWorkbench();
    bench.fill({ ".env.prod": "A=1\n" });
    bench.keep("gcp", { A: "1" });
    bench.behave("gcp", { writeOnly: true });
    expect(await bench.run("gcp")).toMatchObject({ updated: ["A"], same: [] });
  });

  test("a missing file reference stops all before any command is run", async () => {
    const bench = await makeWorkbench();
    bench.fill({ ".env.prod": "A=1\nKEY_FILE=keys/gone\n" });
    await expect(bench.run("gh", { inlineFileSuffix: ["_FILE"] })).rejects.toMatchObject({
      code: "INPUT",
      message: "nothing was sent: KEY_FILE: the vault has no file keys/gone",
    });
    expect(bench.calls()).toEqual([]);
  });

  test("a place that is not there is told with what the command said", async () => {
    const bench = await makeWorkbench();
    bench.fill({ ".env.prod": "A=1\n" });
    bench.behave("gh", { missing: ["production"] });
    await expect(bench.run("gh")).rejects.toMatchObject({
      code: "INPUT",
      message: expect.stringMatching(/^nothing was sent: gh could not look at .*HTTP 404: Not Found/),
    });
  });

  test("six at a time, and not more", async () => {
    const bench = await makeWorkbench();
    bench.fill({ ".env.prod": lines(14) });
    bench.behave("gcp", { together: 6 }); // the first six writes wait for each other
    await bench.run("gcp");
    expect(Math.max(...bench.calls().map(({ live }) => live))).toBe(6);
    expect(Object.keys(bench.kept("gcp"))).toHaveLength(14);
  });
});

test("Ctrl-C ends the platform's command too", async () => {
  const bench = await makeWorkbench();
  bench.fill({ ".env.prod": "A=1\n" });
  await bench.run("gh");
  bench.behave("gh", { hang: ["set"] });
  const { host } = bench.context();
  const main = fileURLToPath(new URL("../../src/main.ts", import.meta.url));
  const tsx = import.meta.resolve("tsx");
  const child = spawn(process.execPath, ["--import", tsx, main, "sync", "prod", "gh"], {
    cwd: bench.root,
    env: host.env as NodeJS.ProcessEnv,
    stdio: ["ignore", "pipe", "pipe"],
  });
  const isSetting = () => bench.calls().filter(({ argv }) => argv[1] === "set").length === 2;
  await expect.poll(isSetting).toBe(true);
  child.kill("SIGINT");
  expect(await once(child, "close")).toEqual([130, null]);
  const pid = bench.calls().at(-1)?.pid as number;
  await expect.poll(() => isAlive(pid)).toBe(false);
});

describe("--prune", () => {
  test("removes what vsync put there, and only that", async () => {
    const bench = await makeWorkbench();
    bench.keep("gcp", { OTHER: "mine", SAME: "1" });
    bench.fill({ ".env.prod": "KEEP=1\nDROP=2\nSAME=1\n" });
    await bench.run("gcp");
    bench.fill({ ".env.prod": "KEEP=1\n" });
    const result = await bench.run("gcp");
    // SAME was there before with the same value: vsync never put it there.
    expect(result).toMatchObject({
      removed: [],
      extra: [
        { name: "DROP", ours: true },
        { name: "OTHER", ours: false },
        { name: "SAME", ours: false },
      ],
    });
    expect(describeSync(result).notes?.at(-1)).toContain("DROP; to remove: --prune");
    expect((await bench.run("gcp", { prune: true }, { flags: { dryRun: true } })).removed).toEqual(["DROP"]);
    expect(bench.kept("gcp")).toHaveProperty("DROP");
    expect((await bench.run("gcp", { prune: true })).removed).toEqual(["DROP"]);
    expect(bench.kept("gcp")).toEqual({ KEEP: "1", OTHER: "mine", SAME: "1" });
  });

  test("knows what it put where: not what another place has under that name", async () => {
    const bench = await makeWorkbench();
    bench.fill({ ".env.prod": "KEEP=1\nDROP=2\n" });
    await bench.run("gh");
    bench.fill({ ".env.prod": "KEEP=1\n" });
    bench.keep("gcp", { DROP: "theirs" });
    expect((await bench.run("gcp", { prune: true })).removed).toEqual([]);
    expect((await bench.run("gh", { prune: true })).removed).toEqual(["DROP"]);
    expect(bench.kept("gh")).toEqual({ KEEP: "1" });
  });

  test("waits until all values have arrived", async () => {
    const bench = await makeWorkbench();
    bench.fill({ ".env.prod": "A=1\nDROP=2\n" });
    await bench.run("gh");
    bench.fill({ ".env.prod": "A=1\nB=2\n" });
    bench.behave("gh", { fail: { B: "HTTP 500" } });
    await expect(bench.run("gh", { prune: true })).rejects.toMatchObject({
      code: "PARTIAL",
      details: {
        removed: [],
        failed: [{ name: "B" }, { name: "DROP", why: "not tried, since not all values arrived" }],
      },
    });
    expect(bench.kept("gh")).toHaveProperty("DROP");
  });

  test("in Vault goes with the other changes in one request", async () => {
    const bench = await makeWorkbench();
    bench.keep("vault", { OTHER: "mine" });
    bench.fill({ ".env.prod": "A=1\nDROP=2\n" });
    await bench.run("vault");
    bench.fill({ ".env.prod": "A=3\n" });
    expect(await bench.run("vault", { prune: true })).toMatchObject({ updated: ["A"], removed: ["DROP"] });
    expect(bench.kept("vault")).toEqual({ OTHER: "mine", A: "3" });
    expect(bench.writes()).toHaveLength(2);
    // Without that method vault would store the null when its token may not patch.
    expect(bench.writes()[1]?.argv).toContain("-method=patch");
  });
});

test("a policy that is not the last one needs a yes: a forgotten flag would send names of files", async () => {
  const bench = await makeWorkbench();
  bench.fill({ ".env.prod": "KEY_FILE=id\nTOKEN=1\n", id: "key" });
  const flags = { inlineFileSuffix: ["_FILE"], excludeProperty: ["TOKEN"] };
  await bench.run("gh", flags);
  await bench.run("gh", flags);
  await expect(bench.run("gh", { prune: true })).rejects.toMatchObject({
    code: "INPUT",
    message:
      "nothing was sent: the last run to this place had --inline-file-suffix _FILE --exclude-property TOKEN, this one has none",
  });
  expect(bench.kept("gh")).toEqual({ KEY: "key" });
  const [, said] = await bench.runAndHear("gh", {}, { flags: { dryRun: true } });
  expect(said).toContain("warning: the last run to this place had");
  await bench.run("gh", {}, { flags: { yes: true } });
  expect(bench.kept("gh")).toEqual({ KEY: "key", KEY_FILE: "id", TOKEN: "1" });
});

describe("routing", () => {
  test("is saved at first use, goes with the config, and is replaced as a whole", async () => {
    const bench = await makeWorkbench();
    bench.fill({ ".env.prod": "A=1\n" });
    const [, said] = await bench.runAndHear("gh");
    expect(said).toContain("saved: vsync sync prod gh goes there from now on");
    expect(configOf(bench)?.sync).toEqual({ gh: { repo: "acme/shop", environment: "production" } });
    const [again, saidAgain] = await bench.runAndHear("gh", without("gh"));
    expect(again.destination).toBe("GitHub repository acme/shop, environment production");
    expect(saidAgain).not.toContain("saved:");
    await bench.run("gcp");
    await expect(
      bench.runAndHear("gh", { ...without("gh"), ghEnvironment: "staging" }),
    ).rejects.toMatchObject({
      hint: "the same command with --gh-repo <owner/name>",
    });
    expect(configOf(bench)?.sync).toEqual({
      gh: { repo: "acme/shop", environment: "production" },
      gcp: { project: "acme-shop" },
    });
  });

  test("of another target, or of no possible form, is refused", async () => {
    const bench = await makeWorkbench();
    bench.fill({ ".env.prod": "A=1\n" });
    await expect(bench.run("gh", { gcpProject: "acme-shop" })).rejects.toMatchObject({
      code: "USAGE",
      message: "--gcp-project is not for gh",
    });
    await expect(bench.run("gh", { ghRepo: "--json" })).rejects.toMatchObject({ code: "INPUT" });
    await expect(bench.run("gh", { inlineFileSuffix: [""] })).rejects.toMatchObject({ code: "USAGE" });
    expect(bench.calls()).toEqual([]);
  });

  test("to where another environment goes needs a yes", async () => {
    const bench = await makeWorkbench();
    await init(bench.context(), { env: "dev", ...bench.bucket, iterations: 100_000 });
    bench.fill({ ".env.prod": "A=1\n" });
    writeFileSync(join(bench.root, "infra/vault/dev/.env.dev"), "A=dev\n", { mode: 0o600 });
    await bench.run("gh");
    const toDev = () => bench.run("gh", { env: "dev" });
    await expect(toDev()).rejects.toMatchObject({
      code: "INPUT",
      message: expect.stringContaining("prod goes to"),
    });
    expect(bench.kept("gh")).toEqual({ A: "1" });
    expect(configOf(bench, "dev")?.sync).toBeUndefined();
    await bench.run("gh", { env: "dev" }, { flags: { yes: true } });
    await toDev(); // agreed to once
    expect(bench.kept("gh")).toEqual({ A: "dev" });
  });

  test("takes AWS_REGION and VAULT_ADDR where nothing is saved, and remembers them", async () => {
    const bench = await makeWorkbench();
    bench.fill({ ".env.prod": "A=1\n" });
    await bench.run("aws", { ...without("aws"), awsPrefix: "shop/" }, { env: { AWS_REGION: "eu-west-1" } });
    expect(configOf(bench)?.sync).toEqual({
      aws: { region: "eu-west-1", prefix: "shop/", account: "111122223333" },
    });
  });
});

describe("single platforms", () => {
  test("aws: another account than the saved one is refused", async () => {
    const bench = await makeWorkbench();
    bench.fill({ ".env.prod": "A=1\n" });
    await bench.run("aws");
    bench.behave("aws", { account: "999988887777" });
    await expect(bench.run("aws", without("aws"))).rejects.toMatchObject({
      code: "INPUT",
      message:
        "nothing was sent: these credentials are of account 999988887777, and the values go to 111122223333",
    });
  });

  test("aws: a secret that is being deleted is brought back by a person", async () => {
    const bench = await makeWorkbench();
    bench.fill({ ".env.prod": "A=1\nB=2\n" });
    bench.behave("aws", { leaving: ["shop/A"] });
    await expect(bench.run("aws")).rejects.toMatchObject({
      code: "INPUT",
      hint: "bring each back first: aws secretsmanager restore-secret --region eu-west-1 --secret-id shop/A",
    });
    expect(bench.writes()).toEqual([]);
  });

  test("aws and its credentials: no other command gets them", async () => {
    const bench = await makeWorkbench();
    bench.fill({ ".env.prod": "A=1\n" });
    const secrets = {
      AWS_SECRET_ACCESS_KEY: "aws-secret",
      AWS_SESSION_TOKEN: "aws-token",
      VSYNC_PASSPHRASE_X: "p",
    };
    await bench.run("aws", {}, { env: secrets });
    await bench.run("gcp", {}, { env: secrets });
    const envOf = (tool: string) => bench.calls().find((call) => call.tool === tool)?.env;
    expect(envOf("aws")).toMatchObject({
      AWS_SECRET_ACCESS_KEY: "aws-secret",
      AWS_SESSION_TOKEN: "aws-token",
    });
    expect(Object.keys(envOf("gcloud") as object)).not.toContain("AWS_SECRET_ACCESS_KEY");
    expect(JSON.stringify(bench.calls())).not.toContain("VSYNC_PASSPHRASE_X");
  });

  test("aws and az cannot read a value on Windows without a file", async () => {
    const bench = await makeWorkbench();
    bench.fill({ ".env.prod": "A=1\n" });
    await expect(bench.run("azure", {}, { host: { platform: "win32" } })).rejects.toMatchObject({
      code: "INPUT",
    });
  });

  test("gcp: new secrets can be kept in named places", async () => {
    const bench = await makeWorkbench();
    bench.fill({ ".env.prod": "A=1\n" });
    await bench.run("gcp", { gcpLocations: "europe-west1,europe-west4" });
    expect(bench.writes()[0]?.argv).toEqual(
      expect.arrayContaining(["--replication-policy=user-managed", "--locations=europe-west1,europe-west4"]),
    );
  });

  test("gh: more secrets than GitHub holds are refused", async () => {
    const bench = await makeWorkbench();
    bench.fill({ ".env.prod": lines(60) });
    bench.keep("gh", Object.fromEntries(Array.from({ length: 41 }, (_, n) => [`OTHER_${n}`, "x"])));
    await expect(bench.run("gh")).rejects.toMatchObject({
      code: "INPUT",
      message: "nothing was sent: there would be 101 secrets, and GitHub holds 100 at the most",
    });
    expect(bench.writes()).toEqual([]);
  });

  test("gh: a line break at the end of a value arrives", async () => {
    const bench = await makeWorkbench();
    bench.fill({ ".env.prod": "SSH_KEY_FILE=id\nOTHER=1\n", id: "-----BEGIN $X-----\nab\\c\n" });
    await bench.run("gh", { inlineFileSuffix: ["_FILE"] });
    expect(bench.kept("gh")).toEqual({ SSH_KEY: "-----BEGIN $X-----\nab\\c\n", OTHER: "1" });
  });

  test("vault: version 1, and what is no key-value store, are refused", async () => {
    const bench = await makeWorkbench();
    bench.fill({ ".env.prod": "A=1\n" });
    bench.behave("vault", { version: "1" });
    await expect(bench.run("vault")).rejects.toMatchObject({
      code: "INPUT",
      hint: "name one of version 2 (--vault-mount <path>), or upgrade it: vault kv enable-versioning secret",
    });
    bench.behave("vault", { type: "transit", version: undefined });
    await expect(bench.run("vault")).rejects.toMatchObject({ code: "INPUT" });
    expect(bench.writes()).toEqual([]);
  });

  test("vault: somebody else's change meanwhile is not overwritten", async () => {
    const bench = await makeWorkbench();
    bench.fill({ ".env.prod": "A=1\nB=2\n" });
    bench.keep("vault", { A: "0" });
    bench.behave("vault", { changedMeanwhile: true });
    await expect(bench.run("vault")).rejects.toMatchObject({
      details: { failed: [{ name: "A", why: "somebody else changed the secret meanwhile" }, { name: "B" }] },
    });
    expect(bench.kept("vault")).toEqual({ A: "0" });
  });

  test("vault: a secret whose newest version is deleted gets a new one", async () => {
    const bench = await makeWorkbench();
    bench.fill({ ".env.prod": "A=1\n" });
    bench.keep("vault", null as never);
    expect((await bench.run("vault")).created).toEqual(["A"]);
    expect(bench.writes()[0]?.argv).toContain("-cas=7");
  });
});

describe("what it leaves behind", () => {
  test("an audit row that says what was done, and the record of what was put where", async () => {
    const bench = await makeWorkbench();
    bench.fill({ ".env.prod": "A=1\nB=2\n" });
    await publish(bench);
    await bench.run("gh", { note: "first" });
    const { rows } = await audit(bench.context(), { env, action: "sync" });
    expect(rows).toHaveLength(1);
    expect(rows[0]).toMatchObject({ action: "sync", gen: "1" });
    const meta = JSON.parse((rows[0] as unknown as { meta: string }).meta);
    expect(meta).toMatchObject({
      note: "first",
      target: "gh",
      place: "github.com/acme/shop production",
      created: "2",
      updated: "0",
      removed: "0",
      failed: "0",
    });
    const record = join(bench.home, ".local/state/vsync/acme_shop/prod/sync.json");
    expect(JSON.parse(readFileSync(record, "utf8"))).toEqual({
      version: 1,
      places: {
        "gh github.com/acme/shop production": {
          names: ["A", "B"],
          inlineFileSuffixes: [],
          excludeProperties: [],
        },
      },
    });
  });

  test("no row with --no-audit, and no failure when the bucket cannot be reached", async () => {
    const bench = await makeWorkbench();
    bench.fill({ ".env.prod": "A=1\n" });
    await bench.run("gh", { audit: false });
    expect((await audit(bench.context(), { env })).rows).toEqual([]);
    expect(existsSync(join(bench.home, ".local/state/vsync/acme_shop/prod/sync.json"))).toBe(true);
  });
});
