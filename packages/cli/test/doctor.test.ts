import { execFileSync } from "node:child_process";
import { chmodSync, readdirSync, writeFileSync } from "node:fs";
import { createServer, type RequestListener } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { expect, onTestFinished, test } from "vitest";
import { bareEnvironment } from "../../../test/machine.ts";
import { type DoctorInput, type DoctorResult, describeDoctor, doctor } from "../src/commands/doctor.ts";
import { init } from "../src/commands/init.ts";
import { loadEnvConfig, saveEnvConfig } from "../src/config/env-config.ts";
import { iamPolicies } from "../src/doctor/iam.ts";
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
  const { level, says } = of(await examine(place), "demo: ignore rules") ?? {};
  expect([level, says]).toEqual(["fail", "git tracks infra/vault/demo/.env.demo"]);
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
