// Runs the suite in the process it was started as: Node, Bun or Deno. Lies beside an installed reader when it runs.

import process from "node:process";
import * as reader from "@muthuishere/vsync-s3-client";
import { runSuite } from "./suite.mjs";

const results = await runSuite(reader, JSON.parse(process.argv[2]));
const { bun, deno, node } = process.versions;
console.log(JSON.stringify({ runtime: bun ?? deno ?? node, results }));
