// A reader between the requests of which somebody publishes: it has the state before or the one after, never a mixture.

import { expect, test } from "vitest";
import { openWith } from "../src/index.ts";
import { serveS3 } from "./s3-loopback.ts";
import { blob, makeVault, PASSPHRASE, type TestVault } from "./vault-fixture.ts";

/** The vault as its n-th push leaves it: each value and each file says which one that was. */
function pushed(n: number): Promise<TestVault> {
  const text = String(n);
  return makeVault({
    generation: n,
    timestamp: `20260102-0304${text.padStart(2, "0")}`,
    files: { ".env.prod": `PUSH=${text}\n`, "push.txt": text },
  });
}

function publish(to: TestVault, from: TestVault): void {
  // As a writer does it: the bundle first, and only the manifest replaced.
  for (const [key, object] of [...from.objects].reverse()) to.objects.set(key, object);
}

test("a push between the two requests: the vault from before, whole", async () => {
  const vault = await pushed(1);
  const next = await pushed(2);
  await using server = await serveS3(vault.objects, ({ method, url = "" }) => {
    if (method === "GET" && !url.endsWith("/manifest")) publish(vault, next);
    return false;
  });
  const config = await blob(vault, { endpoint: server.endpoint, minGen: 1 });
  await using v = await openWith({ config, passphrase: PASSPHRASE });
  expect([v.generation(), v.getEnv("PUSH"), Buffer.from(v.getAsContent("push.txt")).toString()]).toEqual([
    1,
    "1",
    "1",
  ]);
  expect(await v.hasNewVersion()).toBe(true);
  await using after = await openWith({ config, passphrase: PASSPHRASE });
  expect([after.generation(), after.getEnv("PUSH")]).toEqual([2, "2"]);
});

test("a rotation between the two requests: the vault from before, under the passphrase from before", async () => {
  const vault = await pushed(1);
  const next = await makeVault({ generation: 2, passphrase: "the passphrase after rotation" });
  await using server = await serveS3(vault.objects, ({ url = "" }) => {
    if (!url.endsWith("/manifest")) publish(vault, next);
    return false;
  });
  const config = await blob(vault, { endpoint: server.endpoint, minGen: 1 });
  await using v = await openWith({ config, passphrase: PASSPHRASE });
  expect([v.generation(), v.getEnv("PUSH")]).toEqual([1, "1"]);
  await expect(openWith({ config, passphrase: PASSPHRASE })).rejects.toMatchObject({
    code: "VSYNC_WRONG_PASSPHRASE",
  });
});

test("many readers while one push follows the other: each has one push, and all of it", async () => {
  const vault = await pushed(1);
  const pushes = await Promise.all(Array.from({ length: 20 }, (_, i) => pushed(i + 2)));
  await using server = await serveS3(vault.objects, () => {
    const next = pushes.shift();
    if (next !== undefined) publish(vault, next);
    return false;
  });
  const config = await blob(vault, { endpoint: server.endpoint, minGen: 1 });
  const opened = await Promise.all(
    Array.from({ length: 12 }, () => openWith({ config, passphrase: PASSPHRASE })),
  );
  for (const v of opened) {
    const generation = String(v.generation());
    expect([v.getEnv("PUSH"), Buffer.from(v.getAsContent("push.txt")).toString()]).toEqual([
      generation,
      generation,
    ]);
  }
  expect(new Set(opened.map((v) => v.generation())).size).toBeGreaterThan(1);
  expect(pushes).toEqual([]);
});
