// A vault that was pushed, and a server to open it from.

import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { gunzipSync, gzipSync } from "node:zlib";
import { type LatencyServer, startLatencyServer } from "./latency-server.ts";
import { makeShop } from "./shop.ts";

export interface ServedVault {
  /** What an application needs to open it. */
  readonly env: Readonly<Record<string, string>>;
  readonly server: LatencyServer;
}

export interface VaultOptions {
  readonly iterations?: number;
  /** Puts more into the vault folder before it is pushed. */
  readonly fill?: (folder: string) => void;
}

const PREFIX = "vsync-cfg-v1:";

/** 14 small files, one of them with 41 scalars, and what `fill` adds. */
export async function serveVault(
  folder: string,
  { iterations, fill }: VaultOptions = {},
): Promise<ServedVault> {
  mkdirSync(folder, { recursive: true });
  const shop = await makeShop(folder, { small: 14, ...(iterations !== undefined && { iterations }) });
  fill?.(shop.vault);
  await shop.vsync("push", "demo");
  await shop.vsync("passphrase", "show", "demo", "--out", join(folder, "passphrase"));
  const token = (await shop.vsync("runtime-token", "demo")).trim();
  const server = await startLatencyServer(shop.bucket);
  return {
    server,
    env: {
      VSYNC_CONFIG: throughServer(token, server.endpoint),
      VSYNC_PASSPHRASE_FILE: join(folder, "passphrase"),
    },
  };
}

/** The same configuration with another endpoint; the bucket behind it is the same folder. */
function throughServer(token: string, endpoint: string): string {
  const json = gunzipSync(Buffer.from(token.slice(PREFIX.length), "base64url")).toString();
  const config = { ...JSON.parse(json), endpoint, accessKeyId: "bench", secretAccessKey: "bench" };
  return PREFIX + gzipSync(JSON.stringify(config)).toString("base64url");
}
