// The built site in a real browser, on a desktop's screen and on a phone's: every page fits, says nothing to the console,
// asks nobody but its own server, and is found by a search that has no server behind it.

import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, posix } from "node:path";
import { type BrowserContext, chromium, type Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { pages, read, type Served, serve } from "./served.ts";

const SCREENS = [
  { name: "a desktop", width: 1280, height: 900 },
  { name: "a phone", width: 390, height: 844 },
];

// What Chromium fetches by itself is refused on many machines, and slow there.
const ARGUMENTS = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

const program = findChromium();

let site: Served;
let profile: string;
let browser: BrowserContext;
/** What went wrong in any page since it was last looked at. */
let complaints: string[];

beforeAll(async () => {
  site = await serve();
  profile = mkdtempSync(join(tmpdir(), "vsync-site-"));
  browser = await chromium.launchPersistentContext(profile, {
    executablePath: program,
    headless: true,
    args: ARGUMENTS,
  });
  browser.on("request", (request) => {
    const url = request.url();
    if (!url.startsWith(site.origin) && !url.startsWith("data:")) complaints.push(`asked for ${url}`);
  });
  browser.on("response", (response) => {
    if (response.status() >= 400) complaints.push(`${response.status()} ${response.url()}`);
  });
  browser.on("console", (message) => {
    if (["error", "warning"].includes(message.type()))
      complaints.push(`${message.type()}: ${message.text()}`);
  });
  browser.on("weberror", (error) => complaints.push(String(error.error())));
});

afterAll(async () => {
  await browser?.close();
  await site?.close();
  if (profile !== undefined) rmSync(profile, { recursive: true, force: true });
});

async function openPage(screen: { width: number; height: number }): Promise<Page> {
  complaints = [];
  const page = await browser.newPage();
  await page.setViewportSize(screen);
  return page;
}

describe.each(SCREENS)("on $name", (screen) => {
  test("every page fits, has a title, and is quiet", async () => {
    const page = await openPage(screen);
    const tooWide: string[] = [];
    for (const address of pages()) {
      await page.goto(site.origin + address, { waitUntil: "load" });
      await page.locator("#app h1").first().waitFor();
      const wide = await page.evaluate(() => document.documentElement.scrollWidth > window.innerWidth);
      if (wide) tooWide.push(address);
    }
    await page.close();
    expect({ tooWide, complaints }).toEqual({ tooWide: [], complaints: [] });
  });

  test("a search finds the guide, and its result leads there", async () => {
    const page = await openPage(screen);
    await page.goto(`${site.origin}/`, { waitUntil: "load" });
    await page.locator("#local-search button").click();
    await page.locator("#localsearch-input").fill("both leaked laptop");
    await page.locator("#localsearch-list a").first().click();
    await page.waitForURL(/incidents\.html/);
    expect(await page.locator("h1").first().textContent()).toContain("Incidents");
    await page.close();
    expect(complaints).toEqual([]);
  });
});

test("the picture is the one of the theme in force", async () => {
  const page = await openPage({ width: 1280, height: 900 });
  for (const colorScheme of ["light", "dark"] as const) {
    await page.emulateMedia({ colorScheme });
    await page.goto(`${site.origin}/`, { waitUntil: "load" });
    const visible = await page
      .locator(".picture img")
      .evaluateAll((images) =>
        (images as HTMLImageElement[])
          .filter((image) => image.offsetWidth > 0 && image.naturalWidth > 0)
          .map((image) => image.className),
      );
    expect(visible).toEqual([`in-${colorScheme}`]);
  }
  await page.close();
});

test("every link within the site leads to a page, and to a heading that it has", () => {
  const known = new Map(pages().map((address) => [address, idsIn(read(address))]));
  const broken = [...known.keys()].flatMap((address) =>
    [...read(address).matchAll(/<a [^>]*?href="([^"]+)"/g)]
      .map(([, href = ""]) => href.replaceAll("&amp;", "&"))
      .filter((href) => !/^[a-z]+:/.test(href))
      .filter((href) => {
        const [path = "", anchor] = href.split("#");
        const target = path === "" ? address : posix.resolve(posix.dirname(address), path);
        const ids = known.get(path.endsWith("/") ? posix.join(target, "index.html") : target);
        return ids === undefined || (anchor !== undefined && !ids.has(decodeURIComponent(anchor)));
      })
      .map((href) => `${address}: ${href}`),
  );
  expect(broken).toEqual([]);
  expect(known.size).toBeGreaterThan(40);
});

test("the sidebar has every page but those that others list", () => {
  const listed = [...read("/index.html").matchAll(/<a [^>]*?href="([^"#]+)"/g)].map(([, href = ""]) =>
    href.endsWith("/") ? `${href}index.html` : href,
  );
  const elsewhere = /^\/(adr\/|packages\/cli\/|guides\/index)/;
  expect(pages().filter((address) => !listed.includes(address) && !elsewhere.test(address))).toEqual([]);
});

function idsIn(html: string): Set<string> {
  return new Set([...html.matchAll(/ id="([^"]+)"/g)].map(([, id = ""]) => id));
}

function findChromium(): string {
  const named = process.env.VSYNC_TEST_CHROMIUM;
  const names = named ? [named] : ["chromium", "chromium-browser", "google-chrome"];
  const found = names.find((name) => spawnSync(name, ["--version"]).status === 0);
  if (found === undefined)
    throw new Error("no Chromium: apt-get install chromium, or VSYNC_TEST_CHROMIUM=<its program>");
  return spawnSync("sh", ["-c", `command -v "${found}"`], { encoding: "utf8" }).stdout.trim();
}
