// What a push costs, on a folder bucket: a small vault, 100 MB that do not shrink, 100 MB of text.

import { appendFileSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { cold, interleave, type Measured, row } from "./harness.ts";
import { fillWithNoise, fillWithText } from "./large-files.ts";
import { program, unitCase } from "./programs.ts";
import { makeShop, type Shop, VSYNC } from "./shop.ts";

const LARGE = { "100 MB that does not shrink": fillWithNoise, "100 MB of text": fillWithText };

export async function benchPush(folder: string): Promise<void> {
  mkdirSync(folder, { recursive: true });
  const small = makeShop(join(folder, "small"), { small: 14 });
  console.log("\nPush to a folder bucket, something new each time (goal for 14 files: 1.30 x)");
  report(
    await interleave([
      unitCase(),
      { name: "14 small files", run: () => push(small) },
      {
        name: "14 small files, nothing changed",
        run: () => cold([VSYNC, "push", "demo"], { cwd: small.root, env: small.env }),
      },
    ]),
  );
  for (const [name, fill] of Object.entries(LARGE)) {
    const shop = makeShop(join(folder, name), { small: 1 });
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

function report(results: ReadonlyMap<string, Measured>): void {
  const [unit] = [...results.values()];
  if (!unit) return;
  for (const measured of results.values()) console.log(row(measured, unit));
}

function push(shop: Shop): Promise<number> {
  appendFileSync(join(shop.vault, ".env.demo"), "MORE=1\n");
  return cold([VSYNC, "push", "demo"], { cwd: shop.root, env: shop.env });
}
