// The buckets that whole-system tests run on: a folder always, a real S3 server where there is one.

import { pathToFileURL } from "node:url";
import { describe } from "vitest";
import { describeWithS3 } from "./s3-suite.ts";

/** What `vsync init` is given for a fresh place in a bucket. */
export interface Place {
  readonly flags: readonly string[];
  /** For `--secret-key-file -`. */
  readonly input?: string;
}

/** Describes the same for a bucket in a folder and for one on S3. `place` takes a folder that belongs to the test. */
export function describeOnBuckets(what: string, body: (place: (folder: string) => Place) => void): void {
  describe(`${what}, in a folder bucket`, () => {
    body((folder) => ({ flags: ["--endpoint", pathToFileURL(folder).href, "--bucket", "bucket"] }));
  });
  describeWithS3(`${what}, on S3`, ({ location, prefix }) => {
    const { endpoint, region, bucket, accessKeyId, secretAccessKey } = location;
    const where = ["--endpoint", endpoint, "--region", region, "--bucket", bucket, "--prefix", prefix];
    body(() => ({
      flags: [...where, "--access-key", accessKeyId, "--secret-key-file", "-"],
      input: secretAccessKey,
    }));
  });
}
