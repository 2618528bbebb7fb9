// A repository with one environment on a folder bucket, made by the built command, for benchmarks to push and open.

import { execFileSync } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";

export const VSYNC: string = join(dirname(fileURLToPath(import.meta.url)), "../packages/cli/dist/main.js");

export interface Shop {
  readonly root: string;
  readonly vault: string;
  readonly bucket: string;
  readonly env: Readonly<Record<string, string>>;
  /** Runs the command to its end and gives its standard output. */
  vsync(...args: string[]): string;
}

export interface ShopOptions {
  /** How many files of a few hundred bytes its vault has. */
  readonly small: number;
  readonly iterations?: number;
}

/** `init` of the environment `demo` below `folder`. */
export function makeShop(folder: string, { small, iterations = 600_000 }: ShopOptions): Shop {
  const root = join(folder, "shop");
  const vault = join(root, "infra/vault/demo");
  mkdirSync(root, { recursive: true });
  const env = {
    XDG_CONFIG_HOME: join(folder, "config"),
    XDG_STATE_HOME: join(folder, "state"),
    VSYNC_KEYSTORE: `file:${join(folder, "keystore")}`,
  };
  const vsync = (...args: string[]): string =>
    execFileSync(process.execPath, [VSYNC, ...args], {
      cwd: root,
      encoding: "utf8",
      env: { ...process.env, ...env },
      stdio: ["ignore", "pipe", "pipe"],
    });
  execFileSync("git", ["init", "--quiet"], { cwd: root });
  const bucket = ["--endpoint", pathToFileURL(folder).href, "--bucket", "bucket"];
  vsync("init", "demo", "--repo", "shop", ...bucket, "--iterations", String(iterations));
  const scalars = Array.from({ length: 40 }, (_, i) => `NAME_${i}=${"value ".repeat(i % 7)}${i}`);
  writeFileSync(
    join(vault, ".env.demo"),
    `DATABASE_URL=postgres://shop@db.example/shop\n${scalars.join("\n")}\n`,
  );
  for (let i = 1; i < small; i += 1)
    writeFileSync(join(vault, `file-${i}.json`), JSON.stringify({ i, text: "text ".repeat(40 + i) }));
  return { root, vault, bucket: join(folder, "bucket"), env, vsync };
}
