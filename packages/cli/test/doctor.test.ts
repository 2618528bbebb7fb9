import { execFileSync } from "node:child_process";
import {
  chmodSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { createServer, type RequestListener } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { expect, onTestFinished, test } from "vitest";
import { bareEnvironment } from "../../../test/machine.ts";
import { describeWithS3 } from "../../../test/s3-suite.ts";
import { type FakeS3, startFakeS3 } from "../../store/test/fake-s3.ts";
import { audit } from "../src/commands/audit.ts";
import { type DoctorInput, type DoctorResult, describeDoctor, doctor } from "../src/commands/doctor.ts";
import { init } from "../src/commands/init.ts";
import { pull } from "../src/commands/pull.ts";
import { push } from "../src/commands/push.ts";
import { rotatePassphrase } from "../src/commands/rotate-passphrase.ts";
import { set } from "../src/commands/set.ts";
import { shareExport } from "../src/commands/share-export.ts";
import { shareImport } from "../src/commands/share-import.ts";
import { status } from "../src/commands/status.ts";
import { versions } from "../src/commands/versions.ts";
import { loadEnvConfig, saveEnvConfig } from "../src/config/env-config.ts";
import { iamPolicies, type Policy } from "../src/doctor/iam.ts";
import { checkNodeOptions } from "../src/doctor/machine.ts";
import { openKeystore } from "../src/keys/keystore.ts";
import { type ContextOptions, makeWorkplace, type Workplace } from "./workplace.ts";

const env = "demo";

async function setUp(): Promise<Workplace> {
  const place = makeWorkplace();
  await init(place.context(), { env, ...place.bucket, iterations: 100_000 });
  return place;
}

const examine = (place: Workplace, options: ContextOptions = {}, input: DoctorInput = {}) =>
  doctor(place.context(options), input);
const of = ({ checks }: DoctorResult, name: string) => checks.find((check) => check.name === name);

test("a sound machine and a sound bucket have nothing to mend, and nothing of the probes stays", async () => {
  const place = await setUp();
  execFileSync("git", ["config", "user.email", "alice@example.com"], {
    cwd: place.root,
    env: bareEnvironment(),
  });
  const result = await examine(place);
  expect(result.checks.filter(({ level }) => level === "fail")).toEqual([]);
  expect(result.status).toBe(0);
  const names = result.checks.map(({ name }) => name);
  for (const name of [
    "versions",
    "node options",
    "proxy",
    "certificates",
    "permissions",
    "keystore",
    "git",
    "identity",
  ])
    expect(names).toContain(name);
  for (const name of [
    "ignore rules",
    "key",
    "bucket",
    "manifest",
    "write",
    "read",
    "metadata",
    "etag",
    "delete",
    "conditional writes",
    "list",
  ])
    expect(of(result, `demo: ${name}`)?.level).toBe("ok");
  expect(
    readdirSync(join(place.folder, "bucket"), { recursive: true, encoding: "utf8" }).join(),
  ).not.toContain("probe");
  expect(await (await openKeystore(place.context().host)).list()).toEqual(["acme_shop/demo"]);
  expect(describeDoctor(result).out).toMatch(/^ok {4}versions/);
});

test("a passphrase that was rotated on another machine: by whom, when, and what to run", async () => {
  const alice = await setUp();
  const bob = makeWorkplace();
  const share = await shareExport(alice.context(), { env, out: join(alice.folder, "share") });
  const variables = { VSYNC_SHARE_PASSPHRASE: share.passphrase as string };
  await shareImport(bob.context({ env: variables }), { file: share.file });
  expect(of(await examine(bob), "demo: manifest")).toMatchObject({
    level: "ok",
    says: "nothing was pushed yet",
  });
  writeFileSync(join(alice.root, "infra/vault/demo/.env.demo"), "A=1\n");
  await push(alice.context(), { env });
  expect(of(await examine(bob), "demo: manifest")).toMatchObject({
    level: "ok",
    says: expect.stringMatching(/^generation 1 \(\d{8}-\d{6}\) is sealed with this passphrase$/),
  });
  execFileSync("git", ["config", "user.email", "alice@example.com"], {
    cwd: alice.root,
    env: bareEnvironment(),
  });
  await rotatePassphrase(alice.context(), { env });
  const result = await examine(bob);
  expect(of(result, "demo: manifest")).toMatchObject({
    level: "fail",
    code: "WRONG_PASSPHRASE",
    says: expect.stringMatching(/rotated at \d{4}-\d\d-\d\dT[\d:]+Z by .*alice@example\.com/),
    fix: expect.stringContaining("vsync share import"),
  });
  expect(result.status).toBe(7);
  expect(of(result, "demo: conditional writes")).toMatchObject({ level: "ok" }); // the rest is examined all the same
  expect(of(await examine(alice), "demo: manifest")).toMatchObject({ level: "ok" });

  const ledger = join(bob.home, ".local/state/vsync/acme_shop/demo");
  mkdirSync(ledger, { recursive: true });
  writeFileSync(join(ledger, "rotation.json"), "{}", { mode: 0o600 });
  expect(of(await examine(bob), "demo: manifest")).toMatchObject({
    level: "warn",
    says: expect.stringContaining("not settled yet"),
  });
});

test("a grace period that runs, and what ends it", async () => {
  const place = await setUp();
  writeFileSync(join(place.root, "infra/vault/demo/.env.demo"), "A=1\n");
  await push(place.context(), { env });
  const { graceUntil } = await rotatePassphrase(place.context(), { env, grace: "24h" });
  expect(of(await examine(place), "demo: manifest")).toMatchObject({
    level: "ok",
    says: expect.stringContaining(
      `grace until ${graceUntil}: the old passphrase still opens generation 1; end it with vsync rotate-passphrase demo --finish`,
    ),
  });
});

test("a manifest that somebody deleted, and a bucket that was put back", async () => {
  const place = await setUp();
  const publish = async (text: string) => {
    writeFileSync(join(place.root, "infra/vault/demo/.env.demo"), text);
    await push(place.context(), { env });
  };
  await publish("A=1\n");
  const manifest = join(place.folder, "bucket/acme_shop/demo/manifest");
  const older = readFileSync(manifest);
  await publish("A=2\n");
  writeFileSync(manifest, older);
  expect(of(await examine(place), "demo: manifest")).toMatchObject({ level: "fail", code: "ROLLBACK" });
  rmSync(manifest);
  expect(of(await examine(place), "demo: manifest")).toMatchObject({
    level: "fail",
    says: "it is gone, though generation 2 was there: somebody deleted it",
    fix: expect.stringContaining("vsync push demo --recreate"),
  });
});

test.each<[string, (path: string) => void]>([
  ["is gone", rmSync],
  ["was cut short", (path) => truncateSync(path, 200)],
])("the bundle that the manifest names %s, and what mends it", async (_, damage) => {
  const place = await setUp();
  writeFileSync(join(place.root, "infra/vault/demo/.env.demo"), "A=1\n");
  const { timestamp } = await push(place.context(), { env });
  damage(join(place.folder, "bucket/acme_shop/demo", encodeURIComponent(`v=${timestamp}`)));
  expect(of(await examine(place), "demo: manifest")).toMatchObject({
    level: "fail",
    code: "CORRUPT",
    fix: expect.stringContaining("vsync push demo --force"),
  });
  await push(place.context(), { env, force: true });
  expect(of(await examine(place), "demo: manifest")).toMatchObject({ level: "ok" });
});

test("with --quiet it prints what there is to know or to mend, and nothing that is well", async () => {
  const place = await setUp();
  const well = await examine(place, { flags: { quiet: true } });
  expect(describeDoctor(well, true).out).toMatch(
    /^warn {2}keystore[^\n]+\n +where there is a keychain[^\n]+$/m,
  );
  expect(describeDoctor(well, true).out).not.toMatch(/^ok/m);
  const checks = well.checks.filter(({ level }) => level === "ok");
  expect(describeDoctor({ ...well, checks }, true).out).toBeUndefined();
});

test("a dry run writes no probe", async () => {
  const place = await setUp();
  const before = readdirSync(place.folder, { recursive: true }).length;
  const result = await examine(place, { flags: { dryRun: true } });
  expect(of(result, "demo: write")?.says).toContain("dry run");
  expect(readdirSync(place.folder, { recursive: true })).toHaveLength(before);
});

test("private files that others may read are named with the command that mends it", async () => {
  const place = await setUp();
  chmodSync(join(place.home, ".config/vsync/config/acme_shop/origins"), 0o644);
  const result = await examine(place);
  expect(of(result, "permissions")).toMatchObject({
    level: "fail",
    says: expect.stringContaining("acme_shop/origins"),
    fix: expect.stringContaining("chmod -R go="),
  });
  expect(result.status).toBe(11);
});

test("secrets in git's index fail, and so do ignore rules that are gone", async () => {
  const place = await setUp();
  writeFileSync(join(place.root, ".gitignore"), "");
  expect(of(await examine(place), "demo: ignore rules")).toMatchObject({
    level: "fail",
    fix: "vsync init demo --keep",
  });
  writeFileSync(join(place.root, "infra/vault/demo/.env.demo"), "A=1\n");
  execFileSync("git", ["add", "infra"], { cwd: place.root, env: bareEnvironment() });
  const { level, says, fix = "" } = of(await examine(place), "demo: ignore rules") ?? {};
  expect([level, says]).toEqual(["fail", "git tracks infra/vault/demo/.env.demo"]);
  // The command works from anywhere.
  execFileSync("sh", ["-c", fix.split("   ")[0] as string], { cwd: "/", env: bareEnvironment() });
  expect(of(await examine(place), "demo: ignore rules")?.fix).toBe("vsync init demo --keep");
});

test.each([
  ["--max-old-space-size=99 --inspect=0", [], "warn"],
  ["--heapsnapshot-signal=SIGUSR2", [], "warn"],
  ["-r ./hook.cjs", [], "warn"],
  ["", ["--inspect-brk"], "warn"],
  ["--max-old-space-size=99 --enable-source-maps", [], "ok"],
] as const)("NODE_OPTIONS=%j with %j is %s", (options, execArgv, level) => {
  expect(checkNodeOptions({ env: { NODE_OPTIONS: options } }, execArgv).level).toBe(level);
});

test.each([
  ["proxy", "warn", { HTTPS_PROXY: "http://proxy.example" }],
  ["certificates", "fail", { NODE_TLS_REJECT_UNAUTHORIZED: "0" }],
  ["certificates", "fail", { NODE_EXTRA_CA_CERTS: "/nowhere" }],
  ["keystore", "fail", { VSYNC_KEYSTORE: "relative" }],
  ["keystore", "warn", {}],
  ["keystore", "ok", { VSYNC_PASSPHRASE: "correct horse battery staple" }],
] as const)("%s is %s with %o", async (name, level, variables) => {
  const place = makeWorkplace();
  expect(of(await examine(place, { env: variables }), name)?.level).toBe(level);
});

test("an environment without a key, and a bucket that is gone", async () => {
  const place = await setUp();
  const { host } = place.context();
  await (await openKeystore(host)).delete("acme_shop/demo");
  const config = loadEnvConfig(host, "acme_shop", env)!;
  const nowhere = { ...config.s3, endpoint: pathToFileURL(join(place.folder, "nowhere")).href };
  saveEnvConfig(host, "acme_shop", env, { ...config, s3: nowhere });
  const result = await examine(place, {}, { env });
  expect(of(result, "demo: key")).toMatchObject({ level: "fail", code: "NOT_CONFIGURED" });
  expect(of(result, "demo: bucket")).toMatchObject({ level: "fail" });
  expect(result.status).toBe(4);
  const unknown = await examine(place, {}, { env: "none" });
  expect(of(unknown, "none: config")).toMatchObject({ level: "fail", code: "NOT_CONFIGURED" });
});

/** A server with objects in memory and no conditions; `touch` changes its answers. */
async function plainServer(touch: (headers: Record<string, string>) => void): Promise<string> {
  const objects = new Map<string, { body: Buffer; headers: Record<string, string> }>();
  const answer: RequestListener = (request, response) => {
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("end", () => {
      const key = request.url!.replace(/\?.*/, "");
      const found = objects.get(key);
      if (request.method === "PUT") {
        const meta = Object.entries(request.headers).filter(([name]) => name.startsWith("x-amz-meta-"));
        objects.set(key, {
          body: Buffer.concat(chunks),
          headers: Object.fromEntries(meta) as Record<string, string>,
        });
        response.writeHead(200, { etag: '"tag"' }).end();
      } else if (request.method === "DELETE") {
        objects.delete(key);
        response.writeHead(204).end();
      } else if (request.url!.includes("list-type")) {
        response.writeHead(200).end('<?xml version="1.0"?><ListBucketResult></ListBucketResult>');
      } else if (found === undefined) {
        response.writeHead(404).end("<Error><Code>NoSuchKey</Code></Error>");
      } else {
        const headers = { etag: '"tag"', "last-modified": new Date().toUTCString(), ...found.headers };
        touch(headers);
        response.writeHead(200, headers).end(found.body);
      }
    });
  };
  const server = createServer(answer).listen(0, "127.0.0.1");
  await new Promise((resolve) => server.once("listening", resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

async function setUpAt(endpoint: string, options: { singleWriter: boolean }): Promise<Workplace> {
  const place = await setUp();
  const { host } = place.context();
  const config = loadEnvConfig(host, "acme_shop", env)!;
  const s3 = {
    endpoint,
    region: "us-east-1",
    bucket: "bucket",
    accessKeyId: "A",
    secretAccessKey: "S",
    useSsl: false,
  };
  saveEnvConfig(host, "acme_shop", env, { ...config, s3, ...options });
  return place;
}

test("a server with a wrong clock, lost metadata and no conditions is found out", async () => {
  const endpoint = await plainServer((headers) => {
    delete headers["x-amz-meta-note"];
    headers.date = new Date(Date.now() - 3_600_000).toUTCString();
  });
  const place = await setUpAt(endpoint, { singleWriter: false });
  const result = await examine(place);
  expect(of(result, "demo: clock")).toMatchObject({
    level: "fail",
    says: expect.stringContaining("ahead of the server"),
  });
  expect(of(result, "demo: metadata")).toMatchObject({
    level: "fail",
    says: expect.stringContaining("note"),
  });
  expect(of(result, "demo: conditional writes")).toMatchObject({ level: "fail", code: "UNSAFE_STORE" });
  expect(result.status).not.toBe(0);
});

test("on the word that one writer pushes, missing conditions are only worth knowing", async () => {
  const place = await setUpAt(await plainServer(() => undefined), { singleWriter: true });
  const result = await examine(place);
  expect(of(result, "demo: clock")?.level).toBe("ok");
  expect(of(result, "demo: metadata")?.level).toBe("ok");
  expect(of(result, "demo: conditional writes")?.level).toBe("warn");
});

async function setUpWith(
  { location, close }: Pick<FakeS3, "location"> & { close?: () => Promise<void> },
  prefix?: string,
) {
  if (close !== undefined) onTestFinished(close);
  const place = makeWorkplace();
  const { endpoint, region, bucket, accessKeyId, secretAccessKey } = location;
  const flags = { endpoint, region, bucket, accessKey: accessKeyId, secretKeyFile: "-" };
  const input = {
    env,
    iterations: 100_000,
    singleWriter: true,
    ...flags,
    ...(prefix !== undefined && { prefix }),
  };
  await init(place.context({ stdin: secretAccessKey }), input);
  return place;
}

test.each([
  ["aws", "ok"],
  ["ceph16", "ok"],
  ["minio", "ok"],
  ["spaces", "ok"],
  ["b2", "warn"],
  ["ignores-conditions", "warn"],
] as const)("on a server like %s conditional writes are %s", async (profile, level) => {
  const server = await startFakeS3({ profile });
  const result = await examine(await setUpWith(server));
  expect(of(result, "demo: conditional writes")?.level).toBe(level);
  expect(result.checks.filter((check) => check.level === "fail")).toEqual([]);
  expect([...server.objects.keys()]).toEqual([]);
});

test("credentials that may only read fail at writing, with the status for that", async () => {
  const server = await startFakeS3();
  const place = await setUpWith(server);
  const { host } = place.context();
  const config = loadEnvConfig(host, "acme_shop", env)!;
  saveEnvConfig(host, "acme_shop", env, { ...config, s3: { ...config.s3, ...server.readOnlyCredentials } });
  const result = await examine(place);
  expect(of(result, "demo: bucket")?.level).toBe("ok");
  expect(of(result, "demo: write")).toMatchObject({ level: "fail", code: "ACCESS_DENIED" });
  expect(result.status).toBe(2);
});

test("a clock that the server refuses is the bucket's failure", async () => {
  const place = await setUpWith(await startFakeS3());
  const skewed = await startFakeS3({ now: () => Date.now() + 3_600_000 });
  onTestFinished(() => skewed.close());
  const { host } = place.context();
  const config = loadEnvConfig(host, "acme_shop", env)!;
  saveEnvConfig(host, "acme_shop", env, { ...config, s3: { ...config.s3, endpoint: skewed.endpoint } });
  const result = await examine(place);
  expect(of(result, "demo: bucket")).toMatchObject({ level: "fail", fix: expect.stringMatching(/clock/) });
});

test("the policies allow every request of a writer and of an application, and a writer no other", async () => {
  const server = await startFakeS3();
  const place = await setUpWith(server);
  const input = { env };
  for (const value of ["one", "two"]) {
    await set(place.context({ stdin: value }), { env, name: "VALUE", source: "-" });
    await push(place.context(), input);
  }
  await pull(place.context(), input);
  await versions(place.context(), input);
  await audit(place.context(), { env, verify: true });
  await rotatePassphrase(place.context(), input);
  await status(place.context(), { remote: true });
  await examine(place);
  const { iam } = await examine(place, {}, { iam: true });
  const asked = new Set(server.requests.map(actionOf));
  expect([...asked].filter((action) => !allows(iam!.writer, action))).toEqual([]);
  for (const action of ["s3:DeleteObject acme_shop/demo/manifest", "s3:PutObject acme_shop/other/manifest"])
    expect(allows(iam!.writer, action)).toBe(false);
  const manifest = "acme_shop/demo/manifest";
  expect(allows(iam!.reader, `s3:GetObject ${manifest}`)).toBe(true);
  expect(allows(iam!.reader, `s3:PutObject ${manifest}`)).toBe(false);
});

const ACTIONS: Readonly<Record<string, string>> = { PUT: "PutObject", DELETE: "DeleteObject" };

/** `s3:GetObject <key>`, or `s3:ListBucket <prefix>`. */
function actionOf({ method, key, query }: FakeS3["requests"][number]): string {
  if (query.has("list-type")) return `s3:ListBucket ${query.get("prefix")}`;
  return `s3:${ACTIONS[method] ?? "GetObject"} ${key}`;
}

function allows({ Statement }: Policy, asked: string): boolean {
  const [action = "", name = ""] = asked.split(" ");
  return (Statement as readonly Statement[]).some(({ Action, Resource, Condition }) => {
    const patterns = Condition?.StringLike["s3:prefix"] ?? Resource.map((arn) => arn.replace(/^[^/]*\//, ""));
    return Action.includes(action) && patterns.some((pattern) => isLike(name, pattern));
  });
}

interface Statement {
  readonly Action: readonly string[];
  readonly Resource: readonly string[];
  readonly Condition?: { readonly StringLike: Readonly<Record<"s3:prefix", readonly string[]>> };
}

function isLike(name: string, pattern: string): boolean {
  return pattern.endsWith("*") ? name.startsWith(pattern.slice(0, -1)) : name === pattern;
}

describeWithS3("on the S3 server", (s3) => {
  test("everything holds, and status is in step", async () => {
    const place = await setUpWith(s3, s3.prefix.replace(/\/$/, ""));
    await set(place.context({ stdin: "one" }), { env, name: "VALUE", source: "-" });
    await push(place.context(), { env });
    const result = await examine(place);
    expect(result.checks.filter(({ level }) => level === "fail")).toEqual([]);
    for (const name of ["clock", "metadata", "etag", "conditional writes", "list", "delete"])
      expect(of(result, `demo: ${name}`)?.level).toBe("ok");
    expect(await status(place.context(), { remote: true })).toMatchObject({ inStep: true });
  });
});

test("outside of a repository the machine is examined all the same", async () => {
  const place = makeWorkplace(null);
  const result = await examine(place, { cwd: place.home });
  expect(of(result, "versions")?.level).toBe("ok");
  expect(of(result, "repository")?.level).toBe("fail");
});

test("the policies allow what a writer and an application do, in this environment's part of the bucket", async () => {
  const s3 = { endpoint: "https://s3.amazonaws.com", region: "eu-central-1", bucket: "b" } as never;
  const star = ["$", "{*}"].join("");
  const { reader, writer } = iamPolicies({ s3, prefix: "a*b/demo/" });
  expect(reader.Statement).toEqual([
    {
      Sid: "ReadVault",
      Effect: "Allow",
      Action: ["s3:GetObject"],
      Resource: [`arn:aws:s3:::b/a${star}b/demo/manifest`, `arn:aws:s3:::b/a${star}b/demo/v=*`],
    },
  ]);
  expect(JSON.stringify(writer)).toContain(`"s3:prefix":["a${star}b/demo/*"]`);
  const deletable = writer.Statement.filter((statement) =>
    JSON.stringify(statement).includes("DeleteObject"),
  );
  expect(deletable).toMatchObject([{ Resource: [`arn:aws:s3:::b/a${star}b/demo/probe-*`] }]);
  const place = await setUpAt("https://s3.cn-north-1.amazonaws.com.cn", { singleWriter: false });
  const { iam, checks } = await examine(place, {}, { iam: true });
  expect([checks, iam?.reader.Version]).toEqual([[], "2012-10-17"]);
  expect(() => iamPolicies({ s3: { endpoint: "file:///x", bucket: "b" } as never, prefix: "" })).toThrow(
    "no policies",
  );
});
