// An AWS profile, as the AWS SDK understands it: keys, roles, SSO, processes, containers and instances.

import { state as nodeVersionNotice } from "@aws-sdk/core/client";
import { fromIni } from "@aws-sdk/credential-provider-ini";
import { defaultProvider } from "@aws-sdk/credential-provider-node";
import { loadConfig, NODE_REGION_CONFIG_FILE_OPTIONS, NODE_REGION_CONFIG_OPTIONS } from "@smithy/core/config";
import type { Credentials } from "./credentials.ts";

/** Longest that SSO, STS or a process may take. */
const LIMIT_MS = 30_000;

/** The SDK would warn on the console. */
const QUIET = { debug() {}, info() {}, warn() {}, error() {} };

/**
 * `default` is what AWS's own tools use when no profile is named: variables, the default profile, web identity, the
 * container's or the instance's role. Any other name is that profile and nothing else. Rejects with the SDK's error.
 */
export async function profileCredentials(profile: string, region: string): Promise<Credentials> {
  // The SDK's notice that it will leave Node 20 one day is for those who choose its version, not for vsync's users.
  nodeVersionNotice.warningEmitted = true;
  const options = { logger: QUIET, parentClientConfig: { region } };
  const provider = profile === "default" ? defaultProvider(options) : fromIni({ ...options, profile });
  let timer: NodeJS.Timeout | undefined;
  const silence = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`no answer in ${LIMIT_MS / 1000} s`)), LIMIT_MS);
  });
  return await Promise.race([provider(), silence]).finally(() => clearTimeout(timer));
}

/** The region that a profile names, or null. */
export async function profileRegion(profile: string): Promise<string | null> {
  const options = {
    ...NODE_REGION_CONFIG_FILE_OPTIONS,
    ...(profile !== "default" && { profile }),
  };
  try {
    return await loadConfig(NODE_REGION_CONFIG_OPTIONS, options)();
  } catch {
    return null; // it names none, or is not there: whoever needs one says so
  }
}
