// The fake server in each of its profiles against the contract of every store.

import { afterAll, beforeAll, describe } from "vitest";
import { openStore } from "../src/index.ts";
import { describeContract, type Subject } from "./contract.ts";
import { type FakeS3, type Profile, startFakeS3 } from "./fake-s3.ts";

const PROFILES: readonly [Profile, Subject["conditions"]][] = [
  ["aws", "kept"],
  ["ceph16", "kept"],
  ["minio", "kept"],
  ["spaces", "kept"],
  ["b2", "refused"],
  ["ignores-conditions", "ignored"],
];

for (const [profile, conditions] of PROFILES) {
  describe(`the fake as ${profile}`, () => {
    let fake: FakeS3;
    beforeAll(async () => {
      fake = await startFakeS3({ profile, pageSize: 20 });
    });
    afterAll(() => fake.close());

    describeContract("the S3 store", {
      open: () => openStore(fake.location),
      openMissingBucket: () => openStore({ ...fake.location, bucket: "missing" }),
      openWithWrongSecret: () => openStore({ ...fake.location, secretAccessKey: "wrong" }),
      prefix: "contract/",
      etagCoversMetadata: false,
      holdsEmptyParts: true,
      pageSize: 20,
      conditions,
    });
  });
}
