// The folder store against the contract of every store.

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { afterAll } from "vitest";
import { openStore } from "../src/index.ts";
import { describeContract } from "./contract.ts";

const folder = mkdtempSync(join(tmpdir(), "vsync folder%20é-"));
const location = {
  endpoint: pathToFileURL(folder).href,
  region: "",
  bucket: "bucket",
  accessKeyId: "",
  secretAccessKey: "",
};

afterAll(() => rmSync(folder, { recursive: true }));

describeContract("the folder store", {
  open: () => openStore(location, { createBucket: true }),
  openMissingBucket: () => openStore({ ...location, bucket: "missing" }),
  openWithWrongSecret: null,
  prefix: "contract/",
  etagCoversMetadata: true,
  holdsEmptyParts: false,
  pageSize: 1000,
  conditions: "kept",
});
