// Runs the suite in workerd, the runtime of Cloudflare Workers: in-workerd.mjs <installed reader> <job> <compatibility date>

import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { Miniflare } from "miniflare";

const [, script, installed, job, compatibilityDate] = process.argv;
const exported = JSON.parse(readFileSync(join(installed, "package.json"), "utf8")).exports["."];

const WORKER = `
import * as reader from "./reader.mjs";
import { runSuite } from "./suite.mjs";
export default {
  async fetch(request) {
    return Response.json({ runtime: navigator.userAgent, results: await runSuite(reader, await request.json()) });
  },
};`;

const module = (path, contents) => ({ type: "ESModule", path, contents });
const miniflare = new Miniflare({
  compatibilityDate,
  modules: [
    module("worker.mjs", WORKER),
    module("suite.mjs", readFileSync(join(dirname(script), "suite.mjs"), "utf8")),
    module("reader.mjs", readFileSync(join(installed, exported.workerd), "utf8")),
  ],
});
try {
  const response = await miniflare.dispatchFetch("http://worker.test/", { method: "POST", body: job });
  console.log(await response.text());
} finally {
  await miniflare.dispose();
}
