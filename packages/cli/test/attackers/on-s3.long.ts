import { describeWithS3 } from "../../../../test/s3-suite.ts";
import { testWriter } from "./table.ts";
import { makeVictims } from "./victims.ts";

describeWithS3("somebody who can write a bucket on S3, and has no key", (s3) =>
  testWriter(() => makeVictims(s3)),
);
