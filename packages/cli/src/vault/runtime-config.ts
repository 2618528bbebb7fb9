// What VSYNC_CONFIG says, from what this machine knows of an environment. docs/formats.md section 8.

import type { VaultConfig } from "@vsync/envelope";
import type { Credentials } from "@vsync/store";
import type { EnvConfig } from "../config/env-config.ts";

/** `minGen` null: the vault has no seal, and readers must not ask for one. */
export function runtimeConfig(
  env: string,
  { s3, prefix, encryption }: EnvConfig,
  credentials: Credentials,
  minGen: number | null,
): VaultConfig {
  const { endpoint, region, bucket } = s3;
  const { accessKeyId, secretAccessKey, sessionToken } = credentials;
  const { salt, iterations } = encryption;
  const location = { endpoint, region, bucket, accessKeyId, secretAccessKey, prefix };
  return {
    ...location,
    env,
    salt,
    iterations,
    ...(minGen !== null && { minGen }),
    ...(sessionToken !== undefined && { sessionToken }),
  };
}
