// What `vsync doctor` finds out about an environment's bucket, by using it. The probes are removed again.

import { createHash } from "node:crypto";
import { toHex } from "@vsync/envelope";
import type { ObjectStore, StoredObject } from "@vsync/store";
import type { Context } from "../context.ts";
import { isPlainHttp } from "../setup/location.ts";
import { probeStore } from "../setup/store-probe.ts";
import { formatAge } from "../terminal.ts";
import { openBucket } from "../vault/bucket.ts";
import { manifestKey } from "../vault/remote.ts";
import { type Check, fail, failed, ok, warn } from "./check.ts";
import { checkManifest, type Keyed } from "./manifest.ts";

const MAX_PROBE_BYTES = 1024;
/** S3 refuses requests that are signed 15 minutes off. */
const SKEW_REFUSED_MS = 15 * 60_000;
const SKEW_ODD_MS = 2 * 60_000;
const METADATA = { gen: "1", "write-id": "probe", note: "a value with spaces" };

/** The passphrase is null where there is none to try. */
export interface Subject extends Omit<Keyed, "passphrase"> {
  readonly passphrase: string | null;
}

/** Ends at the first step that the others need and that does not work. */
export async function checkBucket(context: Context, subject: Subject): Promise<Check[]> {
  const { host } = context;
  const { env, config } = subject;
  const named = (check: Check): Check => ({ ...check, name: `${env}: ${check.name}` });
  try {
    const store = await openBucket(host, env, config.s3);
    try {
      const checks: Check[] = [];
      for await (const check of examine(context, store, subject)) checks.push(named(check));
      return checks;
    } finally {
      await store.close();
    }
  } catch (error) {
    return [named(failed("bucket", error))];
  }
}

async function* examine(
  { host, flags }: Context,
  store: ObjectStore,
  { passphrase, ...subject }: Subject,
): AsyncGenerator<Check> {
  const { prefix, s3, singleWriter = false } = subject.config;
  let manifest: StoredObject | null;
  try {
    manifest = await store.get(manifestKey(prefix), { maxBytes: MAX_PROBE_BYTES });
  } catch (error) {
    yield failed("bucket", error);
    return;
  }
  yield isPlainHttp(s3.endpoint)
    ? warn("bucket", `${store.description} answers, unencrypted on the way`, "use its https:// address")
    : ok("bucket", `${store.description} answers`);
  if (passphrase !== null) yield await checkManifest(host, store, { ...subject, passphrase });
  if (flags.dryRun) {
    yield* checkClock(manifest?.date ?? null, host.now());
    yield ok("write", "not tried out (dry run)");
    return;
  }
  yield* checkReadWrite(store, `${prefix}probe-${toHex(host.random(8))}`, () => host.now());
  yield await checkConditions(store, prefix, singleWriter, (size) => host.random(size));
  yield await checkList(store, prefix);
}

async function* checkReadWrite(store: ObjectStore, key: string, now: () => number): AsyncGenerator<Check> {
  const body = new TextEncoder().encode(`vsync doctor, ${key}`);
  let written: { readonly etag: string };
  try {
    written = await store.put(key, body, { metadata: METADATA });
    yield ok("write", "a probe was written");
  } catch (error) {
    yield failed("write", error);
    return;
  }
  let found: StoredObject | null = null;
  try {
    found = await store.get(key, { maxBytes: MAX_PROBE_BYTES });
    yield found !== null && Buffer.compare(found.body, body) === 0
      ? ok("read", "the probe came back as it was")
      : fail(
          "read",
          "CORRUPT",
          "the probe did not come back as it was written",
          "ask who runs the server, or what stands before it",
        );
  } catch (error) {
    yield failed("read", error);
  }
  if (found !== null) {
    yield* checkClock(found.date, now());
    yield checkMetadata(found);
    yield checkEtag(found, written.etag);
  }
  try {
    await store.delete(key);
    yield ok("delete", "the probe was removed; only probes ever are");
  } catch {
    yield warn(
      "delete",
      `the probe ${key} could not be removed`,
      "it is harmless; vsync needs no right to delete",
    );
  }
}

function* checkClock(date: Date | null, nowMs: number): Generator<Check> {
  if (date === null) return; // a folder has no other clock than this machine's
  const skew = nowMs - date.getTime();
  const says = `this machine is ${formatAge(Math.abs(skew))} ${skew < 0 ? "behind" : "ahead of"} the server`;
  const fix = "set the clock: turn on network time";
  if (Math.abs(skew) >= SKEW_REFUSED_MS) yield fail("clock", "ACCESS_DENIED", says, fix);
  else if (Math.abs(skew) >= SKEW_ODD_MS) yield warn("clock", says, fix);
  else yield ok("clock", "this machine's and the server's agree");
}

function checkMetadata({ metadata }: StoredObject): Check {
  const lost = Object.entries(METADATA).filter(([name, value]) => metadata[name] !== value);
  if (lost.length === 0) return ok("metadata", "comes back as it was written");
  const says = `${lost.map(([name]) => name).join(", ")} did not come back as written: manifests would have no seal`;
  return fail(
    "metadata",
    "CORRUPT",
    says,
    "find what drops x-amz-meta- headers: the server, or a proxy before it",
  );
}

function checkEtag({ etag, body }: StoredObject, written: string): Check {
  if (etag !== written) {
    const says = `a write answered ${written} and a read ${etag}`;
    return fail(
      "etag",
      "UNSAFE_STORE",
      says,
      "use another server, or accept one writer at a time: vsync init <env> --edit --single-writer",
    );
  }
  const isMd5 = etag === createHash("md5").update(body).digest("hex");
  return ok("etag", isMd5 ? "the MD5 of the content" : "the server's own, the same for writes and reads");
}

async function checkConditions(
  store: ObjectStore,
  prefix: string,
  singleWriter: boolean,
  random: (size: number) => Uint8Array,
): Promise<Check> {
  const name = "conditional writes";
  try {
    const { conditionalWrites } = await probeStore(store, prefix, random);
    if (conditionalWrites) return ok(name, "of 8 writers at once exactly one won, twice");
  } catch (error) {
    return failed(name, error);
  }
  const says = "not honoured: two people who push at once would lose one's work";
  if (singleWriter) return warn(name, `${says}; on your word only one does`, "agree on who pushes");
  return fail(name, "UNSAFE_STORE", says, "use another server, or: vsync init <env> --edit --single-writer");
}

async function checkList(store: ObjectStore, prefix: string): Promise<Check> {
  try {
    for await (const _ of store.list(`${prefix}v=`)) break;
    return ok("list", "versions can be listed");
  } catch (error) {
    const { says } = failed("list", error);
    return warn("list", says, "vsync doctor --iam prints a policy with that right");
  }
}
