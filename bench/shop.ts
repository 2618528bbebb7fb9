// A repository with one environment, made by the built command, for benchmarks to push and open.

import { execFile } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { promisify } from "node:util";

export const VSYNC: string = join(dirname(fileURLToPath(import.meta.url)), "../packages/cli/dist/main.js");

export interface Shop {
  readonly root: string;
  readonly vault: string;
  readonly bucket: string;
  readonly env: Readonly<Record<string, string>>;
  /** Runs the command to its end and gives its standard output. */
  vsync(...args: string[]): Promise<string>;
}

export interface ShopOptions {
  /** How many files of a few hundred bytes its vault has. */
  readonly small: number;
  readonly iterations?: number;
  /** A bucket on a server; otherwise it is a folder below `folder`. */
  readonly s3?: BucketOnServer;
}

export interface BucketOnServer {
  readonly endpoint: string;
  readonly bucket: string;
  readonly credentials: { readonly accessKeyId: string; readonly secretAccessKey: string };
}

/** `init` of the environment `demo` below `folder`. */
export async function makeShop(
  folder: string,
  { small, iterations = 600_000, s3 }: ShopOptions,
): Promise<Shop> {
  const root = join(folder, "shop");
  const vault = join(root, "infra/vault/demo");
  mkdirSync(root, { recursive: true });
  const env = {
    XDG_CONFIG_HOME: join(folder, "config"),
    XDG_STATE_HOME: join(folder, "state"),
    VSYNC_KEYSTORE: `file:${join(folder, "keystore")}`,
    ...(s3 && {
      AWS_ACCESS_KEY_ID: s3.credentials.accessKeyId,
      AWS_SECRET_ACCESS_KEY: s3.credentials.secretAccessKey,
    }),
  };
  const run = promisify(execFile);
  const vsync = async (...args: string[]): Promise<string> =>
    (await run(process.execPath, [VSYNC, ...args], { cwd: root, env: { ...process.env, ...env } })).stdout;
  await run("git", ["init", "--quiet"], { cwd: root });
  const { endpoint, bucket } = s3 ?? { endpoint: pathToFileURL(folder).href, bucket: "bucket" };
  const place = ["--endpoint", endpoint, "--bucket", bucket];
  await vsync("init", "demo", "--repo", "shop", ...place, "--iterations", String(iterations));
  const scalars = Array.from({ length: 40 }, (_, i) => `NAME_${i}=${"value ".repeat(i % 7)}${i}`);
  writeFileSync(
    join(vault, ".env.demo"),
    `DATABASE_URL=postgres://shop@db.example/shop\n${scalars.join("\n")}\n`,
  );
  for (let i = 1; i < small; i += 1)
    writeFileSync(join(vault, `file-${i}.json`), JSON.stringify({ i, text: "text ".repeat(40 + i) }));
  return { root, vault, bucket: join(folder, "bucket"), env, vsync };
}
