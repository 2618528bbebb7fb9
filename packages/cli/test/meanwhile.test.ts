// What another vsync does on this machine while a command that sets up an environment waits for its bucket.

import { join } from "node:path";
import { beforeEach, expect, onTestFinished, test } from "vitest";
import { type FakeS3, startFakeS3 } from "../../store/test/fake-s3.ts";
import { init } from "../src/commands/init.ts";
import { keystoreExport } from "../src/commands/keystore-export.ts";
import { keystoreImport } from "../src/commands/keystore-import.ts";
import { pull } from "../src/commands/pull.ts";
import { push } from "../src/commands/push.ts";
import { rotatePassphrase } from "../src/commands/rotate-passphrase.ts";
import { set } from "../src/commands/set.ts";
import { shareExport } from "../src/commands/share-export.ts";
import { shareImport } from "../src/commands/share-import.ts";
import { openKeystore } from "../src/keys/keystore.ts";
import { makeWorkplace, type Workplace } from "./workplace.ts";

const env = "demo";
const account = "acme_shop/demo";

let s3: FakeS3;
let place: Workplace;
let words: string | null;

const context = () =>
  place.context({
    env: {
      AWS_ACCESS_KEY_ID: s3.credentials.accessKeyId,
      AWS_SECRET_ACCESS_KEY: s3.credentials.secretAccessKey,
      ...(words !== null && { VSYNC_SHARE_PASSPHRASE: words }),
    },
  });
const stored = async (of = account) => await (await openKeystore(place.context().host)).get(of);
const location = () => ({ endpoint: s3.endpoint, bucket: s3.bucket, iterations: 100_000 });

beforeEach(async () => {
  s3 = await startFakeS3();
  onTestFinished(() => s3.close());
  place = makeWorkplace();
  words = null;
  await init(context(), { env, ...location() });
  await set(place.context({ stdin: "one" }), { env, name: "VALUE", source: "-" });
  await push(context(), { env });
});

/** Runs a command up to its first request for the key, then `meanwhile`, then the rest. */
async function withMeanwhile(
  { method, key }: { readonly method: string; readonly key: RegExp },
  command: () => Promise<unknown>,
  meanwhile: () => Promise<unknown>,
): Promise<unknown> {
  let go = (): void => undefined;
  const hold = new Promise<void>((resolve) => {
    go = resolve;
  });
  s3.inject({ method, key, times: 1, fault: { hold, when: "after" } });
  const before = s3.requests.length;
  const ended = command().catch((error: unknown) => error);
  await expect.poll(() => s3.requests.slice(before).some((request) => key.test(request.key))).toBe(true);
  await meanwhile();
  go();
  return await ended;
}

const MANIFEST = { method: "GET", key: /manifest$/ };
const CHANGED = {
  code: "CONFLICT",
  message: expect.stringContaining("another vsync has changed"),
  hint: expect.stringContaining("run the same command again"),
};

test.each([
  [
    "share import",
    async () => {
      const file = join(place.folder, "demo.share");
      words = (await shareExport(context(), { env, out: file })).passphrase;
      return async () => await shareImport(context(), { file });
    },
  ],
  [
    "keystore import",
    async () => {
      const file = join(place.folder, "demo.keys");
      words = (await keystoreExport(context(), { names: [env], out: file })).passphrase;
      return async () => await keystoreImport(context(), { file });
    },
  ],
])("%s of what is here already takes nothing back of a rotation that came in between", async (_, prepare) => {
  const command = await prepare();
  const rotate = async () => await rotatePassphrase(context(), { env });
  expect(await withMeanwhile(MANIFEST, command, rotate)).toMatchObject(CHANGED);
  const inForce = await stored();
  await pull(context(), { env });
  await expect(command()).rejects.toMatchObject({ code: "WRONG_PASSPHRASE" });
  expect(await stored()).toBe(inForce);
});

test("init --overwrite keeps the passphrase that a rotation brought into force in between", async () => {
  const before = await stored();
  const command = async () => await init(context(), { env, ...location(), prefix: "new", overwrite: true });
  const rotate = async () => await rotatePassphrase(context(), { env });
  expect(await withMeanwhile({ method: "HEAD", key: /^new\// }, command, rotate)).toMatchObject(CHANGED);
  const rotated = await stored();
  expect(rotated).not.toBe(before);
  await pull(context(), { env });
  await command();
  expect(await stored(`${account}#replaced`)).toBe(rotated);
});

test("init --edit takes nothing back of another one that came in between", async () => {
  const edit = async (region: string) =>
    await init(context(), { env, edit: true, bucket: s3.bucket, region, prefix: "new" });
  const other = async () => await init(context(), { env, edit: true, audit: false });
  const ended = await withMeanwhile({ method: "HEAD", key: /^new\// }, () => edit(s3.region), other);
  expect(ended).toMatchObject(CHANGED);
});
