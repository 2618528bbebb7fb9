// The AWS SDK's S3 client, told everything it would otherwise look up, and carried by our transport.

import { S3Client, type S3ClientConfig } from "@aws-sdk/client-s3";
import { state as nodeVersionNotice } from "@aws-sdk/core/client";
import { resolveCredentials } from "./credentials.ts";
import type { StoreLocation, StoreOptions } from "./open-store.ts";
import { createTransport } from "./s3-transport.ts";

export function createClient(endpoint: URL, location: StoreLocation, options: StoreOptions): S3Client {
  // The SDK's notice that it will leave Node 20 one day is for those who choose its version, not for vsync's users.
  nodeVersionNotice.warningEmitted = true;
  const transport = createTransport({
    connectMs: options.connectTimeoutMs ?? 10_000,
    silenceMs: options.silenceTimeoutMs ?? 20_000,
  });
  return new S3Client({
    endpoint: endpoint.href,
    region: location.region,
    forcePathStyle: true,
    // Asked before the first request, and again when those it gave are about to expire.
    credentials: () => resolveCredentials(location, options.env ?? process.env),
    requestHandler: transport as NonNullable<S3ClientConfig["requestHandler"]>,
    // Older MinIO, Ceph, R2, B2 and GCS refuse or ignore the checksums that are sent otherwise.
    requestChecksumCalculation: "WHEN_REQUIRED",
    responseChecksumValidation: "WHEN_REQUIRED",
    maxAttempts: 1, // ours are counted above
    retryMode: "standard",
    // Each of these would otherwise be looked up in the environment and in ~/.aws, which are not vsync's to follow.
    defaultsMode: "standard",
    ignoreConfiguredEndpointUrls: true,
    useArnRegion: false,
    useDualstackEndpoint: false,
    useFipsEndpoint: false,
    disableS3ExpressSessionAuth: true,
    authSchemePreference: ["sigv4"],
    disableClockSkewCorrection: true, // a wrong clock is reported, not worked around from the second request on
    sigv4aSigningRegionSet: [location.region],
    userAgentAppId: "vsync",
  } as S3ClientConfig);
}
