// Credentials of AWS profiles, from services on loopback that answer as AWS's documentation says; AWS itself was not asked.

import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { type FakeS3, startFakeS3 } from "./fake-s3.ts";

const TOKEN = "temporary/token==";
const DONE = "42 3\n";

let fake: FakeS3;
let home: string;
const cleanups: (() => unknown)[] = [];

beforeEach(async () => {
  fake = await startFakeS3({ sessionToken: TOKEN, region: "eu-west-1" });
  home = mkdtempSync(join(tmpdir(), "vsync-aws-"));
  mkdirSync(join(home, ".aws"));
});

afterEach(async () => {
  await fake.close();
  rmSync(home, { recursive: true });
  for (const cleanup of cleanups.splice(0)) await cleanup();
});

describe("a bucket opened with an AWS profile", () => {
  test("takes the temporary credentials in the environment before the profile, when all three are set", async () => {
    writeConfig("[profile team]\naws_access_key_id = OTHER\naws_secret_access_key = other");
    const variables = {
      AWS_ACCESS_KEY_ID: fake.credentials.accessKeyId,
      AWS_SECRET_ACCESS_KEY: fake.credentials.secretAccessKey,
      AWS_SESSION_TOKEN: TOKEN,
    };
    expect(await use("team", variables)).toBe(DONE);
    const { AWS_SESSION_TOKEN, ...lasting } = variables;
    expect(await use("team", lasting)).toMatch(/^ACCESS_DENIED .*InvalidAccessKeyId/);
    expect(await use("team", { ...variables, AWS_SESSION_TOKEN: "another" })).toMatch(
      /^ACCESS_DENIED .*; these are the credentials of AWS_SESSION_TOKEN: unset it for those of the profile team\n$/,
    );
  });

  test("runs a profile's process", async () => {
    writeConfig(`[profile team]\ncredential_process = cat ${join(home, "answer.json")}`);
    writeFileSync(join(home, "answer.json"), JSON.stringify({ Version: 1, ...answered() }));
    expect(await use("team")).toBe(DONE);
  });

  test.each([
    ["asks it once for all requests", 3_600_000, 1],
    ["asks it again for each request while what it gave is about to expire", 60_000, 3],
  ])("%s", async (_, lastsMs, times) => {
    const calls = join(home, "calls");
    writeConfig(
      `[profile team]\ncredential_process = sh -c "echo >> ${calls}; cat ${join(home, "answer.json")}"`,
    );
    const Expiration = new Date(Date.now() + lastsMs).toISOString();
    writeFileSync(join(home, "answer.json"), JSON.stringify({ Version: 1, ...answered(), Expiration }));
    expect(await use("team")).toBe(DONE);
    expect(readFileSync(calls, "utf8")).toHaveLength(times);
  });

  test("asks SSO with the token that aws sso login left", async () => {
    const sso = await serve((request) => {
      const url = new URL(request.url ?? "", "http://sso");
      expect([url.pathname, url.searchParams.get("role_name")]).toEqual([
        "/federation/credentials",
        "Writer",
      ]);
      expect(request.headers["x-amz-sso_bearer_token"]).toBe("sso-token");
      const { accessKeyId, secretAccessKey } = fake.credentials;
      return JSON.stringify({
        roleCredentials: {
          accessKeyId,
          secretAccessKey,
          sessionToken: TOKEN,
          expiration: Date.now() + 3_600_000,
        },
      });
    });
    writeSsoProfile();
    leaveSsoToken(Date.now() + 3_600_000);
    expect(await use("team", { AWS_ENDPOINT_URL_SSO: sso })).toBe(DONE);
  });

  test.each([
    ["expired", Date.now() - 1000],
    ["missing", null],
  ])("says to log in again when that token is %s", async (_, expires) => {
    writeSsoProfile();
    if (expires !== null) leaveSsoToken(expires);
    expect(await use("team")).toMatch(
      /^ACCESS_DENIED .*profile team gives no credentials.*\| aws sso login --profile team\n$/,
    );
  });

  test("assumes the profile's role", async () => {
    const sts = await serve(async (request) => {
      const body = await read(request);
      expect(new URLSearchParams(body).get("RoleArn")).toBe("arn:aws:iam::111122223333:role/writer");
      expect(request.headers.authorization).toContain("Credential=SOURCE/");
      const { AccessKeyId, SecretAccessKey, SessionToken, Expiration } = answered();
      return `<AssumeRoleResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><AssumeRoleResult><Credentials><AccessKeyId>${AccessKeyId}</AccessKeyId><SecretAccessKey>${SecretAccessKey}</SecretAccessKey><SessionToken>${SessionToken}</SessionToken><Expiration>${Expiration}</Expiration></Credentials></AssumeRoleResult></AssumeRoleResponse>`;
    });
    writeConfig(
      "[profile base]\naws_access_key_id = SOURCE\naws_secret_access_key = source\n[profile team]\nrole_arn = arn:aws:iam::111122223333:role/writer\nsource_profile = base",
    );
    expect(await use("team", { AWS_ENDPOINT_URL_STS: sts })).toBe(DONE);
  });

  test("called default takes the role of the container, or of the instance", async () => {
    const container = await serve(() => JSON.stringify({ ...answered(), Token: TOKEN }));
    expect(await use("default", { AWS_CONTAINER_CREDENTIALS_FULL_URI: `${container}/role` })).toBe(DONE);
    const instance = await serve((request) => {
      if (request.method === "PUT") return "imds-token";
      expect(request.headers["x-aws-ec2-metadata-token"]).toBe("imds-token");
      if (request.url?.endsWith("/security-credentials/")) return "writer-role";
      return JSON.stringify({ Code: "Success", Type: "AWS-HMAC", ...answered(), Token: TOKEN });
    });
    expect(await use("default", { AWS_EC2_METADATA_SERVICE_ENDPOINT: instance })).toBe(DONE);
  });

  test("that is not there asks nobody else for credentials", async () => {
    const asked: string[] = [];
    const instance = await serve((request) => {
      asked.push(request.url ?? "");
      return "";
    });
    expect(await use("team", { AWS_EC2_METADATA_SERVICE_ENDPOINT: instance })).toMatch(
      /^ACCESS_DENIED .*profile team gives no credentials.*\| see the profiles of this machine .* vsync init <env> --edit --aws-profile <name>\n$/,
    );
    expect(asked).toEqual([]);
    expect(fake.requests).toEqual([]);
  });

  test("is told that a token has expired", async () => {
    writeConfig(`[profile team]\ncredential_process = cat ${join(home, "answer.json")}`);
    writeFileSync(
      join(home, "answer.json"),
      JSON.stringify({ Version: 1, ...answered(), SessionToken: "of yesterday" }),
    );
    expect(await use("team")).toMatch(/^ACCESS_DENIED .*InvalidToken.*session token is not valid any more/);
  });
});

