// What a push costs: a small vault over HTTP and into a folder, 100 MB that do not shrink, 100 MB of text.

import { appendFileSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { startFakeS3 } from "../packages/store/test/fake-s3.ts";
import { cold, interleave, type Measured, row } from "./harness.ts";
import { fillWithNoise, fillWithText } from "./large-files.ts";
import { program, unitCase } from "./programs.ts";
import { makeShop, type Shop, VSYNC } from "./shop.ts";
import { startSlowLink } from "./slow-link.ts";

const LARGE = { "100 MB that does not shrink": fillWithNoise, "100 MB of text": fillWithText };

const DELAYS = [0, 20, 80];

export async function benchPush(folder: string): Promise<void> {
  mkdirSync(folder, { recursive: true });
  await benchOverHttp(join(folder, "http"));
  const small = await makeShop(join(folder, "small"), { small: 14 });
  console.log("\nPush of 14 small files to a folder bucket, something new each time");
  report(
    await interleave([
      unitCase(),
      { name: "push", run: () => push(small) },
      {
        name: "push, nothing changed",
        run: () => cold([VSYNC, "push", "demo"], { cwd: small.root, env: small.env }),
      },
    ]),
  );
  for (const [name, fill] of Object.entries(process.env.NOLARGE ? {} : LARGE)) {
    const shop = await makeShop(join(folder, name), { small: 1 });
    fill(shop.vault);
    console.log(`\nPush of ${name} against deflate, AES-GCM and SHA-256 of the same files (goal: 1.50 x)`);
    report(
      await interleave([
        { name: "node:zlib and node:crypto", run: () => cold([program("pack"), shop.vault]) },
        { name: "push", run: () => push(shop) },
      ]),
    );
  }
}

/** The least that a push can do over a network, and a push. */
async function benchOverHttp(folder: string): Promise<void> {
  const server = await startFakeS3();
  const link = await startSlowLink(server.endpoint);
  const { bucket, credentials } = server;
  const shop = await makeShop(folder, { small: 14, s3: { endpoint: link.endpoint, bucket, credentials } });
  for (const delay of DELAYS) {
    const late = (run: () => Promise<number>) => () => {
      link.delay = delay;
      return run();
    };
    console.log(`\nPush of 14 small files over HTTP, answers after ${delay} ms (goal: 1.30 x)`);
    report(
      await interleave([
        {
          name: "one PBKDF2, then four requests one by one",
          run: late(() => cold([program("derive-then-ask")], { env: { BENCH_ENDPOINT: link.endpoint } })),
        },
        { name: "push", run: late(() => push(shop)) },
      ]),
    );
  }
  link.close();
  await server.close();
}

function report(results: ReadonlyMap<string, Measured>): void {
  const [unit] = [...results.values()];
  if (!unit) return;
  for (const measured of results.values()) console.log(row(measured, unit));
}

function push(shop: Shop): Promise<number> {
  appendFileSync(join(shop.vault, ".env.demo"), "MORE=1\n");
  return cold([VSYNC, "push", "demo"], { cwd: shop.root, env: shop.env });
}
