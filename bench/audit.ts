// What one row more costs the audit log: a log of 600 rows beside one of 100,000, on a folder bucket. What is counted is
// processor time of the append alone, in one process, and the bytes that it moves.

import { mkdirSync } from "node:fs";
import { pathToFileURL } from "node:url";
import { type AuditRemote, appendAudit, SEGMENT_BYTES } from "../packages/cli/src/audit/append.ts";
import {
  AUDIT_HEADER,
  encodeAuditRow,
  expandKeys,
  readLastChain,
  utf8,
} from "../packages/envelope/src/index.ts";
import { type ObjectStore, openStore } from "../packages/store/src/index.ts";
import { median } from "./harness.ts";

const SIZES = [600, 100_000];
const APPENDS = 100;
const PREFIX = "shop/";
const CURRENT_ROWS = 600;
const ROW = {
  ts: "2026-05-01T12:00:00.000Z",
  action: "push",
  version_ts: "20260501-120000",
  hostname: "laptop",
  local_ip: "192.0.2.7",
  os_user: "ann",
  git_email: "ann@example.org",
  vsync_version: "1.0.0",
  runtime: "node 20",
};
const actor = {
  hostname: "laptop",
  localIp: "192.0.2.7",
  osUser: "ann",
  gitEmail: "ann@example.org",
  vsyncVersion: "1.0.0",
  runtime: "node 20",
};

interface Traffic {
  bytes: number;
  requests: number;
}

export async function benchAudit(folder: string): Promise<void> {
  mkdirSync(folder, { recursive: true });
  const location = { endpoint: pathToFileURL(folder).href, region: "", accessKeyId: "", secretAccessKey: "" };
  console.log(
    `\nOne row more in the audit log (median of ${APPENDS} appends; goal: 100,000 rows cost what 600 do)`,
  );
  for (const size of SIZES) {
    const store = await openStore({ ...location, bucket: `rows-${size}` }, { createBucket: true });
    await fill(store, size);
    console.log(`  after ${String(size).padStart(6)} rows   ${await measure(store)}`);
    await store.close();
  }
}

/** Closed files, each as full as it gets, and a current one of 600 rows: the row that closes a file is a real append. */
async function fill(store: ObjectStore, size: number): Promise<void> {
  const remote = await remoteOf(store);
  let file: Uint8Array[] = [utf8(AUDIT_HEADER)];
  let [bytes, chain] = [0, ""];
  for (let number = 0; number < size; number++) {
    if (bytes > SEGMENT_BYTES || number === size - CURRENT_ROWS) {
      // A file that is not full is left out, so that the last one has as many rows in every log.
      if (bytes > 0) await store.put(`${PREFIX}audit.csv`, Buffer.concat(file));
      if (bytes <= SEGMENT_BYTES && number > 0) await store.delete(`${PREFIX}audit.csv`);
      await append(remote, number);
      const begun = (await store.get(`${PREFIX}audit.csv`))?.body as Uint8Array;
      [file, bytes, chain] = [[begun], begun.length, (await readLastChain(remote.keys, begun)) as string];
      continue;
    }
    const row = { ...ROW, gen: String(number + 1), meta: JSON.stringify({ id: idOf(number) }) };
    const encoded = await encodeAuditRow(remote.keys, row, chain);
    file.push(encoded.line);
    bytes += encoded.line.length;
    chain = encoded.chain;
  }
  await store.put(`${PREFIX}audit.csv`, Buffer.concat(file));
}

async function measure(store: ObjectStore): Promise<string> {
  const traffic: Traffic = { bytes: 0, requests: 0 };
  const remote = { ...(await remoteOf(counting(store, traffic))), singleWriter: false };
  const times: number[] = [];
  for (let number = 0; number < APPENDS; number++) {
    const before = process.cpuUsage();
    await append(remote, 1_000_000 + number);
    const { user, system } = process.cpuUsage(before);
    times.push((user + system) / 1000);
  }
  const kib = (traffic.bytes / APPENDS / 1024).toFixed(0);
  return `${median(times).toFixed(1).padStart(5)} ms of processor, ${kib.padStart(4)} KiB and ${(traffic.requests / APPENDS).toFixed(1)} requests each`;
}

async function append(remote: AuditRemote, number: number): Promise<void> {
  const meta = { id: idOf(number) };
  const event = { action: "push", versionTimestamp: "20260501-120000", generation: number + 1, meta };
  const options = { now: () => Date.UTC(2026, 4, 1) + number * 1000, pause: async () => undefined };
  const { warnings } = await appendAudit(remote, event, actor, options);
  if (warnings.length > 0) throw new Error(warnings.join("; "));
}

const idOf = (number: number): string => number.toString(16).padStart(16, "0");

async function remoteOf(store: ObjectStore): Promise<AuditRemote> {
  return { store, keys: await expandKeys(new Uint8Array(32).fill(7)), prefix: PREFIX, singleWriter: true };
}

function counting(store: ObjectStore, traffic: Traffic): ObjectStore {
  const count = (body: Uint8Array | undefined): void => {
    traffic.requests++;
    traffic.bytes += body?.length ?? 0;
  };
  return {
    ...store,
    get: async (key, options) => {
      const found = await store.get(key, options);
      count(found?.body);
      return found;
    },
    putIfAbsent: async (key, body, options) => {
      count(body);
      return await store.putIfAbsent(key, body, options);
    },
    putIfMatch: async (key, body, etag, options) => {
      count(body);
      return await store.putIfMatch(key, body, etag, options);
    },
  };
}
