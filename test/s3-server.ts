// Vitest's global setup: one S3 server for the whole run. One that VSYNC_TEST_S3_* names, else Ceph, started here.
// Suites get it through `describeWithS3` of test/s3-suite.ts.

import { execFile } from "node:child_process";
import { randomBytes } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import type { TestProject } from "vitest/node";
import { openStore, type StoreLocation } from "../packages/store/src/index.ts";

export interface TestS3 {
  readonly location: StoreLocation;
  /** Everything under it belongs to this run; ends in `/`. */
  readonly prefix: string;
}

declare module "vitest" {
  export interface ProvidedContext {
    s3: TestS3 | null;
  }
}

const run = promisify(execFile);

const script = (name: string): string => fileURLToPath(new URL(`../scripts/${name}`, import.meta.url));

const INSTALL = "apt-get install -y --no-install-recommends radosgw ceph-mon ceph-osd curl";

export async function setup(project: TestProject): Promise<() => Promise<void>> {
  const prefix = `run-${randomBytes(6).toString("hex")}/`;
  const named = locationFrom(process.env);
  if (named !== null) {
    project.provide("s3", { location: named, prefix });
    return () => empty(named, prefix);
  }
  if (await isCephInstalled()) {
    const folder = await mkdtemp(join(tmpdir(), "vsync-ceph-"));
    const { stdout } = await run(script("start-ceph.sh"), [folder, String(process.pid)]);
    const started = locationFrom(Object.fromEntries(stdout.split("\n").map((line) => line.split("=", 2))));
    if (started === null) throw new Error(`start-ceph.sh printed no server:\n${stdout}`);
    project.provide("s3", { location: started, prefix });
    return async () => {
      await run(script("stop-ceph.sh"), [folder]);
      await rm(folder, { recursive: true, force: true });
    };
  }
  const how = `no S3 server for the tests. Install Ceph (Debian: ${INSTALL}) or set VSYNC_TEST_S3_ENDPOINT, _BUCKET, _ACCESS_KEY_ID and _SECRET_ACCESS_KEY`;
  if (isSet(process.env.CI) || isSet(process.env.VSYNC_TEST_NO_SKIP)) throw new Error(how);
  process.stderr.write(`Skipped: everything on S3; ${how}.\n`);
  project.provide("s3", null);
  return () => Promise.resolve();
}

function locationFrom(env: Readonly<Record<string, string | undefined>>): StoreLocation | null {
  const endpoint = env.VSYNC_TEST_S3_ENDPOINT;
  if (!endpoint) return null;
  const required = (name: string): string => {
    const value = env[name];
    if (!value) throw new Error(`VSYNC_TEST_S3_ENDPOINT is set and ${name} is not`);
    return value;
  };
  return {
    endpoint,
    region: env.VSYNC_TEST_S3_REGION || "us-east-1",
    bucket: required("VSYNC_TEST_S3_BUCKET"),
    accessKeyId: required("VSYNC_TEST_S3_ACCESS_KEY_ID"),
    secretAccessKey: required("VSYNC_TEST_S3_SECRET_ACCESS_KEY"),
  };
}

async function isCephInstalled(): Promise<boolean> {
  const PATH = `${process.env.PATH}:/usr/sbin:/sbin`;
  const programs = ["radosgw", "radosgw-admin", "ceph", "ceph-mon", "ceph-osd", "monmaptool", "curl"];
  const found = programs.map((program) =>
    run("sh", ["-c", 'command -v "$1"', "sh", program], { env: { PATH } }).then(
      () => true,
      () => false,
    ),
  );
  return (await Promise.all(found)).every((it) => it);
}

/** Somebody's own bucket is left as it was. */
async function empty(location: StoreLocation, prefix: string): Promise<void> {
  const store = await openStore(location);
  for await (const { key } of store.list(prefix)) await store.delete(key);
  await store.close();
}

function isSet(value: string | undefined): boolean {
  return value !== undefined && !["", "0", "false"].includes(value);
}