/** As AWS's services and processes write them. */
function answered(): Record<"AccessKeyId" | "SecretAccessKey" | "SessionToken" | "Expiration", string> {
  const { accessKeyId, secretAccessKey } = fake.credentials;
  const Expiration = new Date(Date.now() + 3_600_000).toISOString();
  return { AccessKeyId: accessKeyId, SecretAccessKey: secretAccessKey, SessionToken: TOKEN, Expiration };
}

function writeConfig(text: string): void {
  writeFileSync(join(home, ".aws", "config"), `${text}\n`);
}

function writeSsoProfile(): void {
  writeConfig(
    "[profile team]\nsso_start_url = https://team.awsapps.com/start\nsso_region = eu-west-1\nsso_account_id = 111122223333\nsso_role_name = Writer",
  );
}

function leaveSsoToken(expires: number): void {
  const name = createHash("sha1").update("https://team.awsapps.com/start").digest("hex");
  const cache = join(home, ".aws", "sso", "cache");
  mkdirSync(cache, { recursive: true });
  const token = { accessToken: "sso-token", expiresAt: new Date(expires).toISOString() };
  writeFileSync(join(cache, `${name}.json`), JSON.stringify(token));
}

/** A server of AWS's on loopback. */
async function serve(answer: (request: IncomingMessage) => string | Promise<string>): Promise<string> {
  const server = createServer(async (request, response) => {
    try {
      response.end(await answer(request));
    } catch (error) {
      response.writeHead(400).end(String(error));
    }
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  cleanups.push(() => server.close());
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

async function read(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString();
}

/** What a process says that puts, gets and heads with the profile; nothing of this machine's AWS set-up is in reach. */
async function use(awsProfile: string, env: Record<string, string> = {}): Promise<string> {
  const { endpoint, region, bucket } = fake;
  const location = { endpoint, region, bucket, accessKeyId: "", secretAccessKey: "", awsProfile };
  const program = fileURLToPath(new URL("./s3-process.ts", import.meta.url));
  const nowhere = { AWS_EC2_METADATA_SERVICE_ENDPOINT: "http://127.0.0.1:9" };
  const { stdout, stderr } = await promisify(execFile)(
    process.execPath,
    ["--import", "tsx", program, JSON.stringify(location)],
    { env: { PATH: process.env.PATH, HOME: home, ...nowhere, ...env }, timeout: 60_000 },
  );
  expect(stderr).toBe("");
  return stdout;
}
