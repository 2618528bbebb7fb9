// Somebody who can write the bucket, and has no key. docs/threat-model.md says the same in words. The whole table in a folder
// bucket; of each kind one on S3, where a change of metadata leaves the ETag as it was: all of them in on-s3.long.ts.

import { describe } from "vitest";
import { describeWithS3 } from "../../../../test/s3-suite.ts";
import { testWriter } from "./table.ts";
import { makeVictims } from "./victims.ts";

const WHO = "somebody who can write the bucket, and has no key";

describe(WHO, () => testWriter(makeVictims));

describeWithS3(`${WHO}, on S3`, (s3) =>
  testWriter(
    () => makeVictims(s3),
    [
      "nothing is attacked",
      "puts back manifest and bundle of generation 2",
      "cuts the bundle",
      "deletes the manifest",
      "strips the seal",
      "splices in a grace",
      "cuts the history off",
      "cuts rows off the audit log",
    ],
  ),
);
