// The S3 store against the contract of every store, on a real server.

import { describeWithS3 } from "../../../test/s3-suite.ts";
import { openStore } from "../src/index.ts";
import { describeContract } from "./contract.ts";

describeWithS3("a real S3 server", ({ location, prefix }) => {
  describeContract("the S3 store", {
    open: () => openStore(location),
    openMissingBucket: () => openStore({ ...location, bucket: `${location.bucket}-that-is-not-there` }),
    openWithWrongSecret: () => openStore({ ...location, secretAccessKey: "wrong" }),
    prefix,
    etagCoversMetadata: false,
    holdsEmptyParts: true,
    pageSize: 1000,
    conditions: "kept",
  });
});
