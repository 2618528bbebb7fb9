// Runs the suite in a page in headless Chromium: in-chromium.mjs <installed reader> <job> <Chromium's path>

import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { chromium } from "playwright-core";

const [, script, installed, job, executablePath] = process.argv;
const exported = JSON.parse(readFileSync(join(installed, "package.json"), "utf8")).exports["."];
const PAGES = {
  "/": ["text/html", "<!doctype html><title>vsync</title>"],
  "/suite.mjs": ["text/javascript", readFileSync(join(dirname(script), "suite.mjs"))],
  "/reader.mjs": ["text/javascript", readFileSync(join(installed, exported.browser))],
};

const server = createServer((request, response) => {
  const page = PAGES[request.url ?? ""];
  if (page === undefined) return response.writeHead(404).end();
  response.writeHead(200, { "content-type": page[0] }).end(page[1]);
});
server.listen(0, "127.0.0.1");
await new Promise((listening) => server.once("listening", listening));
const profile = mkdtempSync(join(tmpdir(), "vsync-chromium-"));

// Nothing but the page may use the network: what Chromium fetches by itself is refused on many machines, and slow there.
const args = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];
const browser = await chromium.launchPersistentContext(profile, { executablePath, headless: true, args });
try {
  const page = await browser.newPage();
  await page.goto(`http://127.0.0.1:${server.address().port}/`);
  const results = await page.evaluate(async (job) => {
    const [reader, { runSuite }] = await Promise.all([import("/reader.mjs"), import("/suite.mjs")]);
    return runSuite(reader, job);
  }, JSON.parse(job));
  console.log(JSON.stringify({ runtime: browser.browser()?.version(), results }));
} finally {
  await browser.close();
  server.close();
  rmSync(profile, { recursive: true, force: true });
}
