// What a push costs: a small vault, and 100 MB that do not compress.

import { randomBytes } from "node:crypto";
import { appendFileSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { cold, interleave, row } from "./harness.ts";
import { unitCase } from "./programs.ts";
import { makeShop, type Shop, VSYNC } from "./shop.ts";

const MEGABYTE = 1_000_000;

export async function benchPush(folder: string): Promise<void> {
  console.log("\nPush to a folder bucket, something new each time");
  mkdirSync(folder, { recursive: true });
  const small = makeShop(join(folder, "small"), { small: 14 });
  const large = makeShop(join(folder, "large"), { small: 1 });
  writeFileSync(join(large.vault, "large.bin"), randomBytes(100 * MEGABYTE));
  const results = await interleave([
    unitCase(),
    { name: "push of 14 small files", run: () => push(small) },
    {
      name: "push of 14 small files, nothing changed",
      run: () => cold([VSYNC, "push", "demo"], { cwd: small.root, env: small.env }),
    },
    { name: "push of 100 MB", run: () => push(large) },
  ]);
  const [unit] = [...results.values()];
  if (!unit) return;
  for (const measured of results.values()) console.log(row(measured, unit));
}

function push(shop: Shop): Promise<number> {
  appendFileSync(join(shop.vault, ".env.demo"), "MORE=1\n");
  return cold([VSYNC, "push", "demo"], { cwd: shop.root, env: shop.env });
}
