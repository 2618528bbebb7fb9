// How a suite asks for the run's S3 server.

import { randomBytes } from "node:crypto";
import { describe, inject } from "vitest";
import type { TestS3 } from "./s3-server.ts";

const NOWHERE: TestS3 = {
  location: {
    endpoint: "http://127.0.0.1:9",
    region: "none",
    bucket: "none",
    accessKeyId: "none",
    secretAccessKey: "none",
  },
  prefix: "none/",
};

/**
 * `describe` with the S3 server and a prefix that no other suite uses. Where there is no server its tests are listed
 * as skipped (test/s3-server.ts has then said why, or failed the run).
 */
export function describeWithS3(name: string, body: (s3: TestS3) => void): void {
  const { location, prefix } = inject("s3") ?? NOWHERE;
  describe.skipIf(location === NOWHERE.location)(name, () => {
    body({ location, prefix: `${prefix}${randomBytes(6).toString("hex")}/` });
  });
}
