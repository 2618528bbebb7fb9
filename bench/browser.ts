// The most memory that a page takes which opens 100 MB in Chromium, whose Web Crypto is what the web build stands on. Needs
// Debian's Chromium and what `pnpm bench:browser` installs.

import { mkdirSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { installPackedReader } from "../scripts/packed.ts";
import { median } from "./harness.ts";
import { fillWithNoise, fillWithText } from "./large-files.ts";
import { type ServedVault, serveVault } from "./served-vault.ts";

const ROUNDS = 7;
const MEGABYTE = 1_000_000;
const GOAL = 400;
const VAULTS = { "100 MB that does not shrink": fillWithNoise, "100 MB of text": fillWithText };
const DRIVER: string = "../test/runtimes/node_modules/playwright-core/index.mjs";
const ARGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-background-networking"];

export async function benchBrowser(folder: string): Promise<void> {
  mkdirSync(folder, { recursive: true });
  installPackedReader(folder);
  const reader = join(folder, "node_modules/@muthuishere/vsync-s3-client/dist/web/index.js");
  console.log(
    `\nMost memory of a page in Chromium, above that of one without a vault (goal: ${GOAL} MB at most)`,
  );
  for (const [name, fill] of Object.entries(VAULTS)) {
    const vault = await serveVault(join(folder, name.replaceAll(" ", "-")), { fill });
    const above: number[] = [];
    for (let round = 0; round < ROUNDS; round++)
      above.push(await peak(join(folder, `profile-${round}`), reader, vault));
    vault.server.close();
    const range = `(${Math.min(...above).toFixed(0)} to ${Math.max(...above).toFixed(0)})`;
    console.log(`  ${name.padEnd(44)} ${median(above).toFixed(0).padStart(6)} MB ${range}`);
  }
}

/** What is used of Playwright, which a fresh clone does not have. */
interface Chromium {
  launchPersistentContext(
    profile: string,
    options: { readonly executablePath: string; readonly args: readonly string[] },
  ): Promise<{ newPage(): Promise<Page>; close(): Promise<void> }>;
}
interface Page {
  route(
    url: string,
    answer: (route: {
      fulfill(answer: { contentType: string; body: string }): Promise<void>;
    }) => Promise<void>,
  ): Promise<void>;
  goto(url: string): Promise<unknown>;
  evaluate(script: string): Promise<unknown>;
}

/** In MB, of a browser of its own. */
async function peak(profile: string, reader: string, { env, server }: ServedVault): Promise<number> {
  const { chromium } = (await import(DRIVER)) as { chromium: Chromium };
  const executablePath = process.env.VSYNC_TEST_CHROMIUM ?? "/usr/bin/chromium";
  const browser = await chromium.launchPersistentContext(profile, { executablePath, args: ARGS });
  try {
    const page = await browser.newPage();
    const body = readFileSync(reader, "utf8");
    await page.route("**/page", (route) =>
      route.fulfill({ contentType: "text/html", body: "<!doctype html>" }),
    );
    await page.route("**/reader.js", (route) => route.fulfill({ contentType: "text/javascript", body }));
    await page.goto(`${server.endpoint}/page`);
    await page.evaluate(`import("/reader.js").then(() => 0)`);
    const before = mostOfRenderers(profile);
    const inputs = JSON.stringify({
      config: env.VSYNC_CONFIG,
      passphrase: readFileSync(env.VSYNC_PASSPHRASE_FILE ?? "", "utf8").trim(),
      timeoutMs: 60_000,
    });
    await page.evaluate(
      `import("/reader.js").then(async ({ openWith }) => { globalThis.vault = await openWith(${inputs}); })`,
    );
    return mostOfRenderers(profile) - before;
  } finally {
    await browser.close();
  }
}

/** What the largest of Chromium's pages ever had, in MB. */
function mostOfRenderers(profile: string): number {
  const most = readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .map((pid) => {
      try {
        const command = readFileSync(`/proc/${pid}/cmdline`, "utf8");
        if (!command.includes("--type=renderer") || !command.includes(profile)) return 0;
        return Number(/VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]);
      } catch {
        return 0; // it has ended
      }
    });
  return (Math.max(...most) * 1024) / MEGABYTE;
}
